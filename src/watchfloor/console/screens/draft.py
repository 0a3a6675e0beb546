"""What a person fills in: the fields of a form as a list, typed on a line below it or in a text of several lines.

Every habit of lists works here: `/` finds a field, `z` shows only what is wrong, `e` goes to the next mistake. It must
never save anything: that is the business of whoever made the form.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from watchfloor.config.forms import FormField, Shape, as_text, from_text, value_at, with_value
from watchfloor.config.problems import Problem
from watchfloor.console.action import Context, Scope
from watchfloor.console.filters import Fields
from watchfloor.console.line import Piece, clean, says
from watchfloor.console.screens.board import BoardRoom
from watchfloor.console.screens.dialogs import Dialog, spare
from watchfloor.console.views.form import COLUMNS, FormRow, about, form_rows
from watchfloor.console.widgets.entry import LONGEST, EntryBar, EntryLine, LinesArea
from watchfloor.console.widgets.pane import Pane
from watchfloor.console.widgets.table import Column
from watchfloor.console.widgets.words import Words
from watchfloor.domain.words import count

ABOUT_LINES = 4


class LinesDialog(Dialog[str], inherit_bindings=False):
    """Several lines of text, judged as they are taken."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.LINES,)
    DEFAULT_CSS: ClassVar[str] = """
    LinesDialog #box { width: 96; }
    """
    AUTO_FOCUS: ClassVar[str | None] = "LinesArea"

    def __init__(self, field: FormField, text: str) -> None:
        super().__init__(says(field.name, "title"))
        self._field, self._text = field, text

    def questions(self) -> ComposeResult:
        words = {Shape.LIST: "One item on each line.", Shape.MAPPING: 'On each line "key: value".'}
        yield Words(words.get(self._field.shape, self._field.description), "muted", classes="detail")
        yield spare()
        yield LinesArea(self._text, placeholder=self._field.allowed)

    def answer(self) -> str | None:
        text = self.query_one(LinesArea).text
        try:
            from_text(self._field, text)
        except ValueError as mistake:
            self.complain(str(mistake))
            return None
        return text


