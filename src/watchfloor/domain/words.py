"""Words that depend on a number."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 5
"""So many of several things are named before something is done to them."""


def grouped(number: int) -> str:
    """A number in groups of three digits.

    >>> grouped(1200) == "1 200"
    True
    """
    return f"{number:,}".replace(",", " ")  # a narrow gap reads calmer than a comma


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun, as in ``1 alert`` and ``1 200 alerts``."""
    noun = one if number == 1 else many or one + "s"
    return f"{grouped(number)} {noun}"


def named(names: Sequence[str]) -> list[str]:
    """The first of several names, and how many more there are.

    >>> named(["a", "b", "c", "d", "e", "f", "g"])[-2:]
    ['e', 'and 2 more']
    """
    more = len(names) - NAMED
    return [*names[:NAMED], *([f"and {more} more"] if more > 0 else [])]
