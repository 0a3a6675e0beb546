"""What is expected of a value that a query yields: one comparison, written as ``{gt: 100}``.

Pure. A value comes from a database as text; it is compared as a number where both sides are numbers.
"""

from __future__ import annotations

from math import isfinite

from pydantic import Field, model_validator

from watchfloor.config.base import Settings


class Comparison(Settings):
    """One comparison; exactly one of its keys is given."""

    eq: str | float | None = Field(None, description="Equal to this number or text.")
    ne: str | float | None = Field(None, description="Not equal to this number or text.")
    gt: float | None = Field(None, description="Greater than this number.")
    lt: float | None = Field(None, description="Less than this number.")
    gte: float | None = Field(None, description="Greater than this number or equal to it.")
    lte: float | None = Field(None, description="Less than this number or equal to it.")
    between: tuple[float, float] | None = Field(
        None, description="Between these two numbers, or equal to one of them."
    )
    contains: str | None = Field(None, min_length=1, description="Holding this text.")

    @model_validator(mode="after")
    def _is_one(self) -> Comparison:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of eq, ne, gt, lt, gte, lte, between and contains")
        if self.between is not None and self.between[0] > self.between[1]:
            raise ValueError("between is a list of the lesser and the greater number")
        return self

    def holds(self, value: str | None) -> bool:
        """Say whether it holds for a value as the database writes it; None stands for NULL.

        NULL is not equal to anything, and no number; what is no number is neither greater nor less than one.
        """
        if self.ne is not None:
            return not _equal(value, self.ne)
        if value is None:
            return False
        if self.eq is not None:
            return _equal(value, self.eq)
        if self.contains is not None:
            return self.contains in value
        number = as_number(value)
        if number is None:
            return False
        if self.between is not None:
            return self.between[0] <= number <= self.between[1]
        return (
            (self.gt is not None and number > self.gt)
            or (self.lt is not None and number < self.lt)
            or (self.gte is not None and number >= self.gte)
            or (self.lte is not None and number <= self.lte)
        )

    @property
    def words(self) -> str:
        """It in words: ``gt 100``, ``between 1 and 5``."""
        if self.between is not None:
            return f"between {self.between[0]:g} and {self.between[1]:g}"
        name, wanted = next((n, v) for n in type(self).model_fields if (v := getattr(self, n)) is not None)
        return f"{name} {wanted:g}" if isinstance(wanted, float) else f"{name} {wanted!r}"


def as_number(value: str | None) -> float | None:
    """Return the number a database means: digits as usual, or its words for true and false; None if none."""
    if value is None or len(value) > 400:
        return None
    if value in ("t", "true", "f", "false"):
        return float(value.startswith("t"))
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) and "_" not in value else None


def _equal(value: str | None, wanted: str | float) -> bool:
    if value is None:
        return False
    if isinstance(wanted, float):
        return as_number(value) == wanted
    return value == wanted or (as_number(wanted) is not None and as_number(value) == as_number(wanted))
