"""The Alerts room: what needs somebody, what was, what is kept quiet and what was told; one section at a time.

What is in a section is the business of `alert_sections`; on wide screens the selected row stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.book import Book
from watchfloor.console.draw.uptime import proportions
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.screens.acts import AlertActs, ask_to_acknowledge_many
from watchfloor.console.screens.alert_sections import SECTIONS
from watchfloor.console.screens.alert_sections.active import Active
from watchfloor.console.screens.alert_sections.history import History
from watchfloor.console.screens.alert_sections.section import AlertSection
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.paged import PagedRoom
from watchfloor.console.screens.replaying import DeliveryActs
from watchfloor.console.screens.rule import RuleActs
from watchfloor.console.screens.sectioned import SectionedRoom
from watchfloor.console.screens.settings import row_lines
from watchfloor.console.screens.several import Subject
from watchfloor.console.screens.silencing import SilenceActs
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.screens.travel import Travels
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.summary_strip import plain_rule
from watchfloor.console.widgets.table import Table
from watchfloor.domain.boards import AlertRow, SentRow


class AlertsRoom(
    AlertActs,
    SilenceActs,
    DeliveryActs,
    RuleActs,
    Travels,
    PagedRoom,
    SectionedRoom,
    inherit_bindings=False,
):
    """The sections, each with the keys of its own; `H` goes to what was, and back."""

    ROOM: ClassVar[str] = "alerts"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS),
        *(Scope.PAST, Scope.SECTIONS, Scope.ALERT_ROOM),
    )
    TRAVELS: ClassVar[bool] = True
    TOPICS: ClassVar[frozenset[str]] = frozenset().union(*(section.topics for section in SECTIONS))
    FIELDS: ClassVar[frozenset[str]] = frozenset().union(*(section.searched for section in SECTIONS))

    def __init__(self) -> None:
        super().__init__()
        self._found: tuple[object, Any] | None = None  # the section and what it read of the selected row
        self.rebind()

    @classmethod
    def places(cls) -> Iterable[tuple[Scope, ...]]:
        return [(*cls.SCOPES, *section.scopes) for section in SECTIONS]

    def restore(self, kept: Mapping[str, object]) -> None:
        """What is open begins with the gravest: neither a cursor nor a filter of an earlier run stands before it."""
        if kept.get("section", Active.name) == Active.name:
            kept = {name: each for name, each in kept.items() if name not in ("cursor", "filter", "faults")}
        super().restore(kept)

    def make_parts(self) -> Sequence[AlertSection]:
        return [section() for section in SECTIONS]

    def make_table(self, place: int) -> Table[Any]:
        part = self.parts[place]
        assert isinstance(part, AlertSection)
        return Table(
            part.columns,
            part.key,
            order=part.order(),
            names=part.names,
            id="body" if place == 0 else f"section-{place}",
        )

    @property
    def section(self) -> AlertSection:
        """The section on the screen."""
        part = self.part
        assert isinstance(part, AlertSection)
        return part

    @property
    def book(self) -> Book[Any] | None:
        return self.section.book if self.console_app.wanted is None else None

    def own_scopes(self) -> Sequence[Scope]:
        return self.section.scopes

    # The table

    async def read_rows(self) -> Sequence[Any]:
        section = self.section
        if section.travels and (section.book is None or self.console_app.wanted is not None):
            return await self.read(section.read_boards)
        self.journey = self.console_app.wanted
        return [] if self.journey is not None else await section.read(self.console_app.reader)

    def grade(self, row: Any) -> Grade:
        return self.section.grade(row)

    def empty(self) -> Line:
        if self.journey is None:
            return self.section.notice(self.console_app.status)
        words = "No alert was open then." if self.section.travels else f"{self.section.name} show only now."
        return says(words, "muted")

    def pieces(self) -> Sequence[Piece]:
        pieces = [*super().pieces(), *self.section.pieces(self.table.rows.all), *self.further()]
        if self.journey is not None and isinstance(self.section, Active):
            words = ("those that never fired are not kept", "only what fired")
            pieces.append(Piece(tuple(says(each, "muted") for each in words), rank=0))
        return pieces

    def rule(self, cells: int) -> Line:
        parts = self.section.bar(self.table.rows.all)
        return proportions(parts, cells) if parts else plain_rule(cells)

    def context(self) -> Context:
        marked = self.table.rows.marked if self._marking else ()
        return self.section.context(super().context(), self.selected, marked)

    def do_open(self) -> None:
        row = self.selected
        if row is None:
            return
        screen = self.section.opens(row)
        name = clean(str(self.key(row)))
        self.app.push_screen(screen or TextRoom("alerts", name, lambda m, cells: row_lines(row, m, cells)))

    def do_toggle_history(self) -> None:
        self.show_section(Active.name if isinstance(self.section, History) else History.name)

    # Alerts that are marked or shown

    def marked_subjects(self) -> Sequence[Subject]:
        return _subjects(self.table.rows.marked)

    def marks_used(self) -> None:
        self.do_clear_marks()

    def do_acknowledge_all(self) -> None:
        subjects = [each for each in _subjects(self.table.rows.shown) if each.state == "firing"]
        if subjects:
            ask_to_acknowledge_many(self.console_app, subjects, self.do_clear_marks)
        else:
            self.console_app.say((("acknowledge all: no alert that is shown is firing", "degraded"),))

    def letters(self, *, shown: bool) -> Sequence[SentRow]:
        rows = self.table.rows.shown if shown else self.table.rows.marked
        return [row for row in rows if isinstance(row, SentRow) and row.state == "dead"]

    def alert_title(self) -> str:
        return self.selected.title if isinstance(self.selected, AlertRow) else ""

    # Beside the list

    async def read_beside(self) -> None:
        section, row = self.section, self.selected
        if row is None:
            self._found = None
        else:
            self._found = section, await self.read(lambda boards: section.read_beside(boards, row))

    def beside(self) -> Maker:
        row, section, found = self.selected, self.section, self._found
        if row is None or found is None or found[0] is not section:
            return lambda cells: []
        return section.beside(row, found[1], self.console_app.moment)


def _subjects(rows: Sequence[Any]) -> list[Subject]:
    alerts = [row for row in rows if isinstance(row, AlertRow)]
    return [Subject(row.id, row.title, row.severity.word, row.state) for row in alerts]
