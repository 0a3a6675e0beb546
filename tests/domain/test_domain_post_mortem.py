"""The post-mortem: whole, in order, and never what somebody outside wants it to be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.outcome import Status
from watchfloor.domain.post_mortem import (
    Dependant,
    IncidentReport,
    LinkedRun,
    LogLine,
    TimelineEntry,
    in_order,
    markdown,
    window,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


REPORT = IncidentReport(
    id=7, service_id=1, service="shop", kind="http", group="front", opened_at=at(0), confirmed_at=at(1),
    closed_at=at(20), worst=Status.FAILING, cause="refused", root="database", previous_id=3, runbook="",
    timeline=(TimelineEntry(at(0), "opened", "watchfloor", ""), TimelineEntry(at(4), "note", "operator", "restarting")),
    dependants=(Dependant("mail", at(1), 1140.0),),
    runs=(LinkedRun(42, "nightly", "dead", at(-1), "exit 1"),),
    logs=(LogLine(at(2), "one", "engine", "out of memory"),),
)  # fmt: skip


def test_everything_that_is_known_stands_in_it() -> None:
    text = markdown(REPORT, at(60))
    for words in (
        "# Incident 7: shop",
        "- Lasted: 20m",
        "- Root cause: database was down",
        "- The one before: incident 3",
        "- 2026-03-02 12:04:00 UTC **note** by operator: restarting",
        "- mail: from 2026-03-02 12:01:00 UTC, for 19m",
        "- 2026-03-02 11:59:00 UTC #42 nightly dead: exit 1",
        "- 2026-03-02 12:02:00 UTC one engine: out of memory",
    ):
        assert words in text


def test_one_that_goes_on_says_so_and_what_is_empty_has_no_heading() -> None:
    text = markdown(replace(REPORT, closed_at=None, dependants=(), runs=(), logs=()), at(60))
    assert "- Ended: still open" in text
    assert "- Lasted: 1h so far" in text
    assert "## Log" not in text


@given(st.text(), st.text())
def test_what_comes_from_outside_adds_no_line_and_no_markup(cause: str, log: str) -> None:
    plain = markdown(replace(REPORT, cause="", logs=(LogLine(at(2), "one", "engine", ""),)), at(60))
    text = markdown(replace(REPORT, cause=cause, logs=(LogLine(at(2), "one", "engine", log),)), at(60))
    assert len(text.split("\n")) == len(plain.split("\n"))
    assert "<" not in text.replace("\\<", "")
    assert "](" not in text.replace("\\]", "")


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3)), max_size=5), max_size=4))
def test_a_timeline_is_every_line_once_oldest_first(lines: list[list[tuple[int, str]]]) -> None:
    entries = [[TimelineEntry(at(minute), word, "", "") for minute, word in each] for each in lines]
    merged = in_order(*entries)
    assert sorted(merged, key=lambda each: (each.at, each.kind)) == sorted(
        (entry for each in entries for entry in each), key=lambda each: (each.at, each.kind)
    )
    assert all(first.at <= second.at for first, second in pairwise(merged))


def test_the_time_around_ends_soon_after_the_incident_and_never_much_after_it_began() -> None:
    assert window(at(0), at(2)) == (at(-5), at(7))
    assert window(at(0), at(500)) == (at(-5), at(30))
    assert window(at(0), None) == (at(-5), at(30))
