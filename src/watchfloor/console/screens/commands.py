"""Help and the command line: two looks at what can be done, both of which run what they list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from watchfloor.console.action import Context, Scope
from watchfloor.console.commands import Command, Mistake, completions, matching, named, parse
from watchfloor.console.format import Moment
from watchfloor.console.keys import actions_for, shown_keys
from watchfloor.console.line import Line, clean
from watchfloor.console.screens.dialogs import BREAKPOINTS, DialogFooter, Say, spare
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.table import Column, Table
from watchfloor.console.widgets.words import Words

if TYPE_CHECKING:
    from watchfloor.console.screens.orders import Orders
    from watchfloor.console.screens.room import Room


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be run. `why` says why it cannot be now; `line` is what it is in the command line."""

    id: str
    keys: str
    label: str
    help: str
    why: str | None = None
    line: str = ""
    more: bool = False  # it needs more words than the line has

    @property
    def haystack(self) -> str:
        """What the search looks into."""
        return f"{self.label} {self.help} {self.keys}".casefold()

    @property
    def says(self) -> str:
        """What it does, or why it cannot do it now."""
        return f"not now: {self.why}" if self.why else self.help


def _keys(entry: Entry, moment: Moment, cells: int) -> Line:
    return ((entry.keys, "muted" if entry.why else "key"),)


def _label(entry: Entry, moment: Moment, cells: int) -> Line:
    return ((clean(entry.label), "muted" if entry.why else "title"),)


def _help(entry: Entry, moment: Moment, cells: int) -> Line:
    return ((clean(entry.says), "muted" if entry.why else "text"),)


class Choices(Table[Entry], inherit_bindings=False):
    """The list in the box."""

    ground: ClassVar[str] = "panel"


class Picker(ActionHost, ModalScreen[None], inherit_bindings=False):
    """A list of entries with a line to search in; what the chosen one does stands under it in full."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.PICKER,)
    TITLE: ClassVar[str | None] = "Keys of this screen"
    VERB: ClassVar[str] = "run"
    """What enter does with what is chosen."""
    HEADS: ClassVar[tuple[str, str, str]] = ("ACTION", "KEY", "WHAT IT DOES")
    """What the columns hold; one without a head is not there."""
    CELLS: ClassVar[tuple[int, int]] = (14, 8)
    """The least room the first two columns need to tell one entry from another."""
    VERTICAL_BREAKPOINTS = BREAKPOINTS
    DEFAULT_CSS: ClassVar[str] = """
    Picker { align: center top; background: transparent; }
    Picker #box {
        width: 100; max-width: 100%; height: 24; max-height: 100%; margin-top: 1;
        background: $wf-panel; border: round $wf-accent; padding: 0 1;
    }
    Picker TextLine { width: 1fr; }
    Picker #more { min-height: 2; }
    Picker.-low .spare, Picker.-tiny .spare, Picker.-tiny .detail { display: none; }
    Picker.-low #more, Picker.-tiny #more { min-height: 1; }
    Picker.-low #box { margin-top: 0; }
    Picker.-tiny #box { border: none; padding: 0; margin-top: 0; }
    """

    def __init__(self, room: Room, search: str = "") -> None:
        super().__init__()
        self._room, self._search = room, search

    def entries(self, search: str) -> list[Entry]:
        """What is listed for what is typed."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        label, keys, help_ = self.HEADS
        columns = (
            Column(title=label, cell=_label, width=self.CELLS[0], grow=2, limit=30),
            Column(title=keys, cell=_keys, width=self.CELLS[1], grow=1, limit=14, rank=1),
            Column(title=help_, cell=_help, width=12, grow=6, rank=2),
        )
        table = Choices([each for each in columns if each.title], lambda entry: entry.id, id="entries")
        table.can_focus = False
        with Vertical(id="box"):
            yield Say(((self.TITLE or "", "title"),), classes="detail")
            yield from self.typing()
            yield spare()
            yield table
            yield Words(id="more", limit=5)
            yield DialogFooter(lambda: self.SCOPES, self.context)

    def typing(self) -> ComposeResult:
        """The line to type in."""
        yield TextLine(self._search, placeholder="type to search")

    def on_mount(self) -> None:
        if not self.never_made:
            self._list(self._search)

    @property
    def table(self) -> Choices:
        """The list."""
        return self.query_one(Choices)

    @property
    def line(self) -> TextLine:
        """Where words are typed."""
        return self.query_one(TextLine)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._list(event.value)

    @on(Table.Moved)
    def _moved(self, event: Table.Moved) -> None:
        event.stop()
        self._explain()

    @on(Table.Chosen)
    def _clicked_twice(self, event: Table.Chosen) -> None:
        event.stop()
        self.do_run()

    def on_resize(self, event: events.Resize) -> None:
        if not self.never_made:
            self._explain()

    def _list(self, search: str) -> None:
        self.table.set_rows(self.entries(search), (("Nothing is called that.", "muted"),))
        self.table.move_to(0)
        self._explain()

    def _explain(self) -> None:
        """Say in full what the chosen entry does: the list may have room for a part of it only."""
        entry = self.table.selected
        role = "text" if entry is not None and entry.why is None else "muted"
        self.query_one("#more", Words).say("" if entry is None else clean(entry.says), role)

    def context(self) -> Context:
        return Context(row=True, verb=self.VERB)

    def do_next_choice(self) -> None:
        self.table.move(1)

    def do_previous_choice(self) -> None:
        self.table.move(-1)

    def do_choices_down(self) -> None:
        self.table.move(self.table.page)

    def do_choices_up(self) -> None:
        self.table.move(-self.table.page)

    def do_cancel(self) -> None:
        self.dismiss(None)

    def do_run(self) -> None:
        raise NotImplementedError


