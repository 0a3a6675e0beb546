"""What is said of alerts, and boards as plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watchfloor.domain import alert as life
from watchfloor.domain.alert import Alert, Event, EventKind
from watchfloor.domain.message import TOLD, About, compose
from watchfloor.domain.outcome import Status
from watchfloor.domain.rules import Rule, Subject, first_match
from watchfloor.domain.severity import Severity
from watchfloor.domain.shape import plain
from watchfloor.domain.telling import news

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)


def firing() -> Alert:
    return life.raise_alert(Severity.CRITICAL, NOW)[0]


def test_a_message_says_what_happened_to_what_and_who_did_it() -> None:
    acknowledged, (event,) = life.acknowledge(firing(), "ann", "größe", NOW + timedelta(hours=1), False, NOW)
    body = json.loads(
        compose(event, acknowledged, About(42, "uuid", "shop is failing", "refused", {"service": "shop"}))
    )
    assert body == {
        "type": "alert.acknowledged",
        "timestamp": "2031-03-01T12:00:00Z",
        "data": {
            "id": 42, "uuid": "uuid", "state": "acknowledged", "severity": "critical", "title": "shop is failing",
            "summary": "refused", "labels": {"service": "shop"}, "active_at": "2031-03-01T12:00:00Z",
            "fired_at": "2031-03-01T12:00:00Z", "resolved_at": None, "actor": "ann", "note": "größe",
            "reason": "acknowledged",
        },
    }  # fmt: skip


def test_the_same_event_always_makes_the_same_bytes() -> None:
    event = Event(EventKind.FIRED, NOW)
    made = {compose(event, firing(), About(1, "u", "t", "s", {"b": "2", "a": "1"})) for _ in range(3)}
    assert len(made) == 1


def test_a_message_is_small_whatever_it_tells() -> None:
    event = Event(EventKind.ACKNOWLEDGED, NOW, "a" * 60, "n" * 500)
    assert (
        len(compose(event, firing(), About(1, "u" * 36, "t" * 300, "s" * 500, {"service": "x" * 200})))
        < 20_000
    )


@pytest.mark.parametrize("kind", list(EventKind))
def test_nobody_hears_of_an_alert_that_never_fired(kind: EventKind) -> None:
    pending = life.raise_alert(Severity.CRITICAL, NOW, for_=60)[0]
    assert news(pending, ((3, Event(kind, NOW)),)) is None
    found = news(firing(), ((3, Event(kind, NOW)),))
    assert (found is not None) == (kind in TOLD or kind is EventKind.SUPPRESSION_CHANGED)


def test_suppression_rearming_and_other_words_for_the_same_are_not_told() -> None:
    quiet = {
        EventKind.RAISED,
        EventKind.NOTED,
        EventKind.REACTED,
        EventKind.ESCALATED,  # the step tells those it names, by itself
        EventKind.DROPPED,
        EventKind.REARMED,
        EventKind.REWORDED,
        EventKind.SUPPRESSION_CHANGED,
    }
    assert set(EventKind) - set(TOLD) == quiet


SHOP = Subject("shop", "http", "front", frozenset({"eu", "web"}))


def rule(**values: Any) -> Rule:
    return Rule(1, "r", frozenset({Status.FAILING}), **values)


@pytest.mark.parametrize(
    ("made", "matches"),
    [
        (rule(), True),
        (rule(services=("sh?p",)), True),
        (rule(services=("SHOP",)), False),
        (rule(services=("other", "s*")), True),
        (rule(services=("[!a]hop",)), True),
        (rule(groups=("back",)), False),
        (rule(kinds=frozenset({"tcp", "http"})), True),
        (rule(tags=frozenset({"eu"})), True),
        (rule(tags=frozenset({"eu", "us"})), False),
        (rule(services=("shop",), groups=("back",)), False),
    ],
)
def test_every_selector_must_agree(made: Rule, matches: bool) -> None:
    assert made.matches(SHOP, Status.FAILING) is matches
    assert not made.matches(SHOP, Status.OK)


def test_a_pattern_cannot_be_made_slow() -> None:
    hostile = rule(services=("*a" * 40 + "b",))
    assert not hostile.matches(Subject("a" * 200, "", "", frozenset()), Status.FAILING)


def test_the_first_rule_wins_and_none_speaks_of_what_is_ok() -> None:
    first, second = rule(services=("nobody",)), rule(severity=Severity.INFO)
    assert first_match([first, second, rule()], SHOP, Status.FAILING) is second
    assert first_match([first, second], SHOP, Status.OK) is None
    assert second.severity_for(Status.FAILING) is Severity.INFO
    assert rule().severity_for(Status.FAILING) is Severity.CRITICAL
    assert rule().severity_for(Status.DEGRADED) is Severity.WARNING


@dataclass(frozen=True)
class Board:
    status: Status
    at: datetime
    recent: bytes
    parts: tuple[object, ...]
    more: dict[object, object]


def test_boards_become_words_numbers_and_iso_times() -> None:
    board = Board(
        Status.FAILING, NOW, b"\x01\xff", (Severity.INFO, frozenset({1})), {5: life.AlertState.FIRING}
    )
    assert json.loads(json.dumps(plain([board]))) == [
        {
            "status": "failing",
            "at": "2031-03-01T12:00:00+00:00",
            "recent": "01ff",
            "parts": ["info", [1]],
            "more": {"5": "firing"},
        }
    ]


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", []])
def test_plain_values_stay(value: object) -> None:
    assert plain(value) == value
