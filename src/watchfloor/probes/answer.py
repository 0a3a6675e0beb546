"""What a statement yields, whichever database it was sent to."""

from __future__ import annotations

from dataclasses import dataclass, field

ROW_LIMIT = 1000
"""How many rows of one answer are read; the rest is not."""

HELD_LIMIT = 1024 * 1024
"""How much of the values of one answer is kept, in bytes."""


@dataclass(slots=True)
class Answer:
    """Columns and rows, values as text (None for NULL), or how many rows were touched; ``cut``: there were more."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    affected: int = 0
    cut: bool = False
