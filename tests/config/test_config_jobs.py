"""Jobs in the config file: what they come to, and mistakes with their places and remedies."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchfloor.config.kinds import payload_kinds
from watchfloor.config.loader import load
from watchfloor.config.model import Loaded

PAYLOADS = payload_kinds().models


def read(tmp_path: Path, jobs: str) -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text("jobs:\n" + jobs)
    return load(path, {}, {}, {"HOME": "/", "PASS": "open sesame"}, payload_kinds=PAYLOADS)


def test_a_job_has_sane_defaults(tmp_path: Path) -> None:
    (job,) = (
        read(tmp_path, "  - {name: nightly, kind: dummy, schedules: [{cron: '@daily'}]}\n").required().jobs
    )
    assert (job.overlap, job.slots, job.priority, job.at_most_once, job.timeout_s) == (
        "skip",
        1,
        5,
        False,
        3600.0,
    )
    assert job.retry["attempts"] == 1
    spec = job.schedules[0]
    assert (spec["kind"], spec["expr"], spec["tz"], spec["catch_up"]) == ("cron", "@daily", "UTC", "last")


def test_moments_without_an_offset_are_those_of_the_zone(tmp_path: Path) -> None:
    text = "  - {name: a, kind: dummy, schedules: [{at: 2026-07-01T12:00, time_zone: Europe/Berlin}]}\n"
    (job,) = read(tmp_path, text).required().jobs
    assert job.schedules[0]["anchor"] == "2026-07-01T10:00:00+00:00"


def test_runs_that_may_overlap_have_no_limit_unless_one_is_given(tmp_path: Path) -> None:
    text = (
        "  - {name: a, kind: dummy, overlap: allow}\n  - {name: b, kind: dummy, overlap: allow, at_once: 3}\n"
    )
    assert [job.slots for job in read(tmp_path, text).required().jobs] == [None, 3]


def test_what_is_stored_holds_references_and_never_what_they_lead_to(tmp_path: Path) -> None:
    text = "  - {name: a, kind: script, run: [x], env: {DB_PASSWORD: '${PASS}'}}\n"
    (job,) = read(tmp_path, text).required().jobs
    assert "open sesame" not in f"{job.raw} {job!r}"


@pytest.mark.parametrize(
    ("job", "place", "says"),
    [
        ("schedules: [{cron: '0 0 31 2 *'}]", "jobs[0].schedules[0].cron", "never fires"),
        ("schedules: [{cron: '0 0 * *'}]", "jobs[0].schedules[0].cron", "4 fields"),
        (
            "schedules: [{cron: '@daily', time_zone: Europe/Berln}]",
            "schedules[0].time_zone",
            "no such time zone",
        ),
        ("schedules: [{every: 5s, at: 2026-01-01}]", "jobs[0].schedules[0]", "exactly one of"),
        ("schedules: [{every: 100ms}]", "jobs[0].schedules[0].every", "too short"),
        ("schedules: [{every: 5s, start: yesterday}]", "jobs[0].schedules[0].start", "is not a moment"),
        ("schedules: [{every: 5s, not_on: [02-30]}]", "schedules[0].not_on[0]", "is not a day"),
        ("timeout: 2h, deadline: 1h", "jobs[0]", "deadline is shorter"),
        ("priority: 11", "jobs[0].priority", "too large"),
        ("overlap: sometimes", "jobs[0].overlap", "not one of the choices"),
        ("lasts: 1", "jobs[0].lasts", "without a unit"),
        ("run: [x]", "jobs[0].run", "belongs to the kind script"),
        ("schedules: [{every: 5s, calendars: [feasts]}]", "schedules[0].calendars[0]", "no calendar"),
        ("schedules: [{cron: '@daily', not_on: [01-01..12-31]}]", "jobs[0].schedules[0]", "never fires"),
        ("schedules: [{cron: '0 0 1 1 *', not_on: [01-01]}]", "jobs[0].schedules[0]", "never fires"),
        (
            "schedules: [{every: 1h, start: 2026-02-01, end: 2026-01-01}]",
            "schedules[0]",
            "ends before it starts",
        ),
        ("schedules: [{cron: '@daily', not_on: [2026-05-02..2026-05-01]}]", "not_on[0]", "a range of days"),
        ("schedules: [{cron: '@daily', not_on: [05-01..2026-05-09]}]", "not_on[0]", "a range of days"),
        ("then: [{job: b}]", "jobs[0].then[0].job", "no job in this file called"),
        ("then: [{job: a}]", "jobs[0].then", "in a circle"),
        ("pause_after: 0", "jobs[0].pause_after", "too small"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, job: str, place: str, says: str) -> None:
    problems = [str(problem) for problem in read(tmp_path, f"  - {{name: a, kind: dummy, {job}}}\n").problems]
    assert len(problems) == 1
    assert "config.yaml:2:" in problems[0]
    assert place in problems[0]
    assert says in problems[0]


def test_a_secret_in_the_file_two_jobs_of_one_name_and_an_unknown_kind_are_mistakes(tmp_path: Path) -> None:
    text = (
        "  - {name: a, kind: script, run: [x], env: {API_KEY: s3cr3t-value}}\n"
        "  - {name: a, kind: dummy}\n  - {name: c, kind: scirpt}\n"
    )
    told = "\n".join(str(problem) for problem in read(tmp_path, text).problems)
    assert "a secret is in plain text" in told
    assert "taken by the job on line 2" in told
    assert 'Did you mean "script"?' in told
    assert "s3cr3t" not in told


def test_a_secret_that_is_not_there_is_a_mistake_at_its_place(tmp_path: Path) -> None:
    text = "  - {name: a, kind: script, run: [x], env: {TOKEN: '${NOT_SET}'}}\n"
    (problem,) = read(tmp_path, text).problems
    assert "jobs[0].env.TOKEN" in str(problem)
    assert 'the environment variable "NOT_SET" is not set. Set it' in str(problem)


def test_jobs_that_start_each_other_in_a_circle_are_refused_however_long_it_is(tmp_path: Path) -> None:
    text = "".join(f"  - {{name: j{n}, kind: dummy, then: [{{job: j{(n + 1) % 40}}}]}}\n" for n in range(40))
    (problem,) = read(tmp_path, text).problems
    assert "jobs start each other in a circle" in str(problem)


def test_parameters_of_a_link_must_be_settings_of_the_job_that_follows(tmp_path: Path) -> None:
    text = (
        "  - {name: a, kind: script, run: [x], then: [{job: b, parameters: {say: hello}}]}\n"
        "  - {name: b, kind: dummy}\n"
    )
    (problem,) = read(tmp_path, text).problems
    assert "jobs[0].then[0].parameters.say" in str(problem)
    assert 'Did you mean "says"?' in str(problem)


def test_calendars_queues_tags_and_links_come_as_they_are_stored(tmp_path: Path) -> None:
    text = (
        "  - {name: a, kind: dummy, on_queue: reports, on_nodes: [ssd, gpu], pause_after: 3,\n"
        "     schedules: [{cron: '@daily', calendars: [feasts]}], then: [{job: b, when: any, pass_on: true}]}\n"
        "  - {name: b, kind: dummy}\n"
        "calendars: [{name: feasts, days: [12-24..12-26, 2026-05-01]}]\n"
        "node: {queues: [reports], at_once: 4}\n"
    )
    found = read(tmp_path, text).required()
    first = found.jobs[0]
    assert (first.queue, first.tags, first.pause_after) == ("reports", ("gpu", "ssd"), 3)
    assert first.chains == ({"job": "b", "when": "any", "parameters": {}, "pass_on": True},)
    assert first.schedules[0]["calendars"] == ["feasts"]
    assert found.calendars == {"feasts": ("12-24..12-26", "2026-05-01")}
    assert (found.node.queues, found.node.at_once) == (("reports",), 4)
