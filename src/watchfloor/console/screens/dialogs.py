"""Small questions over the present screen: acknowledge, resolve, change or reset a setting.

Each is a box with a line to type in or a choice; `enter` does what the title says, `esc` does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from watchfloor.console.action import Context, Scope
from watchfloor.console.format import span
from watchfloor.console.keys import key_of
from watchfloor.console.line import EMPTY, Line, clean, clip_line, plain, says, width
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.screens.several import Subject, heading, named
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.footer import Footer
from watchfloor.console.widgets.lines import Bar
from watchfloor.console.widgets.words import LOW, Words
from watchfloor.domain import settings as definitions
from watchfloor.domain.boards import SettingRow

A = TypeVar("A")

SUGGESTED_NOTE = "on it"
COMMON_NOTES = ("known, being worked on", "waiting for the provider", "planned work", "false alarm")
NOTES_OFFERED = 6


class Say(Bar):
    """A line of words in a dialog."""

    ground: ClassVar[str] = "panel"

    def __init__(self, line: Line = EMPTY, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.words = line

    def say(self, line: Line) -> None:
        """Say something else."""
        self.words = line
        self.renew()

    def content(self, cells: int) -> Line:
        return clip_line(self.words, cells)


class Choice(Bar):
    """Some words of which one is chosen; where they have not room beside each other, that one alone."""

    ground: ClassVar[str] = "panel"

    def __init__(self, words: Sequence[str], chosen: Callable[[], int]) -> None:
        super().__init__()
        self._words, self._chosen = words, chosen

    def content(self, cells: int) -> Line:
        chosen = self._chosen()
        line: Line = tuple(
            (f" {word} ", "choice" if index == chosen else "text") for index, word in enumerate(self._words)
        )
        return line if width(line) <= cells else says(f" {self._words[chosen]} ", "choice")


class DialogFooter(Footer):
    """The keys of a dialog, on its own ground."""

    ground: ClassVar[str] = "panel"


ROOMY = 14
"""Below this height a dialog goes without blank lines and without the names of its fields."""

BREAKPOINTS = [(0, "-tiny"), (LOW, "-low"), (ROOMY, "-roomy")]


class Dialog(ActionHost, ModalScreen[A | None], Generic[A], inherit_bindings=False):
    """A box in the middle of the screen. Subclasses add its lines and give an answer.

    A `grave` one does what cannot be taken back: it does not take an answer that was typed before anybody can
    have read it, such as keys that come all at once from a line that hung.
    """

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.DIALOG,)
    VERTICAL_BREAKPOINTS = BREAKPOINTS
    grave: ClassVar[bool] = False
    DEFAULT_CSS: ClassVar[str] = """
    Dialog { align: center middle; background: transparent; }
    Dialog #box {
        width: 66; max-width: 100%; height: auto; max-height: 100%;
        background: $wf-panel; border: round $wf-accent; padding: 0 1;
    }
    Dialog Say, Dialog DialogFooter, Dialog TextLine { width: 100%; }
    Dialog.-full .spare, Dialog.-low .spare, Dialog.-tiny .spare, Dialog.-tiny .detail { display: none; }
    Dialog.-fuller .names { display: none; }
    Dialog.-fuller #box, Dialog.-tiny #box { border: none; padding: 0; }
    """

    def __init__(self, title: Line) -> None:
        super().__init__()
        self._title = plain(title)
        self._shown_at: float | None = None
        self._box = Vertical(id="box")

    def compose(self) -> ComposeResult:
        with self._box:
            yield Words(self._title, "title", limit=2)
            yield spare()
            yield from self.questions()
            yield Words(id="answer")
            yield spare()
            yield DialogFooter(lambda: self.SCOPES, self.context)

    def on_mount(self) -> None:
        if not self.never_made:
            self.call_after_refresh(self._shown)
            self.begin()

    def begin(self) -> None:
        """What is to be done once it is there."""

    def _shown(self) -> None:
        self._shown_at = monotonic()

    def on_resize(self) -> None:
        self.remove_class("-full", "-fuller")
        self.call_after_refresh(self._make_room)

    def _make_room(self) -> None:
        """Go without what is spare, then without the frame, where the last line, of the keys, would be cut off."""
        if self._box.virtual_size.height > self._box.size.height and not self.has_class("-fuller"):
            self.add_class("-fuller" if self.has_class("-full") else "-full")
            self.call_after_refresh(self._make_room)

    def questions(self) -> ComposeResult:
        """What is asked."""
        yield from ()

    def answer(self) -> A | None:
        """What the person decided; None keeps the dialog open (after saying why)."""
        raise NotImplementedError

    def complain(self, words: str) -> None:
        """Say what is wrong with the answer."""
        self.query_one("#answer", Words).say(words, "failing")
        self.call_after_refresh(self._make_room)

    def context(self) -> Context:
        return Context(row=True)

    def do_confirm(self) -> None:
        if self.grave and not self._was_read:
            self.complain(f"That came before the question was on the screen: {key_of('confirm')} again.")
            return
        answer = self.answer()
        if answer is not None:
            self.dismiss(answer)

    @property
    def _was_read(self) -> bool:
        """Whether the question has been on the screen for long enough."""
        return self._shown_at is not None and monotonic() - self._shown_at >= self.console_app.grace

    def do_cancel(self) -> None:
        self.dismiss(None)


def spare(words: str = "") -> Say:
    """A blank line or the name of a field, which a low terminal goes without."""
    return Say(says(words, "muted") if words else EMPTY, classes="spare")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer of `AcknowledgeDialog`; `lasts` None means until resolved. A `sticky` one survives what gets worse."""

    note: str
    lasts: timedelta | None
    sticky: bool

    @property
    def until(self) -> str:
        """How long, in words."""
        if self.lasts is None:
            return "until it is resolved" if self.sticky else "until it is resolved or gets worse"
        return f"for {short(self.lasts)}{', even if it gets worse' if self.sticky else ''}"


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
    """A note and an end; both have a suggestion, so that enter is enough.

    What lasts until it is resolved survives a rise of severity, what has an end does not, unless the person says.
    Other notes are offered: those written last about what is like `alerts`, then common ones.
    """

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.DIALOG, Scope.CHOICE, Scope.NOTES, Scope.ACKNOWLEDGING)

    def __init__(self, what: str, alerts: Sequence[int], lasts: timedelta, note: str = "") -> None:
        super().__init__(says(f"Acknowledge {clean(what)}", "title"))
        hours = {timedelta(hours=1), timedelta(hours=4), timedelta(hours=24), lasts}
        self._choices: list[timedelta | None] = [*sorted(hours), None]
        self._chosen = self._choices.index(lasts)
        self._words = ["until resolved" if lasts is None else short(lasts) for lasts in self._choices]
        self._note, self._alerts = note, alerts
        self._offered: Sequence[str] = ()
        self._next = 0
        self._notes = Words("", "muted", limit=3, classes="spare detail")
        self._wants_sticky: bool | None = None
        self._rise = Say(classes="detail")

    def questions(self) -> ComposeResult:
        yield spare("Note")
        yield TextLine(self._note, placeholder=SUGGESTED_NOTE)
        yield self._notes
        yield spare()
        yield spare("Until")
        yield Choice(self._words, lambda: self._chosen)
        yield self._rise

    def begin(self) -> None:
        self._say_rise()
        self._offer(())
        app = self.console_app
        app.ask(lambda: app.reader.suggested_notes(self._alerts), self._offer)

    def _offer(self, written: Sequence[str]) -> None:
        self._offered = list(dict.fromkeys([*written, *COMMON_NOTES]))[:NOTES_OFFERED]
        self._next = 0
        self._notes.say(f"{key_of('next_note')}: {' · '.join(map(clean, self._offered))}", "muted")

    def do_next_note(self) -> None:
        line = self.query_one(TextLine)
        line.value = self._offered[self._next]
        line.cursor_position = len(line.value)
        self._next = (self._next + 1) % len(self._offered)

    def _choose(self, step: int) -> None:
        self._chosen = (self._chosen + step) % len(self._choices)
        self.query_one(Choice).renew()
        self._say_rise()

    def do_next_choice(self) -> None:
        self._choose(1)

    def do_previous_choice(self) -> None:
        self._choose(-1)

    def answer(self) -> Acknowledgement:
        note = self.query_one(TextLine).value.strip()
        return Acknowledgement(note or SUGGESTED_NOTE, self._choices[self._chosen], self._sticky)

    @property
    def _sticky(self) -> bool:
        return self._choices[self._chosen] is None if self._wants_sticky is None else self._wants_sticky

    def do_toggle_sticky(self) -> None:
        self._wants_sticky = not self._sticky
        self._say_rise()

    def _say_rise(self) -> None:
        words = "A rise of severity does not end it." if self._sticky else "A rise of severity ends it."
        self._rise.say(((f"{key_of('sticky')}: ", "muted"), (words, "accent" if self._sticky else "muted")))


