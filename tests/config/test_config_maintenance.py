"""Maintenance windows, groups of dependencies and sentinels as they are written in a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from config_kinds import problems, valid

from watchfloor.domain.windows import spec_from, upcoming

SERVICES = "services: [{name: a, kind: host}, {name: b, kind: host}]\n"


def test_a_group_of_dependencies_is_kept_apart(tmp_path: Path) -> None:
    found = valid(
        tmp_path,
        "services: [{name: a, kind: host}, {name: b, kind: host}, "
        "{name: c, kind: host, depends_on: [a, {any_of: [a, b, a]}]}]\n",
    )
    assert found.services[2].depends_on == ("a",)
    assert found.services[2].depends_on_any == (("a", "b"),)


def test_a_circle_through_a_group_is_a_circle(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "services: [{name: a, kind: host, depends_on: [{any_of: [b]}]}, {name: b, kind: host, depends_on: [a]}]\n",
    )
    assert ['in a circle: "a" → "b" → "a"' in str(each) for each in found] == [True]


def test_what_a_group_names_exists(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "services: [{name: a, kind: host, depends_on: [{any_of: [c]}]}]\n")
    assert str(found).startswith("config.yaml:1:57: services[0].depends_on[0].any_of[0]: there is no service")


def window(keys: str) -> str:
    return SERVICES + f"maintenance: [{{name: w, covers: {{services: [a]}}, {keys}}}]\n"


@pytest.mark.parametrize(
    ("keys", "begins", "hours"),
    [
        ('weekly: [sun], at: "02:30", lasts: 2h, time_zone: Europe/Berlin', "2027-01-03T01:30", 2),
        ('monthly: [-1], at: "23:00", lasts: 3h', "2027-01-31T23:00", 3),
        ('cron: "0 4 * * sat", lasts: 4h', "2027-01-02T04:00", 4),
        ("start: 2027-01-16T18:00, end: 2027-01-16T22:00, time_zone: Europe/Berlin", "2027-01-16T17:00", 4),
        ("start: 2027-01-16T18:00+00:00, end: 2027-01-16T22:00Z, flexible: 1h", "2027-01-16T18:00", 4),
    ],
)
def test_every_form_of_a_window_opens_when_it_says(
    tmp_path: Path, keys: str, begins: str, hours: int
) -> None:
    (found,) = valid(tmp_path, window(keys)).maintenance
    ((start, end),) = upcoming(spec_from(found.spec), datetime(2027, 1, 1, tzinfo=UTC), 1)
    assert start == datetime.fromisoformat(begins).replace(tzinfo=UTC)
    assert (end - start).total_seconds() == hours * 3600
    assert found.covers == {"services": ["a"], "groups": [], "kinds": [], "tags": []}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("lasts: 1h", "needs exactly one of"),
        ('weekly: [sun], cron: "0 4 * * *", lasts: 1h', "needs exactly one of"),
        ('weekly: [sun], at: "02:30"', "needs lasts"),
        ("weekly: [sun], lasts: 1h", "needs at with weekly"),
        ('cron: "0 4 * * *", at: "02:30", lasts: 1h', "needs at with weekly"),
        ("start: 2027-01-16T18:00", "needs both start and end"),
        ("start: 2027-01-16T18:00, end: 2027-01-16T18:00", "end must be later"),
        ("start: 2027-01-16T18:00, end: 2027-01-16T19:00, lasts: 1h", "needs lasts, except"),
        ('weekly: [sun], at: "24:00", lasts: 1h', "is not a time of day"),
        ('monthly: [0], at: "02:00", lasts: 1h', "no day 0"),
        ('monthly: [32], at: "02:00", lasts: 1h', "too large"),
        ("opens_with: other, lasts: 1h", 'no window in this file that opens by itself called "other"'),
        ("opens_with: w, lasts: 1h", 'no window in this file that opens by itself called "w"'),
        ('cron: "61 4 * * *", lasts: 1h', "61"),
        ('cron: "0 4 * * *", lasts: 1h, time_zone: Europe/Berlim', "there is no such time zone"),
        ('cron: "0 4 * * *", lasts: 32d', "is too long"),
    ],
)
def test_a_window_that_could_not_open_is_a_mistake_of_the_file(tmp_path: Path, keys: str, words: str) -> None:
    assert words in "\n".join(map(str, problems(tmp_path, window(keys))))


def test_a_window_covers_services_that_exist(tmp_path: Path) -> None:
    text = (
        SERVICES + 'maintenance: [{name: w, covers: {services: [c, "c*"]}, cron: "0 4 * * *", lasts: 1h}]\n'
    )
    (found,) = problems(tmp_path, text)
    assert "services[0]: there is no service in this file" in str(found)


def test_a_window_that_covers_nothing_is_a_mistake(tmp_path: Path) -> None:
    text = SERVICES + 'maintenance: [{name: w, covers: {}, cron: "0 4 * * *", lasts: 1h}]\n'
    (found,) = problems(tmp_path, text)
    assert "names nothing" in str(found)


def test_sentinels_are_at_least_two_addresses_with_ports(tmp_path: Path) -> None:
    found = valid(tmp_path, SERVICES + 'node: {sentinels: ["192.0.2.1:53", "[2001:db8::1]:443"]}\n')
    assert found.node.sentinels == ("192.0.2.1:53", "[2001:db8::1]:443")
    for written in (
        '["192.0.2.1:53"]',
        '["192.0.2.1:53", "192.0.2.1:53"]',
        '["a", "b:1"]',
        '["a:0", "b:99999"]',
    ):
        assert problems(tmp_path, SERVICES + f"node: {{sentinels: {written}}}\n")
