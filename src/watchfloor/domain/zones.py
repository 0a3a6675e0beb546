"""Time zones as spans of a constant offset: the ground on which schedules are computed. It must never guess a zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = 86_400
LAST_YEAR = 9000


class UnknownZone(ValueError):
    """A time zone that does not exist on this machine."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` to before ``end`` (seconds since 1970) clocks are ``offset`` seconds ahead of UTC; ``before``
    is the offset until ``start``."""

    start: int
    end: int
    offset: int
    before: int


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """A zone by its IANA name, such as ``Europe/Berlin``. Raises `UnknownZone`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone("there is no such time zone") from None


def zone_or_utc(name: str) -> tzinfo:
    """A zone in which people are told of times; UTC on a machine that does not know it: nothing fails for that."""
    try:
        return zone(name)
    except UnknownZone:
        return UTC


def spans(name: str, at: int, years: int) -> Iterator[Span]:
    """The spans of a zone from the one that holds the moment ``at``, for some years; a span ends with its year."""
    first = datetime.fromtimestamp(at, UTC).year
    for year in range(first, min(first + years, LAST_YEAR)):
        yield from (span for span in _spans_of_year(name, year) if span.end > at)


@lru_cache(maxsize=4096)
def _spans_of_year(name: str, year: int) -> tuple[Span, ...]:
    """Offsets are read once a day; the moment of a change is found by halving that day."""
    tz = zone(name)
    end = _start_of(year + 1)
    start, found = _start_of(year), []
    before = _offset(tz, start - 1)
    offset = _offset(tz, start)
    for day in range(start, end, _DAY):
        until = min(day + _DAY, end)
        if until < end and _offset(tz, until) != offset:
            change = _change(tz, day, until, offset)
            found.append(Span(start, change, offset, before))
            start, before, offset = change, offset, _offset(tz, change)
    found.append(Span(start, end, offset, before))
    return tuple(found)


def _change(tz: ZoneInfo, low: int, high: int, offset: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(tz, middle) == offset else (low, middle)
    return high


def _start_of(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _offset(tz: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, tz).utcoffset() or timedelta()
    return offset.days * _DAY + offset.seconds
