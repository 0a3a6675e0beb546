"""Help and command palette: two looks at the table of actions, both of which run what they list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from watchfloor.console.action import Context, Scope
from watchfloor.console.format import Moment
from watchfloor.console.keys import actions_for, shown_keys
from watchfloor.console.line import Line, clean
from watchfloor.console.screens.dialogs import DialogFooter, Say
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.table import Column, Table

if TYPE_CHECKING:
    from watchfloor.console.screens.room import Room


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be run. `why` says why it cannot be now."""

    id: str  # of an action, or ``theme:name``
    keys: str
    label: str
    group: str
    help: str
    why: str | None = None

    @property
    def haystack(self) -> str:
        """What the search looks into."""
        return f"{self.label} {self.group} {self.help} {self.keys}".casefold()


def _keys(entry: Entry, moment: Moment, cells: int) -> Line:
    return ((entry.keys, "muted" if entry.why else "key"),)


def _label(entry: Entry, moment: Moment, cells: int) -> Line:
    return ((clean(entry.label), "muted" if entry.why else "title"),)


def _help(entry: Entry, moment: Moment, cells: int) -> Line:
    if entry.why:
        return ((f"not now: {clean(entry.why)}", "muted"),)
    return ((entry.help, "text"),)


class Choices(Table[Entry], inherit_bindings=False):
    """The list in the box."""

    ground: ClassVar[str] = "panel"


class Picker(ActionHost, ModalScreen[None], inherit_bindings=False):
    """A list of entries with a line to search in."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.PICKER,)
    TITLE: ClassVar[str | None] = "Commands"
    DEFAULT_CSS: ClassVar[str] = """
    Picker { align: center top; background: transparent; }
    Picker #box {
        width: 100; max-width: 100%; height: 24; max-height: 100%; margin-top: 1;
        background: $wf-panel; border: round $wf-accent; padding: 0 1;
    }
    Picker TextLine { width: 100%; margin-bottom: 1; }
    """

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room

    def entries(self) -> list[Entry]:
        """What is listed."""
        context, scopes = self._room.context(), self._room.scopes()
        return [
            Entry(
                action.id,
                shown_keys(action),
                action.label_in(context),
                action.group,
                action.help,
                action.why_disabled(context),
            )
            for action in actions_for(scopes)
        ]

    def compose(self) -> ComposeResult:
        columns = (
            Column(title="KEY", cell=_keys, width=10, grow=1, limit=14),
            Column(title="ACTION", cell=_label, width=16, grow=1, limit=24),
            Column(title="WHAT IT DOES", cell=_help, width=20, grow=6),
        )
        table = Choices(columns, lambda entry: entry.id, id="entries")
        table.can_focus = False
        with Vertical(id="box"):
            yield Say((((self.TITLE or "") + "   ", "title"), ("type to search", "muted")))
            yield TextLine()
            yield table
            yield DialogFooter(lambda: self.SCOPES, self.context)

    def on_mount(self) -> None:
        self._list("")

    @property
    def table(self) -> Choices:
        """The list."""
        return self.query_one(Choices)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._list(event.value)

    def _list(self, search: str) -> None:
        words = search.casefold().split()
        found = [entry for entry in self.entries() if all(word in entry.haystack for word in words)]
        label = " ".join(words)
        found.sort(key=lambda entry: (not entry.label.casefold().startswith(label)) if label else False)
        self.table.set_rows(found, (("No action is called that.", "muted"),))
        self.table.move_to(0)

    def context(self) -> Context:
        return Context(row=True)

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
        entry, room = self.table.selected, self._room
        if entry is None:
            return
        self.dismiss(None)
        if entry.id.startswith("theme:"):
            room.console_app.choose_theme(entry.id.removeprefix("theme:"))
        else:
            room.call_after_refresh(room.action_run, entry.id)


class HelpPicker(Picker):
    """Every key of the present screen."""

    TITLE: ClassVar[str | None] = "Keys of this screen"


class CommandPicker(Picker):
    """Actions, and whatever else has a name: themes."""

    def entries(self) -> list[Entry]:
        app = self.console_app
        themes = [
            Entry(f"theme:{name}", "", f"theme {name}", "Themes", "Use this theme and remember it.")
            for name in app.themes.names()
        ]
        return [*super().entries(), *themes]
