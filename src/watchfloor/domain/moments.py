"""Moments as people write them: ``14:05``, ``yesterday 3:00``, ``-2h``, ``2026-11-24 03:00 UTC``.

A time of day without a date is the last one there was. A moment without a zone is meant in the reader's own; of a
local time that comes twice, when clocks go back, the later one is taken, and one that clocks skip is refused: only
`Z`, `UTC` or an offset names an hour that cannot be confused. This module must never look at a clock.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from watchfloor.domain.durations import parse_duration

EXAMPLES = "14:05, yesterday 3:00, -2h, 2026-11-24 03:00, with UTC or +02:00 behind it"
_LONGEST = 60
_FORM = re.compile(
    r"(?:(?P<day>yesterday|today|[a-z]{3,9}|\d{4}-\d{1,2}-\d{1,2})(?:\s+|t(?=\d)|$))?"
    r"(?:(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<part>\d{1,6}))?)?)?"
    r"\s*(?P<zone>z|utc|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def parse_moment(text: str, now: datetime, zone: tzinfo | None) -> datetime:
    """Read a moment that is not after ``now``; aware, in UTC. ``zone`` is the reader's, None this machine's.

    Raises `ValueError` with a sentence saying what was found and what is allowed.

    >>> now = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
    >>> [f"{parse_moment(text, now, UTC):%d %H:%M}" for text in ("14:05", "yesterday 3:00", "-2h", "mon 9:30")]
    ['24 14:05', '24 03:00', '25 12:00', '23 09:30']
    """
    found = " ".join(text.split()).casefold()
    if not found or len(found) > _LONGEST:
        raise ValueError(f"write a moment, like {EXAMPLES}")
    moment = _ago(found, now) if found.startswith("-") else _named(found, now, zone)
    if moment > now:
        raise ValueError(f"{found} is still to come")
    return moment.replace(fold=0)


def _ago(found: str, now: datetime) -> datetime:
    try:
        return now - timedelta(seconds=parse_duration(found[1:].replace(" ", "")))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{found} is not understood ({error})") from None


def _named(found: str, now: datetime, zone: tzinfo | None) -> datetime:
    match = _FORM.fullmatch(found)
    if match is None or (match["day"] is None and match["hour"] is None):
        raise ValueError(f"{found} is not understood; write {EXAMPLES}")
    where = _zone(match["zone"]) if match["zone"] else zone
    today = now.astimezone(where).date()
    try:
        hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
        clock = time(hour, minute, second, int((match["part"] or "0").ljust(6, "0")), fold=1)
        day = today if match["day"] is None else _day(match["day"], today)
        moment = _local(day, clock, where)
        if match["day"] is None and moment > now:
            moment = _local(day - timedelta(days=1), clock, where)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{found} is no moment: {error}") from None
    return moment.replace(fold=0)


def _day(word: str, today: date) -> date:
    if word in ("today", "yesterday"):
        return today - timedelta(days=word == "yesterday")
    if word[0].isdigit():
        return date(*(int(part) for part in word.split("-")))
    names = [place for place, name in enumerate(_WEEKDAYS) if name.startswith(word)]
    if not names:
        raise ValueError(f"there is no day called {word}")
    return today - timedelta(days=(today.weekday() - names[0]) % 7)


def _zone(word: str) -> tzinfo:
    if word in ("z", "utc"):
        return UTC
    digits = word[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if word[0] == "-" else offset)


def _local(day: date, clock: time, zone: tzinfo | None) -> datetime:
    """That time in that zone, as UTC. Raises `ValueError` where clocks skip it."""
    local = datetime.combine(day, clock)
    moment = (local.astimezone() if zone is None else local.replace(tzinfo=zone)).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local.replace(fold=0):
        raise ValueError("clocks skipped that hour there")
    return moment.replace(fold=0)
