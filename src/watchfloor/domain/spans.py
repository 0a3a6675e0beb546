"""Uptime as time, not as a count of checks.

The life of a service is a row of half-open segments ``[start, end)``, each in one state. From them follow
uptime and outages of any window, exactly. Time that nobody observed is ``unknown`` and reported beside the
ratio, never added to either side. This module must never count results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status

SILENCE_GRACE_S = 1.0
"""How late a check may run before its silence counts: the greatest lag a healthy node is allowed."""


class SpanState(StrEnum):
    """What a stretch of time counts as; stored as this word."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    PLANNED = "planned"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Span:
    """One state from ``start`` up to, not including, ``end``; None: it still lasts."""

    state: SpanState
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Uptime:
    """How a window was spent, in seconds; the five add up to its length.

    ``up_s`` includes degraded time. ``ratio`` is up / (up + down), or None where nothing was observed.
    ``unknown_s`` includes time without any span.
    """

    up_s: float
    down_s: float
    unknown_s: float
    planned_s: float
    ratio: float | None
    unreachable_s: float = 0.0


_BY_STATUS = {
    None: SpanState.UNKNOWN,
    Status.OK: SpanState.UP,
    Status.DEGRADED: SpanState.DEGRADED,
    Status.FAILING: SpanState.DOWN,
    Status.UNKNOWN: SpanState.UNKNOWN,
}

_MICROSECOND = timedelta(microseconds=1)


def span_state(state: CheckState) -> SpanState:
    """What the present counts as: the hard status, or unknown while the latest run found nothing out."""
    return SpanState.UNKNOWN if state.status is Status.UNKNOWN else _BY_STATUS[state.hard]


def booking(before: CheckState, after: CheckState) -> tuple[datetime, SpanState] | None:
    """From when a service counts as what, if the step from ``before`` to ``after`` changes that.

    The moment may lie in the past, because a confirmed problem counts from its first failing run: whatever
    was booked from there on is replaced.
    """
    if after.since is not None and (after.hard is not before.hard or after.since != before.since):
        return after.since, _BY_STATUS[after.hard]
    state = span_state(after)
    if state is span_state(before) or after.last_started is None:
        return None
    return after.last_started, state


def uptime(
    spans: Iterable[Span], window_start: datetime, window_end: datetime, *, unreachable_is_down: bool = False
) -> Uptime:
    """Measure ``[window_start, window_end)``.

    Spans may come in any order and reach beyond the window. Where two overlap, the one that begins later
    counts from its beginning on: a service is in one state at a time.
    """
    spent = dict.fromkeys(SpanState, 0)
    limit = window_end
    for span in sorted(spans, key=lambda span: span.start, reverse=True):
        start = max(span.start, window_start)
        end = limit if span.end is None else min(span.end, limit)
        if start < end:
            spent[span.state] += (end - start) // _MICROSECOND
        limit = min(limit, span.start)
    whole = max(0, (window_end - window_start) // _MICROSECOND)
    return uptime_of(spent, whole, unreachable_is_down=unreachable_is_down)


def uptime_of(spent: Mapping[SpanState, int], whole: int, *, unreachable_is_down: bool = False) -> Uptime:
    """How a window of ``whole`` microseconds was spent, from the microseconds in each state.

    Time in no state was not observed: it is unknown.
    """
    up = spent.get(SpanState.UP, 0) + spent.get(SpanState.DEGRADED, 0)
    down, unreachable = spent.get(SpanState.DOWN, 0), spent.get(SpanState.UNREACHABLE, 0)
    planned = spent.get(SpanState.PLANNED, 0)
    observed = up + down + (unreachable if unreachable_is_down else 0)
    return Uptime(
        up_s=up / 1e6,
        down_s=down / 1e6,
        unknown_s=(whole - up - down - unreachable - planned) / 1e6,
        planned_s=planned / 1e6,
        ratio=up / observed if observed else None,
        unreachable_s=unreachable / 1e6,
    )


def gap_after(last_ended: datetime, interval: float, timeout: float) -> datetime:
    """From when silence counts as unknown: the next result should have come, even one that timed out.

    ``interval`` and ``timeout`` in seconds.
    """
    return last_ended + timedelta(seconds=interval + timeout + SILENCE_GRACE_S)


def out_of_sight(
    state: CheckState, last_ended: datetime | None, started: datetime, interval: float, timeout: float
) -> bool:
    """Whether so much time before a check was unseen that it counts as unknown: by silence, or by checks in vain.

    ``last_ended`` is when the check before ended; None: nothing can have been missed since. ``interval`` and
    ``timeout`` in seconds.
    """

    def too_long_since(moment: datetime) -> bool:
        return gap_after(moment, interval, timeout) < started

    blind_since = state.unknown_since  # None: it is not, or the node itself was cut off
    in_vain = blind_since is None or too_long_since(blind_since)
    silent = last_ended is not None and too_long_since(last_ended)
    return silent or (state.status is Status.UNKNOWN and in_vain)
