"""Durations as people write and read them: ``250ms``, ``30s``, ``1h30m``.

Everywhere else in the program a duration is a number of seconds. Reading is strict: a bare number is refused,
because nobody remembers a year later which unit was meant. This module must never guess a unit.
"""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "w": Decimal(604_800),
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
_ORDER = list(_UNITS)
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)([a-z]+)", re.ASCII)
_LONGEST_S = 100 * 365 * 86_400
_SHOWN = 40


def parse_duration(text: str) -> float:
    """Read a duration into seconds.

    Parts go from the greatest unit to the smallest, each unit at most once. Raises `ValueError` with a
    sentence saying what was found and what is allowed.

    >>> parse_duration("1h30m"), parse_duration("250ms"), parse_duration("0.5s")
    (5400.0, 0.25, 0.5)
    """
    found = text.strip()
    seconds, last, end = Decimal(0), -1, 0
    if not found or len(found) > _SHOWN:
        raise _mistake(found, "it is empty" if not found else "it is too long")
    for part in _PART.finditer(found):
        number, unit = part.groups()
        if part.start() != end:
            break
        if unit not in _UNITS:
            raise _mistake(found, f"there is no unit {unit!r}")
        if _ORDER.index(unit) <= last:
            raise _mistake(found, "units go from great to small, each at most once")
        seconds, last, end = seconds + Decimal(number) * _UNITS[unit], _ORDER.index(unit), part.end()
    if end != len(found):
        bare = found[end:].replace(".", "", 1).isdecimal()
        raise _mistake(
            found, f"{found[end:]!r} has no unit" if bare else f"{found[end:]!r} is not understood"
        )
    if seconds > _LONGEST_S:
        raise _mistake(found, "it is longer than 100 years")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """Write a duration exactly to the microsecond, so that `parse_duration` reads the same value.

    Raises `ValueError` for a negative one.

    >>> format_duration(5400), format_duration(0.25), format_duration(0), format_duration(90061)
    ('1h30m', '250ms', '0s', '1d1h1m1s')
    """
    if not 0 <= seconds <= _LONGEST_S:
        raise ValueError(f"a duration lies between nothing and 100 years, not {seconds} s")
    micros = round(Decimal(seconds) * 1_000_000)
    written = ""
    for unit, micros_per_unit in (
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
    ):
        count, micros = divmod(micros, micros_per_unit)
        written += f"{count}{unit}" if count else ""
    if micros:
        written += f"{(Decimal(micros) / 1000).normalize():f}ms"
    return written or "0s"


def whole_duration(seconds: float) -> str:
    """How long something lasted, as people are told it: to the minute, below that to the second, rounded down.

    >>> [whole_duration(s) for s in (-3, 42.9, 445, 5400, 93_780)]
    ['0s', '42s', '7m', '1h30m', '1d2h3m']
    """
    whole = max(0, int(seconds))
    return format_duration(whole if whole < 60 else whole - whole % 60)


def compact_duration(seconds: float) -> str:
    """An age for a narrow column: one unit, rounded down, at most four characters up to 999 years.

    A negative age, which only clocks that disagree produce, reads ``0s``.

    >>> [compact_duration(s) for s in (0.4, 59, 185, 7300, 400_000, 3e7, 9e7)]
    ['0s', '59s', '3m', '2h', '4d', '347d', '2y']
    """
    for unit, length in (("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= (2 * length if unit == "y" else length):
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def _mistake(found: str, why: str) -> ValueError:
    shown = found if len(found) <= _SHOWN else found[:_SHOWN] + "…"
    return ValueError(
        f"{shown!r} is not a duration: {why}; write for example 30s, 5m, 1h30m or 250ms "
        "(units w, d, h, m, s, ms)"
    )
