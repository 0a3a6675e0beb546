"""The rows of a table: which are shown, in which order, and where the cursor is. Pure: knows no widget.

The cursor stands on a key, not on a number: whatever comes, goes or moves, it stays on the row a person
chose. Only where a list follows its newest row does it stay at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Rows(Generic[R]):
    """Rows with a key, an order, a filter and a cursor."""

    def __init__(self, key: Callable[[R], Hashable], *, follows: bool = False) -> None:
        """With `follows` the cursor stays on the newest row for as long as it is at the top."""
        self._key = key
        self._all: tuple[R, ...] = ()
        self._shown: list[R] = []
        self._places: dict[Hashable, int] = {}
        self._cursor: Hashable | None = None
        self._place = 0
        self._keep: Callable[[R], bool] | None = None
        self._order: Callable[[R], Any] | None = None
        self._reverse = False
        self._follows = follows
        self.following = follows

    @property
    def all(self) -> Sequence[R]:
        """Every row, shown or not, as it was given."""
        return self._all

    @property
    def shown(self) -> Sequence[R]:
        """The rows that pass the filter, in order."""
        return self._shown

    @property
    def place(self) -> int:
        """Where the cursor is among the shown rows; 0 where there are none."""
        return self._place

    @property
    def selected(self) -> R | None:
        """The row under the cursor."""
        return self._shown[self._place] if self._shown else None

    @property
    def selected_key(self) -> Hashable | None:
        """The key of the row under the cursor."""
        return self._cursor if self._shown else None

    def set(self, rows: Iterable[R]) -> None:
        """Take new rows; the cursor stays on its key, or on its place when the key is gone."""
        self._all = tuple(rows)
        self._arrange()

    def set_filter(self, keep: Callable[[R], bool] | None) -> None:
        """Show only the rows that `keep` accepts; None shows all."""
        self._keep = keep
        self._arrange()

    def set_order(self, order: Callable[[R], Any] | None, *, reverse: bool = False) -> None:
        """Sort by `order`; None keeps the order in which the rows come."""
        self._order, self._reverse = order, reverse
        self._arrange()

    def move_to(self, place: int) -> None:
        """Put the cursor on the nearest existing place; leaving the top ends following."""
        self._place = max(0, min(place, len(self._shown) - 1))
        self._cursor = self._key(self._shown[self._place]) if self._shown else None
        self.following = self._follows and self._place == 0

    def select(self, key: Hashable) -> bool:
        """Put the cursor on the row with `key`; False where it is not shown."""
        if key not in self._places:
            return False
        self.move_to(self._places[key])
        return True

    def _arrange(self) -> None:
        rows = self._all if self._keep is None else filter(self._keep, self._all)
        self._shown = (
            list(rows) if self._order is None else sorted(rows, key=self._order, reverse=self._reverse)
        )
        self._places = {self._key(row): place for place, row in enumerate(self._shown)}
        if self.following:
            self._place = 0
        elif self._cursor in self._places:
            self._place = self._places[self._cursor]
        else:
            self._place = max(0, min(self._place, len(self._shown) - 1))
        self._cursor = self._key(self._shown[self._place]) if self._shown else self._cursor
