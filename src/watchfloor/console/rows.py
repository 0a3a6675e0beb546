"""The rows of a table: which are shown, in which order, where the cursor is and what is marked. Pure: knows no widget.

The cursor stands on a key, not on a number: whatever comes, goes or moves, it stays on the row a person
chose. Only where a list follows its newest row does it stay at the top. Nothing here is done for each row when the
cursor moves; a filter looks through texts that are made once for each row, a slice at a time if whoever asks wants, and
only when a filter is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from watchfloor.console.filters import NOTHING, Fields, Query, searchable

R = TypeVar("R")


class Rows(Generic[R]):
    """Rows with a key, an order, a filter, a cursor and marks."""

    def __init__(self, key: Callable[[R], Hashable], *, follows: bool = False) -> None:
        """With `follows` the cursor stays on the newest row for as long as it is at the top."""
        self._key = key
        self._all: tuple[R, ...] = ()
        self._sorted: Sequence[R] = ()
        self._texts: list[str] | None = None
        self._shown: Sequence[R] = ()
        self._cursor: Hashable | None = None
        self._place = 0
        self._query = NOTHING
        self._keep: Callable[[R], bool] | None = None
        self._fields: Callable[[R], Fields] = lambda row: {}
        self._names: tuple[str, ...] = ()
        self._order: Callable[[R], Any] | None = None
        self._reverse = False
        self._follows = follows
        self.following = follows
        self.newest_held = True  # else the first row is not the newest there is, and nothing follows it
        self._marks: set[Hashable] = set()
        self._marked: list[R] | None = None  # None: to be looked for
        self._weave: Callable[[Sequence[R]], Sequence[R]] | None = None
        self.matching = 0
        """How many rows pass the filter, woven in ones not counted."""
        self._anchor: tuple[Hashable, int] | None = None

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
        if self._marks:
            self._marks &= {self._key(row) for row in self._all}
        self._sort()

    def set_fields(self, fields: Callable[[R], Fields], names: Iterable[str]) -> None:
        """What a filter looks through: the fields of a row, of those `names`."""
        known = tuple(sorted(names))
        if (fields, known) != (self._fields, self._names):
            self._fields, self._names, self._texts = fields, known, None

    def prepare(self, most: int | None = None) -> bool:
        """Make ready what a filter looks through, of `most` rows more; whether all of it is ready."""
        texts = [] if self._texts is None else self._texts
        end = len(self._sorted) if most is None else len(texts) + most
        texts += [searchable(self._fields(row), self._names) for row in self._sorted[len(texts) : end]]
        self._texts = texts
        return len(texts) == len(self._sorted)

    def set_filter(self, query: Query = NOTHING, keep: Callable[[R], bool] | None = None) -> None:
        """Show only the rows that meet `query` and that `keep` accepts."""
        self._query, self._keep = query, keep
        self._arrange()

    @property
    def woven(self) -> bool:
        """Whether rows of another kind stand between those that pass the filter, or some of these are folded."""
        return self._weave is not None

    def set_weave(self, weave: Callable[[Sequence[R]], Sequence[R]] | None) -> None:
        """Let `weave` put rows of its own between those that pass the filter, and leave out what is folded."""
        self._weave = weave
        self._arrange()

    def set_order(self, order: Callable[[R], Any] | None, *, reverse: bool = False) -> None:
        """Sort by `order`; None keeps the order in which the rows come."""
        self._order, self._reverse = order, reverse
        self._sort()

    def move_to(self, place: int) -> None:
        """Put the cursor on the nearest existing place; leaving the top ends following."""
        self._place = max(0, min(place, len(self._shown) - 1))
        self._cursor = self._key(self._shown[self._place]) if self._shown else None
        self.following = self._follows and self.newest_held and self._place == 0
        if self._anchor is not None:
            self._marked = None

    def select(self, key: Hashable) -> bool:
        """Put the cursor on the row with `key`; False where it is not shown."""
        place = self._find(key)
        if place is not None:
            self.move_to(place)
        return place is not None

    # Marks

    @property
    def marking(self) -> bool:
        """Whether a range is being drawn: it goes from where it began to the cursor."""
        return self._anchor is not None

    @property
    def has_marks(self) -> bool:
        """Whether rows are marked, shown or not."""
        return bool(self._marks)

    @property
    def marked(self) -> list[R]:
        """The marked rows among those that are shown, in order: what is hidden is not acted upon."""
        if not self._marks and self._anchor is None:
            return []
        if self._marked is None:
            self._marked = [row for place, row in enumerate(self._shown) if self.is_marked(place)]
        return self._marked

    def is_marked(self, place: int) -> bool:
        """Whether the shown row at `place` is marked, or in the range that is being drawn."""
        return place in self._range or (bool(self._marks) and self._key(self._shown[place]) in self._marks)

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away."""
        if self._shown and self._cursor is not None:
            self._marks ^= {self._cursor}
            self._marked = None

    def mark_range(self) -> None:
        """Begin a range at the cursor; the second time, mark all rows from there to the cursor."""
        if self._anchor is not None:
            self._marks |= {self._key(self._shown[place]) for place in self._range}
            self._anchor = None
        elif self._shown and self._cursor is not None:
            self._anchor = (self._cursor, self._place)
        self._marked = None

    def clear_marks(self) -> None:
        """No row is marked."""
        self._marks.clear()
        self._anchor = None

    @property
    def _range(self) -> range:
        if self._anchor is None or not self._shown:
            return range(0)
        ends = sorted((self._anchor[1], self._place))
        return range(ends[0], ends[1] + 1)

    # Order and filter

    def _sort(self) -> None:
        order = self._order
        before, texts = self._sorted, self._texts
        self._sorted = self._all if order is None else sorted(self._all, key=order, reverse=self._reverse)
        self._texts = None
        if texts and self._query.terms:  # most rows are those of the last reading
            ready = {id(row): text for row, text in zip(before, texts, strict=False)}
            self._texts = [
                ready.get(id(row)) or searchable(self._fields(row), self._names) for row in self._sorted
            ]
        self._arrange()

    def _arrange(self) -> None:
        shown = self._sorted
        if self._query.terms:
            self.prepare()
            shown = [self._sorted[place] for place in self._query.sift(self._texts or [], self._names)]
        keep = self._keep
        shown = shown if keep is None else [row for row in shown if keep(row)]
        self.matching = len(shown)
        self._shown = shown if self._weave is None else self._weave(shown)
        self._stand()

    def _stand(self) -> None:
        """The cursor and the beginning of a range stay on their keys."""
        self._marked = None
        place = 0 if self.following or self._cursor is None else self._find(self._cursor)
        self._place = max(0, min(self._place, len(self._shown) - 1)) if place is None else place
        self._cursor = self._key(self._shown[self._place]) if self._shown else self._cursor
        if self._anchor is not None:
            start = self._find(self._anchor[0])
            self._anchor = None if start is None else (self._anchor[0], start)

    def _find(self, key: Hashable) -> int | None:
        """Where the row with `key` is shown; near its former place is looked first."""
        of, shown = self._key, self._shown
        if self._place < len(shown) and of(shown[self._place]) == key:
            return self._place
        return next((place for place, row in enumerate(shown) if of(row) == key), None)
