"""When a job is due: cron, interval and one-off schedules as a pure function of the moment before.

Cron in a zone with daylight saving follows Debian's cron(8): where clocks jump forward by less than three hours, jobs
of a fixed time in the gap run once right after it; where they go back, such jobs run in the first pass only. Jobs with
``*`` in minute or hour follow real time. Jitter is kept apart: it delays a start, never the nominal time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice

from watchfloor.domain.calendars import calendar_of
from watchfloor.domain.cron import Cron, parse_cron
from watchfloor.domain.zones import Span, spans, zone

_SMALL_JUMP_S = 3 * 3600
_EPOCH = datetime(1970, 1, 1)
_S = timedelta(seconds=1)
_MOST_EXCLUDED_IN_A_ROW = 5000
_YEARS = 12  # 29 February may be eight years away, and the next one fall into a gap


class Dst(StrEnum):
    """What happens to fixed times where clocks change."""

    DEBIAN = "debian"
    SKIP_AND_REPEAT = "skip_and_repeat"
    UTC = "utc"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule. ``expr`` is a cron expression, or seconds for ``interval``, or empty for ``once``.

    ``anchor`` is the moment intervals count from, and the moment of a one-off. ``excluded`` days (as
    `watchfloor.domain.calendars` reads them) are those of ``tz``.
    """

    kind: str  # cron, interval, once
    expr: str
    tz: str
    anchor: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    dst: Dst = Dst.DEBIAN
    excluded: frozenset[str] = frozenset()


def next_fire(schedule: Schedule, after: datetime) -> datetime | None:
    """The first moment of a schedule that is later than ``after`` (aware); None where nothing follows.

    Raises `watchfloor.domain.cron.CronError` or `watchfloor.domain.zones.UnknownZone` for one that is no good.
    """
    if schedule.start is not None and after < schedule.start:
        after = schedule.start - timedelta(microseconds=1)
    for _ in range(_MOST_EXCLUDED_IN_A_ROW):
        found = _next(schedule, after)
        if found is None or (schedule.end is not None and found > schedule.end):
            return None
        excluded = _excluded_until(schedule, found) if schedule.excluded else None
        if excluded is None:
            return found
        after = excluded
    return None


def fires(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Every moment of a schedule later than ``after``, in order."""
    while (found := next_fire(schedule, after)) is not None:
        yield found
        after = found


@dataclass(frozen=True, slots=True)
class Preview:
    """One coming fire as clocks in its zone show it; ``changes``: the offset is another than that of the one before."""

    at: datetime
    local: str
    changes: bool


def preview(schedule: Schedule, after: datetime, count: int = 10) -> list[Preview]:
    """The next fires with their offsets."""
    tz = zone(schedule.tz)
    found: list[Preview] = []
    offset = after.astimezone(tz).utcoffset()
    for at in islice(fires(schedule, after), count):
        local = at.astimezone(tz)
        found.append(Preview(at, local.isoformat(sep=" "), local.utcoffset() != offset))
        offset = local.utcoffset()
    return found


def _next(schedule: Schedule, after: datetime) -> datetime | None:
    if schedule.kind == "cron":
        at = _cron(schedule, int(after.timestamp() // 1) + 1)
        return None if at is None else datetime.fromtimestamp(at, UTC)
    anchor = schedule.anchor
    if anchor is None:
        raise ValueError(f"a schedule of kind {schedule.kind} needs an anchor")
    if schedule.kind == "once" or after < anchor:
        return anchor if anchor > after else None
    every = timedelta(seconds=float(schedule.expr))
    return anchor + ((after - anchor) // every + 1) * every


def _cron(schedule: Schedule, least: int) -> int | None:
    """The first fire at or after ``least``, in seconds since 1970; None where none comes for `_YEARS`."""
    cron = parse_cron(schedule.expr)
    tz = "UTC" if schedule.dst is Dst.UTC else schedule.tz
    strict = schedule.dst is Dst.DEBIAN and not cron.follows_clock
    for span in spans(tz, least, _YEARS):
        found = _in_span(cron, span, least, strict)
        if found is not None:
            return found
    return None


def _in_span(cron: Cron, span: Span, least: int, strict: bool) -> int | None:
    jump = span.offset - span.before
    start = max(least, span.start)
    if strict and 0 < jump < _SMALL_JUMP_S and least <= span.start:
        in_gap = cron.next_at(_wall(span.start + span.before))
        if in_gap is not None and _seconds(in_gap) < span.start + span.offset:
            return span.start
    if strict and 0 < -jump < _SMALL_JUMP_S:
        start = max(start, span.start - jump)  # the first pass had these
    found = cron.next_at(_wall(start + span.offset))
    at = None if found is None else _seconds(found) - span.offset
    return at if at is not None and at < span.end else None


def _wall(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _seconds(wall: datetime) -> int:
    return (wall - _EPOCH) // _S


def _excluded_until(schedule: Schedule, at: datetime) -> datetime | None:
    """The last moment of the local day of ``at`` where that day is excluded."""
    tz = zone(schedule.tz)
    day = at.astimezone(tz).date()
    if not calendar_of(schedule.excluded).holds(day):
        return None
    following = day + timedelta(days=1)
    midnight = datetime(following.year, following.month, following.day, tzinfo=tz)
    return max(at, midnight.astimezone(UTC) - timedelta(microseconds=1))
