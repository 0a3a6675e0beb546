"""Whether a group is told of, against a second, naive model; and what is news about one alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain import alert as life
from watchfloor.domain.alert import Alert, Event, EventKind, Suppression
from watchfloor.domain.severity import Severity
from watchfloor.domain.telling import Log, Members, News, Reason, Told, decide, news, worth_telling

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
HOUR = 3600.0
IDS = st.frozensets(st.integers(1, 5))


def members(firing: set[int] = frozenset(), resolved: set[int] = frozenset(), **more: object) -> Members:  # type: ignore[assignment]
    return Members(firing=frozenset(firing), resolved=frozenset(resolved), **more)  # type: ignore[arg-type]


def log(
    open_: set[int] = frozenset(), resolved: set[int] = frozenset(), ago: float = 60, **more: object
) -> Log:  # type: ignore[assignment]
    at = NOW - timedelta(seconds=ago)
    return Log(at, frozenset(open_), resolved=frozenset(resolved), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "now", "reason"),
    [
        (None, members(), None),
        (None, members(resolved={1}), None),  # over before anybody heard of it
        (None, members({1}), Reason.FIRST),
        (log({1}), members({1}), None),
        (log({1}), members({1, 2}), Reason.NEW_ALERTS),
        (log({1, 2}), members({1}, {2}), Reason.SOME_RESOLVED),
        (log({1}), members(resolved={1}), Reason.ALL_RESOLVED),
        (log(resolved={1}), members(resolved={1}), None),
        (log(resolved={1}), members({1}), Reason.NEW_ALERTS),  # it came back
        (log({1}, ago=HOUR), members({1}), Reason.REPEAT),
        (log({1}, ago=HOUR - 1), members({1}), None),
        (log({1}), members(quiet=frozenset({1})), None),  # silenced is not over
        (log({1}, ago=HOUR), members(quiet=frozenset({1})), None),
        (log({1}), members(acknowledged=frozenset({1})), Reason.ACKNOWLEDGED),
        (log({1, 2}), members({2}, acknowledged=frozenset({1})), None),  # one still waits for somebody
        (log({1}, ago=HOUR, acknowledged=frozenset({1})), members(acknowledged=frozenset({1})), None),
        (log({1}, acknowledged=frozenset({1})), members({1}), Reason.ACK_ENDED),
        (log({1}), members({1}, severity=Severity.CRITICAL), Reason.WORSE),
    ],
)
def test_the_reason_has_a_name(known: Log | None, now: Members, reason: Reason | None) -> None:
    assert decide(known, now, NOW, HOUR, send_resolved=True) is reason


def test_who_does_not_want_recoveries_gets_none() -> None:
    assert decide(log({1, 2}), members({1}, {2}), NOW, HOUR, send_resolved=False) is None
    assert decide(log({1}), members(resolved={1}), NOW, HOUR, send_resolved=False) is None


def naive(known: Log | None, firing: frozenset[int], resolved: frozenset[int], send_resolved: bool) -> bool:
    """Alertmanager's needsUpdate, said in its own order: no acknowledgements, no repeat."""
    if known is None:
        return len(firing) > 0
    if any(each not in known.open for each in firing):
        return True
    if not firing:
        return len(known.open) > 0 and send_resolved
    return send_resolved and any(each in known.open for each in resolved)


@settings(settings.get_profile("thorough"))
@given(st.none() | st.builds(lambda open_: log(set(open_)), IDS), IDS, IDS, st.booleans())
def test_it_agrees_with_the_naive_model(
    known: Log | None, firing: frozenset[int], resolved: frozenset[int], send: bool
) -> None:
    resolved -= firing
    reason = decide(known, Members(firing=firing, resolved=resolved), NOW, HOUR, send)
    assert (reason is not None) is naive(known, firing, resolved, send)


