"""What checks, silence and a maintenance window book, against a clock that looks at every second on its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from support.engines import finding, stored_service
from support.make import EPOCH, at
from watchfloor.domain.check_state import NEW, CheckState
from watchfloor.domain.cover import BARE, Cover, layered
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.spans import SILENCE_GRACE_S, Span, SpanState, span_state, uptime
from watchfloor.engine.batch import judge
from watchfloor.store.results import SpanStart, Stored

EVERY, TIMEOUT = 10, 2
SILENT = EVERY + TIMEOUT + int(SILENCE_GRACE_S)
SERVICE = stored_service("shop", every_ms=EVERY * 1000, timeout_ms=TIMEOUT * 1000)
COUNTS = {
    Status.OK: SpanState.UP,
    Status.DEGRADED: SpanState.DEGRADED,
    Status.FAILING: SpanState.DOWN,
    Status.UNKNOWN: SpanState.UNKNOWN,
}
Window = tuple[int, int]


def cover_at(second: int, window: Window) -> Cover:
    """What lies over the service at a moment."""
    begins, ends = window
    if second < begins:
        return BARE
    if second < ends:
        return Cover(depth=1, planned_since=at(begins))
    return Cover(planned_since=at(begins), planned_until=at(ends))


def switched(spans: list[Span], start: SpanStart) -> list[Span]:
    """As the database does it: what begins later goes, what goes on ends."""
    kept = [each for each in spans if each.start < start.at]
    ended = [
        replace(each, end=start.at) if each.end is None or each.end > start.at else each for each in kept
    ]
    return [*ended, Span(SpanState(start.state), start.at)]


def booked(found: dict[int, Status], window: Window) -> list[Span]:
    """The spans that come of checks (when, and what they found) and of a window that opens and closes."""
    spans: list[Span] = []
    state, last = NEW, None
    for second, status in sorted(
        [*found.items(), *((edge, None) for edge in window)], key=lambda each: each[0]
    ):
        cover = cover_at(second, window)
        if status is None:
            spans = edge_booked(spans, state, cover, second)
            continue
        result = finding(1, at(second), Outcome(status, ""), lasted=0.0)
        batch = judge([result], {1: Stored(state, last, cover=cover)}, {1: SERVICE}, 1, at(second))
        for start in batch.spans:
            spans = switched(spans, start)
        ((row,), last) = (batch.states, at(second))
        state = row.state
    return spans


def edge_booked(spans: list[Span], state: CheckState, cover: Cover, second: int) -> list[Span]:
    """A window opens or closes over a service that was ever checked."""
    if state.last_started is None:
        return spans
    for moment, shade in layered(cover, span_state(state), at(second)):
        spans = switched(spans, SpanStart(1, moment, shade))
    return spans


def counted(found: dict[int, Status], window: Window, end: int) -> dict[SpanState, int]:
    """The naive model: each second by itself."""
    spent = dict.fromkeys(SpanState, 0)
    for second in range(end):
        before = [each for each in found if each <= second]
        if not before:
            spent[SpanState.UNKNOWN] += 1
        elif window[0] <= second < window[1]:
            spent[SpanState.PLANNED] += 1
        elif second - max(before) >= SILENT:
            spent[SpanState.UNKNOWN] += 1
        else:
            spent[COUNTS[found[max(before)]]] += 1
    return spent


@settings(settings.get_profile("thorough"))
@given(
    st.lists(st.none() | st.sampled_from(Status), min_size=1, max_size=14),
    st.tuples(st.integers(1, 140), st.integers(1, 90)),
)
def test_uptime_is_what_every_second_says_by_itself(
    found: list[Status | None], window: tuple[int, int]
) -> None:
    """Half of the slots may pass without a check: then nobody looked, and that is known with the next one."""
    checks = {EVERY * n: status for n, status in enumerate([*found, Status.OK]) if status is not None}
    end, edges = EVERY * len(found), (window[0], window[0] + window[1])
    spent, wanted = (
        uptime(booked(checks, edges), EPOCH, EPOCH + timedelta(seconds=end)),
        counted(checks, edges, end),
    )
    assert spent.up_s == wanted[SpanState.UP] + wanted[SpanState.DEGRADED]
    assert spent.down_s == wanted[SpanState.DOWN]
    assert spent.planned_s == wanted[SpanState.PLANNED]
    assert spent.unknown_s == wanted[SpanState.UNKNOWN]
