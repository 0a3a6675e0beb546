"""Words that depend on a number."""

from __future__ import annotations

from collections.abc import Sequence

FULL = 1e15
"""Beyond this nobody counts digits."""

NAMED = 5
"""So many of several things are named before something is done to them."""


def grouped(number: int) -> str:
    """A number in groups of three digits.

    >>> grouped(1200) == "1 200"
    True
    """
    return f"{number:,}".replace(",", " ")  # a narrow gap reads calmer than a comma


def figure(value: float) -> str:
    """A measured value as people read it: six digits are enough, and a great one stands in full.

    >>> figure(0.5), figure(98.7654321), figure(10_737_418_240.0) == "10 737 418 240"
    ('0.5', '98.7654', True)
    """
    short = f"{value:g}"
    return grouped(round(value)) if "e+" in short and abs(value) < FULL else short


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun, as in ``1 alert`` and ``1 200 alerts``."""
    noun = one if number == 1 else many or one + "s"
    return f"{grouped(number)} {noun}"


def out_of_reach(behind: int) -> str:
    """How many services are out of reach because of one, in words; empty for none.

    >>> out_of_reach(1)
    '1 service is out of reach behind it'
    """
    verb = "is" if behind == 1 else "are"
    return f"{count(behind, 'service')} {verb} out of reach behind it" if behind else ""


def named(names: Sequence[str]) -> list[str]:
    """The first of several names, and how many more there are.

    >>> named(["a", "b", "c", "d", "e", "f", "g"])[-2:]
    ['e', 'and 2 more']
    """
    more = len(names) - NAMED
    return [*names[:NAMED], *([f"and {more} more"] if more > 0 else [])]