@given(IDS, IDS, IDS, IDS)
def test_what_was_just_delivered_is_no_news(
    firing: frozenset[int], acked: frozenset[int], quiet: frozenset[int], resolved: frozenset[int]
) -> None:
    acked -= firing
    quiet -= firing | acked
    resolved -= firing | acked | quiet
    now = Members(firing, acked, quiet, resolved)
    known = Log(NOW, firing | acked, acked, resolved, now.severity)
    assert decide(known, now, NOW, HOUR, send_resolved=True) is None


def fired() -> tuple[Alert, tuple[Event, ...]]:
    return life.raise_alert(Severity.CRITICAL, NOW)


def on_channels(found: News, alert: Alert, *last: str | None) -> list[bool]:
    """Whether it is told where a message of each of these types, about a critical alert, was the latest."""
    told = [None if kind is None else Told(kind, Severity.CRITICAL) for kind in last]
    return [worth_telling(found, alert.severity, each) for each in told]


def numbered(*events: Event) -> tuple[tuple[int, Event], ...]:
    return tuple(enumerate(events))


def test_nothing_is_told_of_an_alert_that_is_quiet_from_the_first() -> None:
    alert, events = fired()
    alert, more = life.suppress(alert, [Suppression.DEPENDENCY], NOW)
    assert news(alert, numbered(*events, *more)) is None


def test_when_the_last_reason_goes_the_state_is_news_to_who_does_not_know_it() -> None:
    alert, _ = fired()
    quiet, _ = life.suppress(alert, [Suppression.SILENCE, Suppression.DEPENDENCY], NOW)
    half, events = life.suppress(quiet, [Suppression.SILENCE], NOW)
    assert news(half, numbered(*events)) is None
    loud, events = life.suppress(half, [], NOW, "was silenced by ann until 12:00 UTC: deploy")
    found = news(loud, numbered(*events))
    assert found is not None
    assert (found.type, found.event.note) == ("alert.firing", "was silenced by ann until 12:00 UTC: deploy")
    assert on_channels(found, loud, None, "alert.resolved", "alert.firing", "alert.acknowledged") == [
        True, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.EMERGENCY])
def test_what_became_worse_or_better_in_silence_is_news_when_that_ends(severity: Severity) -> None:
    alert, _ = fired()
    quiet, _ = life.suppress(alert, [Suppression.SILENCE], NOW)
    changed, events = life.change_severity(quiet, severity, NOW)
    assert news(changed, numbered(*events)) is None
    loud, events = life.suppress(changed, [], NOW)
    found = news(loud, numbered(*events))
    assert found is not None
    assert on_channels(found, loud, "alert.firing", "alert.severity_changed") == [True, True]


def test_the_end_is_told_to_those_who_heard_of_the_beginning_even_while_it_is_quiet() -> None:
    alert, _ = fired()
    quiet, _ = life.suppress(alert, [Suppression.SILENCE], NOW)
    over, events = life.condition_false(quiet, NOW)
    found = news(over, numbered(*events))
    assert found is not None
    assert on_channels(found, over, None, "alert.firing", "alert.resolved") == [False, True, False]


def test_while_it_flaps_not_even_the_end_is_told_until_it_is_certain() -> None:
    alert, _ = fired()
    flapping, _ = life.suppress(alert, [Suppression.FLAPPING], NOW)
    over, events = life.condition_false(flapping, NOW)
    assert news(over, numbered(*events)) is None
    certain, events = life.suppress(over, [], NOW)
    found = news(certain, numbered(*events))
    assert found is not None
    assert found.type == "alert.resolved"
    assert on_channels(found, over, None, "alert.firing") == [False, True]


def test_an_acknowledgement_is_told_where_the_problem_was() -> None:
    alert, _ = fired()
    acked, events = life.acknowledge(alert, "ann", "on it", None, False, NOW)
    found = news(acked, numbered(*events))
    assert found is not None
    assert on_channels(found, acked, None, "alert.firing") == [False, True]
    assert found.event.kind is EventKind.ACKNOWLEDGED
