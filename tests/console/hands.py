"""A witness of everything that keys do, and the judgement whether they may have done it.

Between the console and its operator stands a `Witness`: no operation passes without it. What an operation changes
counts as a fault unless

- it changes nothing but looks or asks for a check (`HARMLESS`);
- or it is an undo that was on offer;
- or it can be taken back: an undo was registered with it, and it concerns one thing only;
- or a grave question, or one that names how many, was confirmed by a later key than the one that opened it.

An operation that joins the console later is judged the same way without being named here.
"""

from __future__ import annotations

import inspect
import string
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from watchfloor.console.actions import ACTIONS, BY_ID
from watchfloor.console.app import WatchfloorApp
from watchfloor.console.reader import Operator
from watchfloor.console.screens.dialogs import Dialog

HARMLESS = frozenset({"check_now", "try_service", "save_preference", "look"})
"""Changes nothing but what is remembered about looks, or asks for a check."""
KEPT_KEYS = 40
"""So many of the last keys are told with a fault."""
CONFIRMS = 4
"""The key that confirms comes so many times as often as another one, else few questions would be answered."""


def keys_to_press() -> list[str]:
    """Every key of the table, and characters that are in none of its rows."""
    return sorted({key for action in ACTIONS for key in action.keys} | set(string.ascii_letters))


def hot_keys() -> list[str]:
    """The keys of actions that change something, of those that lead to them, and the one that confirms."""
    leads = {"alerts", "health", "settings", "jobs", "confirm", "cancel", "down", "undo"}
    found = sorted({key for action in ACTIONS if action.writes or action.id in leads for key in action.keys})
    return [*found, *[key for key in BY_ID["confirm"].keys for _ in range(CONFIRMS)]]


@dataclass
class Question:
    """A dialog that stood on the screen: with which key it came, and with which it was confirmed."""

    name: str
    grave: bool
    opened: int
    confirmed: int = 0


@dataclass(frozen=True)
class Deed:
    """What the console was asked to do: taken back by what, asked by whom."""

    undo: bool = False
    taking_back: bool = False
    question: Question | None = None


_question: ContextVar[Question | None] = ContextVar("question", default=None)
_taking_back: ContextVar[bool] = ContextVar("taking_back", default=False)
_deed: ContextVar[Deed | None] = ContextVar("deed", default=None)


class Hands:
    """What keys did in one console, judged as it happens."""

    def __init__(self) -> None:
        self.app: WatchfloorApp | None = None
        self.faults: list[str] = []
        self.did: Counter[str] = Counter()
        self.confirmed = 0
        self.left = 0
        self.recent: list[str] = []

    def watch(self, app: WatchfloorApp) -> None:
        """Stand behind a console: learn which question led to which operation. Leaving it is only counted."""
        self.app = app
        app.leave = self._leave  # type: ignore[method-assign]
        app.push_screen = partial(self._push, app.push_screen)  # type: ignore[method-assign]
        app.operate = partial(self._operate, app.operate)  # type: ignore[method-assign]
        app.take_back = partial(self._take_back, app.take_back)  # type: ignore[method-assign]

    def _leave(self, because: str = "") -> None:
        self.left += 1  # leaving the view destroys nothing; these hands go on

    @property
    def _stroke(self) -> int:
        return self.app.turns.count if self.app else 0

    def _push(self, push: Callable[..., Any], screen: Any, callback: Any = None, **more: Any) -> Any:
        if not isinstance(screen, Dialog) or callback is None:
            return push(screen, callback, **more)
        question = Question(type(screen).__name__, screen.grave, self._stroke)
        dismiss = screen.dismiss

        def dismissed(result: Any = None) -> Any:
            question.confirmed = 0 if result is None else self._stroke
            return dismiss(result)

        def answered(result: Any) -> Any:
            token = _question.set(question)
            try:
                return callback(result)
            finally:
                _question.reset(token)

        screen.dismiss = dismissed
        return push(screen, answered, **more)

    def _operate(self, operate: Callable[..., Any], operation: Any, said: Any, **more: Any) -> Any:
        undo = more.get("undo") is not None
        token = _deed.set(Deed(undo, _taking_back.get(), _question.get()))
        try:
            return operate(operation, said, **more)
        finally:
            _deed.reset(token)

    def _take_back(self, take_back: Callable[[], Any]) -> Any:
        token = _taking_back.set(True)
        try:
            return take_back()
        finally:
            _taking_back.reset(token)

    def note(self, what: str, subjects: Sequence[object]) -> None:
        """The console asks its operator for something; the context says what led to it."""
        self.did[what] += 1
        if what in HARMLESS:
            return
        deed = _deed.get()
        if deed is None:
            self._fault(what, subjects, "no operation of the console asked for it")
            return
        question = deed.question
        several = bool(subjects) and isinstance(subjects[0], list | tuple) and len(subjects[0]) > 1
        asked = question is not None and question.confirmed > question.opened
        if asked and question is not None and (question.grave or (several and deed.undo)):
            self.confirmed += 1
        elif not (deed.taking_back or (deed.undo and not several)):
            self._fault(what, subjects, f"neither asked nor undone: {deed}")

    def _fault(self, what: str, subjects: Sequence[object], why: str) -> None:
        self.faults.append(f"{what}{tuple(subjects)}: {why}, after {' '.join(self.recent[-KEPT_KEYS:])}")


class Witness:
    """A reader and operator that passes everything on, and notes what the operator is asked for."""

    CHANGES = frozenset(
        name for name, _ in inspect.getmembers(Operator, inspect.isfunction) if name[0] != "_"
    )

    def __init__(self, desk: object, hands: Hands) -> None:
        self._desk, self._hands = desk, hands

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._desk, name)
        return partial(self._noted, name, found) if name in self.CHANGES else found

    async def _noted(self, name: str, ask: Callable[..., Any], *given: Any, **more: Any) -> Any:
        self._hands.note(name, given)
        return await ask(*given, **more)