class AcknowledgeManyDialog(AcknowledgeDialog, inherit_bindings=False):
    """The same for several alerts at once: it says how many of each kind, and names the first of them."""

    def __init__(self, what: str, names: Sequence[str], alerts: Sequence[int], lasts: timedelta) -> None:
        super().__init__(what, alerts, lasts)
        self._names = names

    def questions(self) -> ComposeResult:
        for name in self._names:
            yield Words(clean(name), "muted", limit=1, classes="detail")
        yield spare()
        yield from super().questions()


class ResolveDialog(Dialog[str]):
    """Closes alerts by hand: what fired may still be wrong, so it says what that means."""

    grave: ClassVar[bool] = True

    def __init__(self, subjects: Sequence[Subject], note: str = "") -> None:
        super().__init__(heading("Resolve", subjects))
        self._subjects, self._note = subjects, note

    def questions(self) -> ComposeResult:
        yield from named(self._subjects)
        words = "Closes one alert. It comes back only after its cause was gone once."
        if len(self._subjects) > 1:
            words = f"Closes all {len(self._subjects)}. Each comes back only after its cause was gone once."
        yield Words(words, classes="detail")
        yield spare()
        yield spare("Note")
        yield TextLine(self._note, placeholder="resolved by hand")

    def answer(self) -> str:
        return self.query_one(TextLine).value.strip() or "resolved by hand"