class HelpPicker(Picker):
    """Every key of the present screen."""

    def entries(self, search: str) -> list[Entry]:
        context, words = self._room.context(), search.casefold().split()
        found = [
            Entry(
                action.id,
                shown_keys(action),
                action.label_in(context),
                action.help,
                action.why_disabled(context),
            )
            for action in actions_for(self._room.scopes())
        ]
        found = [entry for entry in found if all(word in entry.haystack for word in words)]
        label = " ".join(words)
        return sorted(found, key=lambda entry: bool(label) and not entry.label.casefold().startswith(label))

    def do_run(self) -> None:
        entry = self.table.selected
        if entry is not None:
            self.dismiss(None)
            self._room.call_after_refresh(self._room.action_run, entry.id)


class CommandLine(Picker):
    """A line to type a command in, with what it may become below, and the commands before it above.

    `enter` runs what is typed where that is a command, else what is chosen.
    """

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.COMMAND,)
    TITLE: ClassVar[str | None] = "Commands"

    def __init__(self, room: Room, search: str = "") -> None:
        from watchfloor.console.screens.orders import Orders

        super().__init__(room, search)
        self._orders: Orders = Orders(room, self._more_is_known)
        self._back = 0  # how many commands back in the history the line is
        self._recalled: str | None = None

    def typing(self) -> ComposeResult:
        yield TextLine(self._search, placeholder="a command, or words to find one by")

    def entries(self, search: str) -> list[Entry]:
        command = named(search)
        if command is not None and " " in search.lstrip() and command.argument is not None:
            found = completions(search, self._orders.values)
            entries = [Entry(line, "", line, meaning or command.help, line=line) for line, meaning in found]
            return entries or [replace(self._entry(command), line=search)]
        return [self._entry(command) for command in matching(search)]

    def _entry(self, command: Command) -> Entry:
        action, room = command.action, self._room
        why, keys, label = None, "", command.usage.removeprefix(":")
        if action is not None:
            here = action.scopes & set(room.scopes())
            keys = shown_keys(action)
            why = action.why_disabled(room.context()) if here else "this screen has nothing for it"
        more = command.argument is not None and command.argument.needed
        return Entry(
            command.name, keys, label, command.help, None if more else why, line=command.name, more=more
        )

    def _more_is_known(self) -> None:
        if self.is_current:
            self._list(self.line.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if event.value != self._recalled:
            self._back, self._recalled = 0, None
        self._list(event.value)

    def _write(self, line: str) -> None:
        self.line.value = line
        self.line.cursor_position = len(line)

    def do_complete(self) -> None:
        entry = self.table.selected
        if entry is not None:
            named_only = " " not in entry.line
            self._write(f"{entry.line} " if named_only else entry.line)

    def do_previous_choice(self) -> None:
        if self._back or self.table.rows.place == 0:
            self._recall(self._back + 1)
        else:
            super().do_previous_choice()

    def do_next_choice(self) -> None:
        if self._back:
            self._recall(self._back - 1)
        else:
            super().do_next_choice()

    def _recall(self, back: int) -> None:
        """Write the command so many before; the line is empty where that is none."""
        history = self._room.console_app.history
        if back <= len(history):
            self._back = back
            self._recalled = history[-back] if back else ""
            self._write(self._recalled)

    def do_run(self) -> None:
        typed, entry = self.line.value.strip(), self.table.selected
        chosen = entry is not None and self.table.rows.place > 0
        if not typed and not chosen:
            self.dismiss(None)
            return
        if entry is not None and (chosen or (named(typed) is None and " " not in typed)):
            typed = entry.line
            if entry.more:
                self.do_complete()
                return
        try:
            plan = self._orders.plan(parse(typed))
        except Mistake as mistake:
            self.query_one("#more", Words).say(clean(str(mistake)), "failing")
            return
        self._room.console_app.remember_command(typed)
        self.dismiss(None)
        self._room.call_after_refresh(plan)
