"""Cron expressions: what may be written, and which moments of a wall clock they name.

The rules are those of crontab(5): five fields, or six with seconds first; names of months and days; 7 is Sunday;
where day of month and day of week are both restricted, either is enough. A field that begins with ``*`` is not
restricted. This module knows nothing of time zones: it works on wall clocks, where every day has 24 hours.

The arithmetic is ours. APScheduler 3 fires where every field matches, day of month and day of week, and its 0 is
Monday; by its documentation a time in the gap of spring does not fire, and one in the repeated hour of autumn fires
twice. For cron's rules each field would need translating, days two triggers, and all of it a wall clock without time
zone; what would be left to it is the thirty lines of `next_at`. How wall clocks become moments is in `schedules`. Both
are held against a naive cron of the tests that lives through every minute: ``tests/domain/cron_oracle.py``.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache

SHORTCUTS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
LONGEST = 200
"""Characters of an expression."""

_MONTHS = {name.lower(): at for at, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: at for at, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_YEARS = 9  # 29 February may be eight years away (1896 to 1904, 2096 to 2104)
_QUARTZ = re.compile(r"[#?]|^l(-|w?$)|^[0-9]+[lw]$|^[a-z]{3}l$")
_PART = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?", re.ASCII)


class CronError(ValueError):
    """An expression that cannot be used; the text says what is wrong, ``remedy`` what to write."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int] = field(default_factory=dict)


_SECOND = _Field("second", 0, 59)
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression. ``follows_clock``: minute or hour is ``*``, so real time counts, not the wall clock."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool
    follows_clock: bool

    def names_day(self, day: date) -> bool:
        """Whether anything happens on a day."""
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday

    def next_at(self, wall: datetime) -> datetime | None:
        """The first named moment at or after ``wall`` (naive, whole seconds); None where none comes in nine years."""
        found = self._in_day(wall) if self.names_day(wall.date()) else None
        if found is not None:
            return found
        day, last = wall.date(), min(wall.year + _YEARS, 9998)
        while day.year <= last:
            if day.month not in self.months:
                day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
            else:
                day += timedelta(days=1)
            if self.names_day(day):
                return datetime(day.year, day.month, day.day, self.hours[0], self.minutes[0], self.seconds[0])
        return None

    def _in_day(self, wall: datetime) -> datetime | None:
        """The first named time of the day of ``wall`` that is not before it."""
        hour, minute, second = wall.hour, wall.minute, wall.second
        if hour in self.hours and minute in self.minutes:
            found = _from(self.seconds, second)
            if found is not None:
                return wall.replace(second=found, microsecond=0)
        if hour in self.hours:
            found = _from(self.minutes, minute + 1)
            if found is not None:
                return wall.replace(minute=found, second=self.seconds[0], microsecond=0)
        found = _from(self.hours, hour + 1)
        if found is None:
            return None
        return wall.replace(hour=found, minute=self.minutes[0], second=self.seconds[0], microsecond=0)


def _from(values: tuple[int, ...], least: int) -> int | None:
    at = bisect_left(values, least)
    return values[at] if at < len(values) else None


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> Cron:
    """Read an expression. Raises `CronError`.

    >>> parse_cron("*/15 9-17 * * mon-fri").minutes
    (0, 15, 30, 45)
    """
    words = _words(text)
    second = _values(words.pop(0), _SECOND) if len(words) == 6 else frozenset({0})
    minute, hour, day, month, weekday = (
        _values(word, each) for word, each in zip(words, _FIELDS, strict=True)
    )
    free = [word.startswith("*") for word in words]
    parsed = Cron(
        tuple(sorted(second)),
        tuple(sorted(minute)),
        tuple(sorted(hour)),
        day,
        month,
        frozenset(number % 7 for number in weekday),
        either_day=not free[2] and not free[4],
        follows_clock=free[0] or free[1],
    )
    if not parsed.either_day and not any(min(day) <= _MOST_DAYS[number - 1] for number in month):
        raise CronError("never fires: no such day in these months", "Choose a day that these months have.")
    return parsed


def _words(text: str) -> list[str]:
    if len(text) > LONGEST:
        raise CronError(f"is longer than {LONGEST} characters", "Split it into several schedules.")
    lowered = text.strip().lower()
    if lowered.startswith("@"):
        if lowered not in SHORTCUTS:
            raise CronError("is not a known shortcut", f"Known ones: {', '.join(SHORTCUTS)}.")
        lowered = SHORTCUTS[lowered]
    words = lowered.split()
    if len(words) not in (5, 6):
        raise CronError(
            f"has {len(words)} fields, not 5 or 6",
            'Write minute, hour, day of month, month, day of week, as in "0 3 * * *"; seconds may come first.',
        )
    return words


def _values(word: str, kind: _Field) -> frozenset[int]:
    return frozenset(value for part in word.split(",") for value in _part(part, kind))


def _part(part: str, kind: _Field) -> range:
    if _QUARTZ.search(part):
        raise CronError(f"{kind.name}: L, W, # and ? are not supported", "List the days instead.")
    match = _PART.fullmatch(part)
    if match is None:
        raise CronError(
            f"{kind.name}: not understood", 'Write for example "*", "5", "1-5", "*/10" or "1,15".'
        )
    first, last, step = match[1], match[2], match[3]
    if first == "*":
        if last is not None:
            raise CronError(f"{kind.name}: a range cannot begin with *", "Write its first value.")
        low, high = kind.low, 6 if kind.names is _DAYS else kind.high
    else:
        low = _number(first, kind)
        high = low if last is None else _number(last, kind)
        if last is None and step is not None:
            raise CronError(
                f"{kind.name}: a step needs a range", f'Write "{low}-{kind.high}/{step}" or "*/{step}".'
            )
        if kind.names is _DAYS and high == 0 and low > 0:
            high = 7  # sat-sun
    if low > high:
        raise CronError(f"{kind.name}: the range goes backwards", "Write two ranges with a comma.")
    if step is not None and not 1 <= int(step) <= kind.high:
        raise CronError(f"{kind.name}: a step of {step[:9]}", f"Write a step from 1 to {kind.high}.")
    return range(low, high + 1, int(step or 1))


def _number(word: str, kind: _Field) -> int:
    if word in kind.names:
        return kind.names[word]
    if word.isdecimal() and len(word) <= 4 and kind.low <= int(word) <= kind.high:
        return int(word)
    names = f" or {', '.join(kind.names)}" if kind.names else ""
    raise CronError(f"{kind.name}: out of its limits", f"Write {kind.low} to {kind.high}{names}.")
