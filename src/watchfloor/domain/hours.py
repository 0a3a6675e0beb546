"""Hours of the week as people keep them: when they begin and end, over every change of clocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta

from watchfloor.domain.routes import MuteTime
from watchfloor.domain.zones import spans, zone

_DAY = timedelta(days=1)


def reached(local: datetime, zone_name: str) -> datetime:
    """The first moment, in UTC, at which clocks there show ``local`` (naive) or later.

    Where clocks show it twice it is the first time; where they skip it, the moment of the change.

    >>> reached(datetime(2026, 3, 29, 2, 30), "Europe/Berlin"), reached(datetime(2026, 10, 25, 2, 30), "Europe/Berlin")
    (datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.timezone.utc), \
datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.timezone.utc))
    """
    there = zone(zone_name)
    moment = local.replace(tzinfo=there, fold=0).astimezone(UTC)
    if moment.astimezone(there).replace(tzinfo=None, fold=0) == local:
        return moment
    span = next(spans(zone_name, int(moment.timestamp()), 1))
    return datetime.fromtimestamp(span.start, UTC)


def edges(hours: MuteTime, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every moment in ``(start, end]`` at which ``hours`` may begin or end, in no order, some of them twice."""
    there = zone(hours.zone)
    day = start.astimezone(there).date() - _DAY
    last = end.astimezone(there).date() + _DAY
    while day <= last:
        for clock in (hours.begin, hours.end):
            for fold in (0, 1):
                moment = datetime.combine(day, clock, there).replace(fold=fold).astimezone(UTC)
                if start < moment <= end:
                    yield moment
        day += _DAY
    yield from changes(hours.zone, start, end)


def changes(zone_name: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every moment in ``(start, end]`` at which clocks there are put forward or back."""
    for span in spans(zone_name, int(start.timestamp()), end.year - start.year + 1):
        moment = datetime.fromtimestamp(span.start, UTC)
        if span.offset != span.before and start < moment <= end:
            yield moment


def hold(hours: Iterable[MuteTime], now: datetime) -> bool:
    """Whether any of them holds now."""
    return any(each.holds(now) for each in hours)


def over(hours: Iterable[MuteTime], now: datetime) -> datetime | None:
    """When none of ``hours`` holds any more; None: none of them holds now. Looks a week ahead, not further."""
    wanted = tuple(hours)
    if not hold(wanted, now):
        return None
    end = now + 8 * _DAY
    moments = sorted({moment for each in wanted for moment in edges(each, now, end)})
    return next((moment for moment in moments if not hold(wanted, moment)), end)


def clock(text: str) -> time:
    """A time of day as it is stored."""
    return time.fromisoformat(text)
