"""Handing alerts over: the question to whom, with everybody there is and who is on call now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from watchfloor.console.action import Scope
from watchfloor.console.line import Line, clean
from watchfloor.console.screens.dialogs import Dialog, Say, spare
from watchfloor.console.screens.several import Subject, heading, named
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.words import Words
from watchfloor.domain.duty_boards import PersonRow
from watchfloor.domain.words import count

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp

SHOWN = 7
"""So many people are on the screen at a time."""
NAME = 22


class HandOverDialog(Dialog[str], inherit_bindings=False):
    """Asks to whom alerts are handed over; who was told cannot be untold."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.DIALOG, Scope.CHOICE)
    grave: ClassVar[bool] = True

    def __init__(self, subjects: Sequence[Subject], people: Sequence[PersonRow]) -> None:
        super().__init__(heading("Hand over", subjects))
        self._subjects, self._people = subjects, people
        self._chosen = 0
        self._lines = [Say() for _ in range(min(SHOWN, len(people)))]
        self._more = Words("", "muted", limit=1, classes="detail")

    def questions(self) -> ComposeResult:
        yield from named(self._subjects)
        yield Words(
            "To whom? They are told now, or when their quiet hours end. Choose, or type a part of the name.",
            classes="detail",
        )
        yield spare()
        yield TextLine()
        yield from self._lines
        yield self._more

    def begin(self) -> None:
        self._show()

    @property
    def _matching(self) -> list[PersonRow]:
        typed = self.query_one(TextLine).value.strip().casefold()
        return [person for person in self._people if typed in person.name.casefold()]

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._chosen = 0
        self._show()

    def _show(self) -> None:
        people = self._matching
        top = max(0, min(self._chosen - SHOWN // 2, len(people) - SHOWN))
        for place, line in enumerate(self._lines, top):
            line.say(_line(people[place], chosen=place == self._chosen) if place < len(people) else ())
        hidden = len(people) - len(self._lines)
        self._more.say(f"and {count(hidden, 'other')}" if hidden > 0 else "", "muted")

    def _choose(self, step: int) -> None:
        self._chosen = (self._chosen + step) % max(1, len(self._matching))
        self._show()

    def do_next_choice(self) -> None:
        self._choose(1)

    def do_previous_choice(self) -> None:
        self._choose(-1)

    def answer(self) -> str | None:
        people = self._matching
        if not people:
            self.complain("Nobody is called that: the people are those of the config file.")
            return None
        return people[self._chosen].name


def _line(person: PersonRow, *, chosen: bool) -> Line:
    words = (
        "away now" if person.away else f"on call now: {', '.join(person.on_call)}" if person.on_call else ""
    )
    role = "degraded" if person.away else "ok"
    return (
        (f" {clean(person.name):<{NAME}} ", "choice" if chosen else "text"),
        (f" {clean(words)}", role),
    )


def ask_to_hand_over(
    app: WatchfloorApp, subjects: Sequence[Subject], done: Callable[[str | None], None]
) -> None:
    """Ask to whom, of all people there are; says what to do where there is nobody."""

    def opened(people: Sequence[PersonRow]) -> None:
        if people:
            app.push_screen(HandOverDialog(subjects, people), done)
        else:
            words = "nobody to hand over to: define people in the config file (docs/oncall.md)"
            app.say(((words, "degraded"),))

    app.ask(app.reader.people, opened)