class ChangeDialog(Dialog[tuple[object]]):
    """Asks for the value of a setting and judges it as it is confirmed; the answer is a tuple of one value."""

    grave: ClassVar[bool] = True

    def __init__(self, row: SettingRow, wanted: str | None = None) -> None:
        super().__init__((("Change ", "muted"), (clean(row.key), "title")))
        self._row = row
        self._before = clean(shown_setting(row, row.value))
        self._wanted = self._before if wanted is None else wanted

    def questions(self) -> ComposeResult:
        setting = definitions.get(self._row.key)
        default = shown_setting(self._row, self._row.default)
        yield Words(self._row.description, classes="detail")
        yield Words(f"allowed: {definitions.allowed(setting)}", "muted", classes="detail")
        yield Words(f"now: {self._before}, default: {default}", "muted", classes="detail")
        yield spare()
        yield TextLine(self._wanted)

    def answer(self) -> tuple[object] | None:
        typed = self.query_one(TextLine).value
        if typed.strip() == self._before:
            self.complain(f"It is {self._before} already: type another value.")
            return None
        try:
            return (definitions.parse(definitions.get(self._row.key), typed),)
        except ValueError as mistake:
            self.complain(str(mistake))
            return None


class UnlockDialog(Dialog[bool]):
    """Unlocks the console for whoever types the word; a cat on the keys does not."""

    WORD: ClassVar[str] = "unlock"

    def __init__(self) -> None:
        super().__init__(says("Unlock this console", "title"))

    def questions(self) -> ComposeResult:
        yield Words(f"Nothing can be changed from here while it is locked. Type {self.WORD} to end that.")
        yield spare()
        yield TextLine(placeholder=self.WORD)

    def answer(self) -> bool | None:
        if self.query_one(TextLine).value.strip().casefold() == self.WORD:
            return True
        self.complain(f"Type {self.WORD}, or {key_of('cancel')} to leave it locked.")
        return None


class ConfirmDialog(Dialog[bool]):
    """Asks before something that cannot be taken back; names what and how many."""

    grave: ClassVar[bool] = True

    def __init__(self, title: Line, words: Sequence[str]) -> None:
        super().__init__(title)
        self._words = words

    def questions(self) -> ComposeResult:
        for words in self._words:
            yield Words(words)

    def answer(self) -> bool:
        return True


def shown_setting(row: SettingRow, value: object) -> str:
    """A setting's value as a person would type it; settings of another version are shown as they are."""
    try:
        setting = definitions.get(row.key)
        return definitions.shown(setting, definitions.validate(setting, value))
    except ValueError:
        return str(value)
