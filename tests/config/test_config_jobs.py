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
    assert "a secret is written in the file" in told
    assert "taken by the job on line 2" in told
    assert 'Did you mean "script"?' in told
    assert "s3cr3t" not in told
