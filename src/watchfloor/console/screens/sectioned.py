"""A room of several tables, one at a time: its sections stand beside each other in the summary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

from watchfloor.console.action import Scope
from watchfloor.console.filters import Fields
from watchfloor.console.keys import bindings_for
from watchfloor.console.line import Line, Piece, Span
from watchfloor.console.screens.board import BoardRoom
from watchfloor.console.widgets.table import Column, Table


class Part(Protocol):
    """What a room needs to know of a section to show it."""

    @property
    def name(self) -> str: ...
    @property
    def noun(self) -> str: ...
    @property
    def columns(self) -> Sequence[Column[Any]]: ...
    @property
    def empty(self) -> str: ...
    def key(self, row: Any, /) -> Hashable: ...
    def fields(self, row: Any, /) -> Fields: ...
    def is_fault(self, row: Any, /) -> bool: ...


class SectionedRoom(BoardRoom[Any], inherit_bindings=False):
    """Several tables. Subclasses give the sections, and read the rows of the one on the screen."""

    def __init__(self) -> None:
        self._place = 0
        self.parts: Sequence[Part] = self.make_parts()
        super().__init__()

    def make_parts(self) -> Sequence[Part]:
        """The sections of this room, the first one on the screen."""
        raise NotImplementedError

    def make_table(self, place: int) -> Table[Any]:
        """The table of the section at `place`."""
        part = self.parts[place]
        return Table(part.columns, part.key, id="body" if place == 0 else f"section-{place}")

    def section_left(self) -> None:
        """The section on the screen is about to make room for another."""

    def own_scopes(self) -> Sequence[Scope]:
        """Whose keys work only in the section on the screen."""
        return ()

    @property
    def part(self) -> Part:
        """The section on the screen."""
        return self.parts[self._place]

    @property
    def table(self) -> Table[Any]:
        return self.tables[self._place]

    def make_tables(self) -> Sequence[Table[Any]]:
        tables = [self.make_table(place) for place in range(len(self.parts))]
        for place, table in enumerate(tables):
            table.display = place == 0
            table.add_class("section")
        return tables

    def scopes(self) -> Sequence[Scope]:
        found = super().scopes()
        return (*found, *self.own_scopes()) if found is self.SCOPES else found

    def rebind(self) -> None:
        self._bindings = bindings_for((*self.SCOPES, *self.own_scopes()))

    def keep(self) -> dict[str, object]:
        return {**super().keep(), "section": self.part.name}

    def restore(self, kept: Mapping[str, object]) -> None:
        section = kept.get("section")
        names = [part.name for part in self.parts]
        if section in names and section != self.part.name:
            self._turn_to(names.index(str(section)))
        super().restore(kept)

    def columns(self) -> Sequence[Column[Any]]:
        return self.part.columns

    def key(self, row: Any) -> Hashable:
        return self.part.key(row)

    def fields(self, row: Any) -> Fields:
        return self.part.fields(row)

    def is_fault(self, row: Any) -> bool:
        return self.part.is_fault(row)

    def empty(self) -> Line:
        return ((self.part.empty, "muted"),)

    def noun(self) -> str:
        return self.part.noun

    def names(self) -> Sequence[str]:
        room = self.tab().capitalize()
        return (room, self.part.name) if self._place else (room,)  # the first section is the room itself

    def pieces(self) -> Sequence[Piece]:
        def form(words: Sequence[str]) -> Line:
            spans: list[Span] = []
            for place, word in enumerate(words):
                spans.append((f" {word} ", "choice" if place == self._place else "text"))
            if self._place < len(words) - 1:
                spans[-1] = (f" {words[-1]}", "text")  # what comes next keeps its distance by itself
            return tuple(spans)

        names = [part.name for part in self.parts]
        alone: Line = ((f" {self.part.name} ", "choice"), (f" {self._place + 1} of {len(names)}", "muted"))
        return [Piece((form(names), alone, alone[:1]), 6, stiff=True)]

    def do_next_section(self) -> None:
        self.go_on(1)

    def do_previous_section(self) -> None:
        self.go_on(-1)

    def go_on(self, step: int) -> None:
        """Go so many sections on."""
        self._go_to((self._place + step) % len(self.parts))

    def show_first_section(self) -> None:
        """Go to the first section, if another one is on the screen."""
        if self._place:
            self._go_to(0)

    def show_section(self, name: str) -> None:
        """Go to the section of this name."""
        self._go_to([part.name for part in self.parts].index(name))

    def _go_to(self, place: int) -> None:
        self.section_left()
        self._turn_to(place)
        self.filter_text, self.faults_only = "", False
        self._apply_filter()
        self.look_again()

    def _turn_to(self, place: int) -> None:
        self.table.display = False
        self._place = place
        self._read = bool(self.table.rows.all)
        self.table.display = True
        self.table.focus()
        self.rebind()
