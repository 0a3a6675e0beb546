"""What the Logs room holds of the store: a window of records without holes that slides both ways. Pure.

It never holds more than `MOST` records: pages that are far from what somebody looks at are dropped and read again
by key when they are wanted. It never asks how many records there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from watchfloor.console.filters import Query, parse
from watchfloor.console.glyphs import level
from watchfloor.domain.boards import LogRow
from watchfloor.store.logs import LogFilter, LogTerm

PAGE = 300
MOST = 5 * PAGE
FIELDS = frozenset({"channel", "node", "level", "text"})

Key = tuple[datetime, int]
BEGINNING: Key = (datetime(1970, 1, 1, tzinfo=UTC), 0)
"""Before every record."""


def key(row: LogRow) -> Key:
    """What identifies a record and orders it."""
    return row.at, row.id


def question(text: str, severity: int) -> LogFilter:
    """What the filter line and the least severity ask of the store."""
    query = parse(text, FIELDS)
    terms = (
        LogTerm(term.text, term.field, term.without, term.fuzzy, _severities(place, query))
        for place, term in enumerate(query.terms)
    )
    return LogFilter(severity=severity, terms=tuple(terms))


def _severities(place: int, query: Query) -> tuple[int, ...]:
    """The severities whose word has the text of a term."""
    term = query.terms[place]
    if term.field not in ("", "level"):
        return ()
    found = term.pattern.search if term.fuzzy else None
    words = ((number, level(number).word) for number in range(1, 25))
    return tuple(number for number, word in words if (found(word) if found else term.text in word))


class Logbook:
    """Records newest first; what is between the newest and the oldest of them is all there."""

    def __init__(self) -> None:
        self.rows: list[LogRow] = []
        self.at_newest = True
        self.at_oldest = False

    @property
    def whole(self) -> bool:
        """Whether it holds every record there is."""
        return self.at_newest and self.at_oldest

    @property
    def first(self) -> Key | None:
        """The key of the newest record held."""
        return key(self.rows[0]) if self.rows else None

    @property
    def last(self) -> Key | None:
        """The key of the oldest record held."""
        return key(self.rows[-1]) if self.rows else None

    def open(self, rows: Sequence[LogRow], *, at_newest: bool, at_oldest: bool) -> None:
        """Hold these records and no others."""
        self.rows, self.at_newest, self.at_oldest = list(rows), at_newest, at_oldest

    def newest(self, page: Sequence[LogRow]) -> None:
        """Take the newest page. If it does not reach down to what is held, what is held is dropped."""
        short = len(page) < PAGE
        if page and self.rows and key(self.rows[0]) >= key(page[-1]) and not short:
            older = [row for row in self.rows if key(row) < key(page[-1])]
            self.open([*page, *older], at_newest=True, at_oldest=self.at_oldest)
            self._drop_oldest()
        else:
            self.open(page, at_newest=True, at_oldest=short)

    def older(self, page: Sequence[LogRow]) -> None:
        """Take the page that follows the oldest record held; what is far above is dropped."""
        self.rows.extend(page)
        self.at_oldest = len(page) < PAGE
        if len(self.rows) > MOST:
            del self.rows[: len(self.rows) - MOST]
            self.at_newest = False

    def newer(self, page: Sequence[LogRow]) -> None:
        """Take the page that comes before the newest record held; what is far below is dropped."""
        self.rows[:0] = page
        self.at_newest = len(page) < PAGE
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        if len(self.rows) > MOST:
            del self.rows[MOST:]
            self.at_oldest = False