class DraftRoom(BoardRoom[FormRow], inherit_bindings=False):
    """Fields and what they hold. Subclasses say what they are, and hear of every change."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.LIST, Scope.FORM)
    NOUN: ClassVar[str] = "field"
    FIELDS: ClassVar[frozenset[str]] = frozenset({"field", "group", "text"})
    DEFAULT_CSS: ClassVar[str] = """
    DraftRoom #about { height: 4; border-top: solid $wf-border; }
    DraftRoom.-low #about { display: none; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-roomy")]

    def __init__(self) -> None:
        super().__init__()
        self.entry_bar = EntryBar()
        self._typed_into: FormField | None = None
        self.about_pane = Pane(id="about")
        self.about_pane.can_focus = False

    # For subclasses

    def form_fields(self) -> Sequence[FormField]:
        """The fields."""
        raise NotImplementedError

    def values(self) -> Mapping[str, Any]:
        """What they hold."""
        raise NotImplementedError

    def saved(self) -> Mapping[str, Any]:
        """What they held when they were saved last."""
        raise NotImplementedError

    def problems(self) -> Sequence[Problem]:
        """What is wrong with what they hold."""
        raise NotImplementedError

    def theirs(self) -> Mapping[str, str]:
        """What somebody else made of a field meanwhile, by its name."""
        return {}

    def readonly(self) -> str:
        """Why they can only be looked at; empty: they can be filled in."""
        raise NotImplementedError

    def filled(self, values: Mapping[str, Any]) -> None:
        """Take what they hold from now on."""
        raise NotImplementedError

    async def judge_again(self) -> None:
        """Judge what the fields hold now."""
        raise NotImplementedError

    # The list

    def body(self) -> ComposeResult:
        yield from self.tables
        yield self.about_pane
        yield self.filter_bar
        yield self.entry_bar

    def place(self) -> None:
        """What is filled in is nowhere else yet."""

    async def read_rows(self) -> Sequence[FormRow]:
        return form_rows(
            self.form_fields(),
            self.values(),
            saved=self.saved(),
            problems=self.problems(),
            theirs=self.theirs(),
            adds=not self.readonly(),
        )

    def columns(self) -> Sequence[Column[FormRow]]:
        return COLUMNS

    def key(self, row: FormRow) -> Hashable:
        return row.key

    def fields(self, row: FormRow) -> Fields:
        text = f"{row.name} {row.field.description}".casefold()
        return {"field": row.name.casefold(), "group": row.field.group.casefold(), "text": text}

    def is_fault(self, row: FormRow) -> bool:
        return bool(row.problem)

    def is_hit(self, row: FormRow) -> bool:
        return bool(self.filter_text) or bool(row.problem or row.theirs)

    def show_rows(self, rows: Sequence[FormRow]) -> None:
        super().show_rows(rows)
        self._tell_about()

    def selected_changed(self) -> None:
        self._tell_about()

    def _tell_about(self) -> None:
        row = self.selected
        self.about_pane.show(lambda cells: about(row, cells)[:ABOUT_LINES])

    def show(self) -> None:
        super().show()
        self._tell_about()

    def context(self) -> Context:
        row = self.selected
        if row is None:
            return replace(super().context(), readonly=self.readonly())
        choice = row.field.shape is Shape.CHOICE and row.entry is None
        verb = "add" if row.adds else "next choice" if choice else "edit"
        return replace(
            super().context(),
            field=row.name,
            filled=row.value is not None,
            entry=self._entry_of(row),
            choices=choice,
            verb=verb,
            readonly=self.readonly(),
        )

    def scopes(self) -> Sequence[Scope]:
        return (Scope.ENTRY,) if isinstance(self.focused, EntryLine) else super().scopes()

    # Filling in

    def do_fill(self) -> None:
        row = self.selected
        if row is None:
            return
        if row.entry is not None:
            self._open_entry(row)
        elif row.field.shape is Shape.CHOICE:
            self.do_next_option()
        else:
            self._type(row)

    def _type(self, row: FormRow) -> None:
        text = as_text(row.field, row.value)
        if row.field.shape is not Shape.TEXT or "\n" in text or len(text) > LONGEST:
            self.do_fill_lines()
            return
        self.status_bar.display = False
        hint = row.field.default or row.field.allowed
        self._typed_into = row.field
        self.entry_bar.open(row.name, text, hint, secret=row.field.secret)
        self.renew_bars()

    def do_fill_lines(self) -> None:
        row = self.selected
        if row is None:
            return
        if row.field.shape is Shape.TEXT and row.field.literal:
            field = replace(row.field, shape=Shape.BLOCK)
        else:
            field = row.field
        value = value_at(self.values(), field.path)

        def done(text: str | None) -> None:
            if text is not None:
                self.set_value(field.path, from_text(field, text))

        self.app.push_screen(LinesDialog(field, as_text(field, value)), done)

    def _open_entry(self, row: FormRow) -> None:
        if row.entry is not None:
            self.app.push_screen(self.entry_room(row.field, row.entry))

    def entry_room(self, field: FormField, entry: int) -> DraftRoom:
        """The form of one entry of a list."""
        from watchfloor.console.screens.form import EntryRoom

        return EntryRoom(self, field, entry)

    def set_value(self, path: tuple[str, ...], value: Any) -> None:
        """Fill a field in; None empties it."""
        self.filled(with_value(self.values(), path, value))

    def do_next_option(self) -> None:
        self._option(1)

    def do_previous_option(self) -> None:
        self._option(-1)

    def _option(self, step: int) -> None:
        row = self.selected
        if row is None:
            return
        choices = row.field.choices
        present = as_text(row.field, row.value) or row.field.default
        place = choices.index(present) + step if present in choices else 0 if step > 0 else len(choices) - 1
        self.set_value(row.field.path, from_text(row.field, choices[place % len(choices)]))

    def do_empty_field(self) -> None:
        row = self.selected
        if row is None:
            return
        if row.entry is None:
            self.set_value(row.field.path, None)
            return
        entries = list(value_at(self.values(), row.field.path) or ())
        del entries[row.entry]
        self.set_value(row.field.path, entries or None)

    def _entry_of(self, row: FormRow) -> tuple[int, int]:
        """The place of a line in its list of entries and their number; zeros where it is none of them."""
        if row.entry is None or row.adds:
            return 0, 0
        return row.entry + 1, len(value_at(self.values(), row.field.path))

    def do_entry_down(self) -> None:
        self._shift_entry(1)

    def do_entry_up(self) -> None:
        self._shift_entry(-1)

    def _shift_entry(self, step: int) -> None:
        """Change places with a neighbour; the cursor goes along."""
        row = self.selected
        if row is None or row.entry is None:
            return
        entries = list(value_at(self.values(), row.field.path))
        entries.insert(row.entry + step, entries.pop(row.entry))
        self.table.select(replace(row, entry=row.entry + step).key)
        self.set_value(row.field.path, entries)

    def do_try_it(self) -> None:
        """Never called here: the table says what can be tested."""

    # The line of a field

    @on(Input.Changed, "EntryLine")
    def _entry_typed(self, event: Input.Changed) -> None:
        event.stop()
        self.entry_bar.hide_secret()

    def do_take_entry(self) -> None:
        field = self._typed_into  # whatever the cursor is on meanwhile
        if field is not None:
            self.set_value(field.path, from_text(field, self.entry_bar.line.value))
        self.do_drop_entry()

    def do_drop_entry(self) -> None:
        self.entry_bar.close()
        self.status_bar.display = not self.is_short
        self.table.focus()
        self.renew_bars()

    def do_take_and_next(self) -> None:
        self._take_and_go(1)

    def do_take_and_previous(self) -> None:
        self._take_and_go(-1)

    def _take_and_go(self, step: int) -> None:
        self.do_take_entry()
        place = self.table.rows.place
        self.table.move(step)
        row = self.selected
        if row is not None and self.table.rows.place != place and row.field.shape is Shape.TEXT:
            self._type(row)


def summary_pieces(changes: int, problems: Sequence[Problem]) -> list[Piece]:
    """How far a form has come, and what is wrong with it as a whole."""
    pieces = []
    if problems:
        words = count(len(problems), "mistake")
        whole = next((each.message for each in problems if not each.path), "")
        long = f"✘ {words}: {clean(whole)}" if whole else f"✘ {words}"
        pieces.append(Piece((says(long, "failing"), says(f"✘ {words}", "failing")), 10 if whole else 7))
    if changes:
        pieces.append(Piece((says(f"{count(changes, 'field')} not saved", "accent"),), 6))
    return pieces
