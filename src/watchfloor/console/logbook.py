"""What the Logs room holds: the newest records and as many older ones as somebody scrolled to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.console.filters import parse
from watchfloor.domain.boards import LogRow
from watchfloor.store.logs import LogFilter

PAGE = 300
MOST = 6_000
FIELDS = frozenset({"channel", "node", "level", "text"})


def key(row: LogRow) -> tuple[datetime, int]:
    """What identifies a record and orders it."""
    return row.at, row.id


def question(text: str, severity: int) -> LogFilter:
    """The part of a filter that the database can answer; the rest is left to the table."""
    terms = [term for term in parse(text, FIELDS).terms if not (term.without or term.fuzzy)]
    channel = next((term.text for term in terms if term.field == "channel"), "")
    words = next((term.text for term in terms if term.field in ("", "text")), "")
    return LogFilter(severity=severity, channel=channel, text=words)


class Logbook:
    """Records newest first, without holes: what is between the newest and the oldest is all there."""

    def __init__(self) -> None:
        self.rows: list[LogRow] = []
        self.complete = False

    def clear(self) -> None:
        """Forget everything: another question is asked."""
        self.rows = []
        self.complete = False

    def newest(self, page: Sequence[LogRow]) -> None:
        """Take the newest page. If it does not reach down to what is held, what is held is dropped."""
        if not page:
            self.rows, self.complete = [], True
            return
        oldest = key(page[-1])
        if self.rows and key(self.rows[0]) >= oldest:
            older = [row for row in self.rows if key(row) < oldest]
            self.rows = [*page, *older][:MOST]
        else:
            self.rows = list(page)
            self.complete = len(page) < PAGE

    def older(self, page: Sequence[LogRow]) -> None:
        """Take the page that follows the oldest record held."""
        self.rows.extend(page)
        self.complete = len(page) < PAGE or len(self.rows) >= MOST

    @property
    def last(self) -> tuple[datetime, int] | None:
        """The key of the oldest record held."""
        return key(self.rows[-1]) if self.rows else None
