"""Days on which nothing is to happen: single ones, ranges, of one year or of every year."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TypeVar

_YEARLY = re.compile(r"[0-9]{2}-[0-9]{2}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_LEAP = 2024  # a day of every year may be 29 February
LONGEST = 400
"""Days of a range; a longer one is a mistake."""

MonthDay = tuple[int, int]
Each = TypeVar("Each")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days to look up: dates, and days of every year."""

    dates: frozenset[date]
    yearly: frozenset[MonthDay]

    def holds(self, day: date) -> bool:
        """Whether a day is one of them."""
        return day in self.dates or (day.month, day.day) in self.yearly


@lru_cache(maxsize=1024)
def calendar_of(days: frozenset[str]) -> Calendar:
    """A calendar of days as they are written. Raises `ValueError`.

    >>> found = calendar_of(frozenset({"12-24..01-01", "2026-05-01"}))
    >>> [found.holds(date.fromisoformat(day)) for day in ("2031-12-31", "2026-05-01", "2027-05-01")]
    [True, True, False]
    """
    found = [parse_day(text) for text in days]
    return Calendar(_all(dates for dates, _ in found), _all(yearly for _, yearly in found))


def _all(parts: Iterable[frozenset[Each]]) -> frozenset[Each]:
    return frozenset(each for part in parts for each in part)


@lru_cache(maxsize=8192)
def parse_day(text: str) -> tuple[frozenset[date], frozenset[MonthDay]]:
    """A day, or a range with both of its ends: the dates, and the days of every year. Raises `ValueError`."""
    first, range_, last = text.partition("..")
    yearly = len(first) == len("12-25")
    low, high = _date(first, yearly), _date(last if range_ else first, yearly)
    if yearly and high < low:
        high = high.replace(year=_LEAP + 1) if (high.month, high.day) != (2, 29) else date(_LEAP + 1, 2, 28)
    length = (high - low).days + 1
    if not 1 <= length <= LONGEST:
        raise ValueError("goes backwards or is too long")
    dates = frozenset(low + timedelta(days=number) for number in range(length))
    if yearly:
        return frozenset(), frozenset((day.month, day.day) for day in dates)
    return dates, frozenset()


def _date(text: str, yearly: bool) -> date:
    if not (_YEARLY if yearly else _DATE).fullmatch(text):
        raise ValueError("is not a day")
    return date.fromisoformat(f"{_LEAP}-{text}" if yearly else text)
