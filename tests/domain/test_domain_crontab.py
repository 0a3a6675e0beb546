"""A crontab becomes jobs that mean what cron means, and what they cannot mean is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.crontab import Crontab, read_crontab


def read(text: str, **options: object) -> Crontab:
    return read_crontab(text, user="ops", home=lambda user: f"/home/{user}", **options)  # type: ignore[arg-type]


def only(text: str, **options: object) -> dict[str, object]:
    found = read(text, **options)
    assert len(found.jobs) == 1, found
    return dict(found.jobs[0].values)


def test_a_line_becomes_a_job_that_keeps_what_cron_does() -> None:
    assert only(
        "# dumps everything\n30 3 * * 1-5 /usr/local/bin/backup --all\n", time_zone="Europe/Berlin"
    ) == {
        "name": "backup",
        "kind": "script",
        "script": "/usr/local/bin/backup --all",
        "interpreter": ["/bin/sh"],
        "env": {"PATH": "/usr/bin:/bin"},
        "directory": "/home/ops",
        "schedules": [{"cron": "30 3 * * 1-5", "time_zone": "Europe/Berlin", "catch_up": "skip"}],
        "overlap": "allow",
        "timeout": "7d",
        "description": "dumps everything",
    }


def test_lines_of_the_environment_hold_for_what_follows_them() -> None:
    found = read("0 1 * * * a\nPATH=/opt/bin\nA = 'x y'\nSHELL=/bin/bash\nHOME=/srv\n0 2 * * * b\n")
    first, second = (dict(job.values) for job in found.jobs)
    assert first["env"] == {"PATH": "/usr/bin:/bin"}
    assert second["env"] == {"PATH": "/opt/bin", "A": "x y", "HOME": "/srv"}
    assert (second["interpreter"], second["directory"]) == (["/bin/bash"], "/srv")


def test_a_secret_of_the_environment_becomes_a_reference_and_is_never_copied() -> None:
    found = read("DB_PASSWORD=hunter2\n0 1 * * * dump\n")
    assert dict(found.jobs[0].values)["env"] == {"PATH": "/usr/bin:/bin", "DB_PASSWORD": "${DB_PASSWORD}"}
    assert "DB_PASSWORD looks like a secret" in found.jobs[0].differs[0]
    assert "hunter2" not in str(found)


def test_mailto_is_told_and_becomes_the_contact() -> None:
    found = read("MAILTO=ops@example\n0 1 * * * a\nMAILTO=\n0 2 * * * b\n")
    assert dict(found.jobs[0].values)["contact"] == "ops@example"
    assert any("MAILTO" in words for words in found.jobs[0].differs)
    assert found.jobs[1].differs == ()


def test_what_follows_a_percent_sign_is_read_by_the_command() -> None:
    values = only("0 1 * * * mail kim%Hello%100\\% sure\n")
    assert (values["script"], values["stdin"]) == ("mail kim", "Hello\n100% sure\n")
    assert only("0 1 * * * date +\\%F\n")["script"] == "date +%F"


def test_the_user_of_a_system_crontab_is_told_where_it_is_somebody_else() -> None:
    found = read("0 1 * * * root backup\n0 2 * * * ops report\n", system=True)
    first, second = found.jobs
    assert dict(first.values)["paused"] is True
    assert "cron runs it as root, this engine as ops" in first.differs[0]
    assert dict(first.values)["directory"] == "/home/root"
    assert ("paused" in second.values, second.differs) == (False, ())


def test_what_runs_at_boot_runs_only_when_asked_and_that_is_told() -> None:
    found = read("@reboot start-it\n@daily sweep\n")
    assert "schedules" not in found.jobs[0].values
    assert "after each boot" in found.jobs[0].differs[0]
    assert dict(found.jobs[1].values)["schedules"] == [
        {"cron": "@daily", "time_zone": "UTC", "catch_up": "skip"}
    ]


def test_either_day_is_enough_as_under_cron() -> None:
    assert any("either the day" in words for words in read("0 4 1 * sun a\n").jobs[0].differs)
    assert read("0 4 1 * * a\n").jobs[0].differs == ()


def test_a_variable_of_the_shell_is_no_reference() -> None:
    assert only("0 1 * * * echo ${HOME}\n")["script"] == "echo $${HOME}"


def test_no_two_jobs_get_one_name_and_none_gets_a_name_that_exists() -> None:
    found = read("0 1 * * * /a/sync\n0 2 * * * /b/sync\n0 3 * * * sh /c/sync.sh\n", known={"sync 2": {}})
    assert [job.values["name"] for job in found.jobs] == ["sync", "sync 3", "sh sync.sh"]


TAB = "0 1 * * * /a/sync\n0 1 * * * /a/sync\n@reboot mail kim%Hello\n"


def kept(found: Crontab, **more: object) -> dict[str, Mapping[str, object]]:
    """The jobs as they are once they were added, with what somebody changed since."""
    return {f"my {job.values['name']}": {**job.values, **more} for job in found.jobs}


def test_what_was_imported_before_is_there_already_whatever_it_is_called_by_now() -> None:
    known = kept(read(TAB), paused=True, description="mine", retry={"attempts": 3})
    found = read(TAB + "0 2 * * * /a/sync\n", known=known)
    assert found.there == ((1, "my sync"), (2, "my sync 2"), (3, "my mail"))
    assert [(job.line, job.values["name"]) for job in found.jobs] == [(4, "sync")]


def test_a_job_that_is_there_stands_for_one_line_only() -> None:
    found = read(TAB, known=kept(read("0 1 * * * /a/sync\n")))
    assert found.there == ((1, "my sync"),)
    assert [job.line for job in found.jobs] == [2, 3]


@pytest.mark.parametrize(
    "line",
    [
        "0 2 * * * backup all%now",
        "0 1 * * * backup most%now",
        "0 1 * * * backup all%then",
        "CRON_TZ=Asia/Tokyo\n0 1 * * * backup all%now",
        "HOME=/elsewhere\n0 1 * * * backup all%now",
    ],
)
def test_another_time_or_another_work_is_another_job(line: str) -> None:
    known = kept(read("0 1 * * * backup all%now"))
    found = read(line, known=known)
    assert (found.there, len(found.jobs)) == ((), 1)


def test_other_jobs_that_exist_are_no_lines_of_a_crontab() -> None:
    known: dict[str, Mapping[str, object]] = {
        "a": {"kind": "http", "url": "http://a"},
        "b": {"kind": "script", "run": ["a"], "schedules": [{"every": "1h"}]},
        "c": {"kind": "script", "script": "a", "schedules": [{"cron": "0 1 * * *"}, {"every": "1h"}]},
    }
    found = read("0 1 * * * a\n", known=known)
    assert (found.there, len(found.jobs)) == ((), 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("61 * * * * a", "minute"),
        ("0 1 * * *", "no line of a crontab"),
        ("@every_minute a", "not known"),
        ("@daily", "no command"),
        ("0 1 L * * a", "day of month"),
    ],
)
def test_what_cannot_be_read_is_left_out_with_its_line_and_reason(line: str, words: str) -> None:
    found = read(f"\n{line}\n0 5 * * * b\n")
    assert [number for number, _ in found.left_out] == [2]
    assert words in found.left_out[0][1]
    assert len(found.jobs) == 1


@given(st.text(max_size=300))
def test_whatever_is_read_every_line_is_a_job_is_left_out_or_is_nothing(text: str) -> None:
    found = read(text)
    names = [job.values["name"] for job in found.jobs]
    assert len(set(names)) == len(names)
    assert len(found.jobs) + len(found.left_out) <= len(text.splitlines())
