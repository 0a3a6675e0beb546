"""What a long list holds of the store: the newest, and pages below them as far down as somebody looks.

It never asks how many rows there are, and never reads a page again on which nothing can change any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

R = TypeVar("R")
Row = TypeVar("Row", covariant=True)

PAGE = 200
MOST = 100 * PAGE
"""So many rows are held at most; older ones are found by narrower lists."""


class Ask(Protocol[Row]):
    """Reads the page of the rows before the one at the place `before`, or the newest."""

    async def __call__(self, before: Any | None) -> Sequence[Row]: ...


class Book(Generic[R]):
    """Rows newest first; what is between the newest and the oldest of them is all there.

    `place` is what the list is sorted by, the highest first: no two rows have the same. `ended` says of a row that it
    stays as it is.
    """

    def __init__(self, place: Callable[[R], Any], ended: Callable[[R], bool]) -> None:
        self.rows: list[R] = []
        self.at_oldest = False
        self._place, self._ended = place, ended
        self._pages = 0  # that somebody waits for
        self._seen: Any | None = None  # the place down to which rows that may change were looked at again

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be held."""
        return self.at_oldest or len(self.rows) >= MOST

    def want(self, pages: int = 1) -> bool:
        """Have so many older pages read the next time; False where there is none to be had."""
        if self.is_full or not self.rows:
            return False
        self._pages = max(self._pages, pages)
        return True

    async def read(self, ask: Ask[R]) -> Sequence[R]:
        """Read what may have changed, and the pages that are wanted; returns all that is held."""
        self._take_newest(await ask(None))
        await self._look_again(ask)
        while self._pages and not self.is_full:
            page = await ask(self._place(self.rows[-1]))
            self.rows = [*self.rows, *page]
            self.at_oldest = len(page) < PAGE
            self._pages -= 1
        self._pages = 0
        return self.rows

    def _take_newest(self, page: Sequence[R]) -> None:
        if len(page) < PAGE:
            self.rows, self.at_oldest = list(page), True
            return
        lowest = self._place(page[-1])
        if not self.rows or self._place(self.rows[0]) < lowest:  # there are rows between that nobody read
            self.rows, self.at_oldest = list(page), False
        else:
            self.rows = [*page, *self._below(self.rows, lowest)]

    async def _look_again(self, ask: Ask[R]) -> None:
        """Read one page again below the newest on which a row may have changed, each time another one."""
        going = [at for at in range(PAGE, len(self.rows)) if not self._ended(self.rows[at])]
        if not going:
            return
        seen = self._seen
        at = next(
            (each for each in going if seen is not None and self._place(self.rows[each]) < seen), going[0]
        )
        page = await ask(self._place(self.rows[at - 1]))
        self._seen = self._place(page[-1]) if page else None
        rest = [] if self._seen is None else self._below(self.rows[at:], self._seen)
        self.rows = [*self.rows[:at], *page, *rest]

    def _below(self, rows: Sequence[R], place: Any) -> list[R]:
        return [row for row in rows if self._place(row) < place]
