"""Small questions over the present screen: acknowledge, resolve, change or reset a setting.

Each is a box with a line to type in or a choice; `enter` does what the title says, `esc` does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from watchfloor.console.action import Context, Scope
from watchfloor.console.format import span
from watchfloor.console.line import EMPTY, Line, clean, clip_line
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.footer import Footer
from watchfloor.console.widgets.lines import Bar
from watchfloor.domain import settings as definitions
from watchfloor.domain.boards import SettingRow

A = TypeVar("A")

SUGGESTED_NOTE = "on it"


class Say(Bar):
    """A line of words in a dialog."""

    ground: ClassVar[str] = "panel"

    def __init__(self, line: Line = EMPTY, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.words = line

    def say(self, line: Line) -> None:
        """Say something else."""
        self.words = line
        self.renew()

    def content(self, cells: int) -> Line:
        return clip_line(self.words, cells)


class DialogFooter(Footer):
    """The keys of a dialog, on its own ground."""

    ground: ClassVar[str] = "panel"


class Dialog(ActionHost, ModalScreen[A | None], Generic[A], inherit_bindings=False):
    """A box in the middle of the screen. Subclasses add its lines and give an answer."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.DIALOG,)
    DEFAULT_CSS: ClassVar[str] = """
    Dialog { align: center middle; background: transparent; }
    Dialog #box {
        width: 66; max-width: 100%; height: auto; max-height: 100%;
        background: $wf-panel; border: round $wf-accent; padding: 0 1;
    }
    Dialog Say, Dialog DialogFooter, Dialog TextLine { width: 100%; }
    """

    def __init__(self, title: Line) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Say(self._title)
            yield Say()
            yield from self.questions()
            yield Say(id="answer")
            yield DialogFooter(lambda: self.SCOPES, self.context)

    def questions(self) -> ComposeResult:
        """What is asked."""
        yield from ()

    def answer(self) -> A | None:
        """What the person decided; None keeps the dialog open (after saying why)."""
        raise NotImplementedError

    def complain(self, words: str) -> None:
        """Say what is wrong with the answer."""
        self.query_one("#answer", Say).say(((clean(words), "failing"),))

    def context(self) -> Context:
        return Context(row=True)

    def do_confirm(self) -> None:
        answer = self.answer()
        if answer is not None:
            self.dismiss(answer)

    def do_cancel(self) -> None:
        self.dismiss(None)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer of `AcknowledgeDialog`; `lasts` None means until resolved."""

    note: str
    lasts: timedelta | None

    @property
    def until(self) -> str:
        """How long, in words."""
        return "until it is resolved" if self.lasts is None else f"for {short(self.lasts)}"


def short(lasts: timedelta) -> str:
    """A length of time in one unit where that is exact.

    >>> short(timedelta(hours=24)), short(timedelta(minutes=90))
    ('24 h', '1h 30m')
    """
    seconds = int(lasts.total_seconds())
    if seconds % 3600 == 0:
        return f"{seconds // 3600} h"
    return f"{seconds // 60} min" if seconds % 60 == 0 and seconds < 3600 else span(seconds)


class AcknowledgeDialog(Dialog[Acknowledgement], inherit_bindings=False):
    """A note and an end; both have a suggestion, so that enter is enough."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.DIALOG, Scope.CHOICE)

    def __init__(self, alert_id: int, title: str, lasts: timedelta) -> None:
        super().__init__((("Acknowledge ", "muted"), (f"#{alert_id} ", "key"), (clean(title), "title")))
        hours = {timedelta(hours=1), timedelta(hours=4), timedelta(hours=24), lasts}
        self._choices: list[timedelta | None] = [*sorted(hours), None]
        self._chosen = self._choices.index(lasts)

    def questions(self) -> ComposeResult:
        yield Say((("Note", "muted"),))
        yield TextLine(placeholder=SUGGESTED_NOTE)
        yield Say()
        yield Say((("Until", "muted"), ("   ↑ ↓ chooses", "muted")))
        yield Say(self._choice_line(), id="choices")

    def _choice_line(self) -> Line:
        words = ["until resolved" if lasts is None else short(lasts) for lasts in self._choices]
        return tuple(
            (f" {word} ", "choice" if index == self._chosen else "text") for index, word in enumerate(words)
        )

    def _choose(self, step: int) -> None:
        self._chosen = (self._chosen + step) % len(self._choices)
        self.query_one("#choices", Say).say(self._choice_line())

    def do_next_choice(self) -> None:
        self._choose(1)

    def do_previous_choice(self) -> None:
        self._choose(-1)

    def answer(self) -> Acknowledgement:
        note = self.query_one(TextLine).value.strip()
        return Acknowledgement(note or SUGGESTED_NOTE, self._choices[self._chosen])


class ResolveDialog(Dialog[str]):
    """Closes an alert by hand: what fired may still be wrong, so it says what that means."""

    def __init__(self, alert_id: int, title: str) -> None:
        super().__init__((("Resolve ", "muted"), (f"#{alert_id} ", "key"), (clean(title), "title")))

    def questions(self) -> ComposeResult:
        yield Say((("Closes one alert. It comes back only after its cause was gone once.", "text"),))
        yield Say()
        yield Say((("Note", "muted"),))
        yield TextLine(placeholder="resolved by hand")

    def answer(self) -> str:
        return self.query_one(TextLine).value.strip() or "resolved by hand"


class ChangeDialog(Dialog[tuple[object]]):
    """Asks for the value of a setting and judges it as it is confirmed; the answer is a tuple of one value."""

    def __init__(self, row: SettingRow) -> None:
        super().__init__((("Change ", "muted"), (clean(row.key), "title")))
        self._row = row

    def questions(self) -> ComposeResult:
        setting = definitions.get(self._row.key)
        yield Say(((clean(self._row.description), "text"),))
        yield Say((("allowed: ", "muted"), (clean(definitions.allowed(setting)), "text")))
        yield Say((("default: ", "muted"), (clean(shown_setting(self._row, self._row.default)), "text")))
        yield Say()
        yield TextLine(clean(shown_setting(self._row, self._row.value)))

    def answer(self) -> tuple[object] | None:
        try:
            return (definitions.parse(definitions.get(self._row.key), self.query_one(TextLine).value),)
        except ValueError as mistake:
            self.complain(str(mistake))
            return None


class ConfirmDialog(Dialog[bool]):
    """Asks before something that cannot be taken back; names what and how many."""

    def __init__(self, title: Line, words: Sequence[str]) -> None:
        super().__init__(title)
        self._words = words

    def questions(self) -> ComposeResult:
        for words in self._words:
            yield Say(((clean(words), "text"),))

    def answer(self) -> bool:
        return True


def shown_setting(row: SettingRow, value: object) -> str:
    """A setting's value as a person would type it; settings of another version are shown as they are."""
    try:
        setting = definitions.get(row.key)
        return definitions.shown(setting, definitions.validate(setting, value))
    except ValueError:
        return str(value)
