"""Words that depend on a number."""

from __future__ import annotations


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
