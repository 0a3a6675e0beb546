"""Silencing from the console: a form that says what it would keep quiet, and what can be done to silences.

Whatever is done to a silence can be taken back; one that matches everything is confirmed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from watchfloor.console.action import Scope
from watchfloor.console.line import Line, clean, says
from watchfloor.console.screens.dialogs import Dialog, Say, spare
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.screens.several import Subject, heading, named
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.words import Words
from watchfloor.domain.boards import AlertDetail, SilenceRow
from watchfloor.domain.durations import parse_duration
from watchfloor.domain.matchers import BadMatcher, Matcher, match_everything, parse_all, split
from watchfloor.domain.silences import Reach, Wish
from watchfloor.domain.words import count
from watchfloor.operations.actor import Refused

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp

A = TypeVar("A")

RESOLVED = "resolved"
LASTS = "2h"
MORE = timedelta(hours=1)
OF_ITSELF = frozenset({"since", "runbook"})
"""Labels that say nothing of what else is like an alert."""

ONE_OF_A_SERVICE = ("service", "metric", "objective")
"""Labels that tell the alerts of one rule about one service apart: each of its disks is one of its own."""

AT_ONCE = 20
"""So many marked alerts are silenced at once: each gets a silence of its own, which is looked at for every alert."""


def read_end(text: str, start: datetime, zone: tzinfo | None) -> tuple[timedelta | None, bool]:
    """How long a silence lasts from `start`, and whether it ends when all is resolved. Raises `ValueError`.

    >>> read_end("2h or resolved", datetime(2026, 1, 1), None)
    (datetime.timedelta(seconds=7200), True)
    """
    words = text.strip()
    first, _, last = words.partition(" or ")
    until_resolved = RESOLVED in (first.strip(), last.strip())
    rest = " ".join(part.strip() for part in (first, last) if part.strip() not in ("", RESOLVED))
    if not rest:
        if not until_resolved:
            raise ValueError("say until when: 2h, 2026-12-24 18:00, resolved, or 2h or resolved")
        return None, True
    try:
        at = datetime.fromisoformat(rest)
    except ValueError:
        return timedelta(seconds=parse_duration(rest)), until_resolved
    at = at if at.tzinfo else at.replace(tzinfo=zone) if zone else at.astimezone()
    if at <= start:
        raise ValueError(f"{rest} is over: a silence cannot end in the past or before it begins")
    return at - start, until_resolved


def write_end(ends_at: datetime | None, until_resolved: bool, zone: tzinfo | None) -> str:
    """Until when a silence lasts, to the second, so that `read_end` reads the same.

    >>> from datetime import UTC
    >>> write_end(datetime(2026, 1, 1, 18, 30, 5, tzinfo=UTC), True, UTC)
    '2026-01-01 18:30:05 or resolved'
    """
    at = [] if ends_at is None else [f"{ends_at.astimezone(zone):%Y-%m-%d %H:%M:%S}"]
    return " or ".join([*at, *([RESOLVED] if until_resolved else [])])


def matchers_of(detail: AlertDetail) -> str:
    """What is like this alert: the same rule about the same part of the same service, or the same labels.

    When it began is no likeness: the next time would not be silenced.
    """
    labels = {name: value for name, value in detail.labels.items() if name not in OF_ITSELF}
    if "service" in labels:
        labels = {name: labels[name] for name in ONE_OF_A_SERVICE if name in labels}
    return " ".join(
        str(Matcher(name, "=", value)) for name, value in {**labels, "rule": detail.row.rule}.items()
    )


class EndDialog(Dialog[A], inherit_bindings=False):
    """Asks until when and why something is kept quiet."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.DIALOG, Scope.FIELDS)
    DEFAULT_CSS: ClassVar[str] = """
    EndDialog #box { width: 78; }
    """

    def __init__(self, title: Line, lasts: str, comment: str, starts: datetime | None) -> None:
        """With `starts` the silence is still to begin, or has begun: a length of time counts from there or from now."""
        super().__init__(title)
        self._lasts, self._comment, self._starts = lasts, comment, starts

    def end_and_reason(self) -> ComposeResult:
        """The lines to fill in."""
        yield spare("Until: 2h, 2026-12-24 18:00, resolved, or 2h or resolved")
        yield TextLine(self._lasts, id="lasts")
        yield spare()
        yield spare("Why; you are its author")
        yield TextLine(self._comment, placeholder="required: for those who come after you", id="comment")

    def do_next_line(self) -> None:
        self.focus_next(TextLine)

    def do_previous_line(self) -> None:
        self.focus_previous(TextLine)

    def wish(self, matchers: Sequence[str]) -> Wish | None:
        """A silence with these matchers, as it is filled in; None after saying what is wrong."""
        comment, app = self.query_one("#comment", TextLine).value.strip(), self.console_app
        try:
            everything = match_everything(parse_all(matchers))
            now = app.present.now
            start = now if self._starts is None else max(now, self._starts)
            lasts, until_resolved = read_end(self.query_one("#lasts", TextLine).value, start, app.zone)
        except ValueError as mistake:
            self.complain(f"{mistake}.")
            return None
        if not comment:
            self.complain("A silence needs a comment: why, for those who come after you.")
            self.query_one("#comment", TextLine).focus()
            return None
        return Wish(matchers, comment, lasts, until_resolved=until_resolved, everything=everything)


class SilenceDialog(EndDialog[Wish], inherit_bindings=False):
    """Asks what, until when and why; says at every key how much it would keep quiet now."""

    def __init__(
        self,
        what: str,
        matchers: str,
        lasts: str = LASTS,
        comment: str = "",
        starts: datetime | None = None,
    ) -> None:
        super().__init__(says(clean(what), "title"), lasts, comment, starts)
        self._matchers = matchers
        self._reach = Say(id="reach")
        self._told_everything = False

    def questions(self) -> ComposeResult:
        yield spare("What: label=value, with = != =~ or !~; all must agree")
        yield TextLine(self._matchers, id="matchers")
        yield self._reach
        yield spare()
        yield from self.end_and_reason()

    def begin(self) -> None:
        if not self._comment:  # the rest has a suggestion: why is all there is to say
            self.query_one("#comment", TextLine).focus()
        self._look()

    @on(Input.Changed, "#matchers")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._told_everything = False
        self._look()

    def _look(self) -> None:
        """Find out what is matched now; an answer for what was typed before does not count."""
        app, texts = self.console_app, split(self.query_one("#matchers", TextLine).value)
        try:
            wanted = parse_all(texts)
        except BadMatcher as mistake:
            self._reach.say(says(f"▲ {clean(str(mistake))}", "degraded"))
            return
        if match_everything(wanted):
            self._reach.say(says("▲ matches every alert there is", "failing"))
            return

        async def question() -> Reach | None:
            try:
                return await app.reader.silence_reach(texts)
            except Refused:
                return None  # said by the line above as soon as it is read here, and by the answer

        def told(reach: Reach | None) -> None:
            if (
                reach is not None
                and self.is_current  # else it was closed meanwhile
                and texts == split(self.query_one("#matchers", TextLine).value)
            ):
                words = (
                    f"matches {count(reach.alerts, 'open alert')} of {count(reach.services, 'service')} now"
                )
                self._reach.say(says(words, "accent" if reach.alerts else "muted"))

        app.ask(question, told)

    def answer(self) -> Wish | None:
        wish = self.wish(split(self.query_one("#matchers", TextLine).value))
        if wish is not None and wish.everything and not self._told_everything:
            self._told_everything = True
            self.complain("This silences every alert there is: enter again if that is meant.")
            return None
        return wish


class SilenceManyDialog(EndDialog[Sequence[Wish]], inherit_bindings=False):
    """Asks until when and why, for a silence of what is like each of several alerts."""

    AUTO_FOCUS: ClassVar[str | None] = "#comment"  # the rest has a suggestion

    def __init__(self, subjects: Sequence[Subject], matchers: Sequence[str]) -> None:
        super().__init__(heading("Silence what is like", subjects), LASTS, "", None)
        self._subjects, self._matchers = subjects, matchers

    def questions(self) -> ComposeResult:
        yield from named(self._subjects)
        yield Words(
            f"Makes {count(len(self._matchers), 'silence')}, with this end and reason.", classes="detail"
        )
        yield spare()
        yield from self.end_and_reason()

    def answer(self) -> Sequence[Wish] | None:
        matchers = [split(each) for each in self._matchers]
        wish = self.wish(matchers[0])
        return None if wish is None else [replace(wish, matchers=each) for each in matchers]


def ask_to_silence(app: WatchfloorApp, subjects: Sequence[Subject], done: Callable[[], None]) -> None:
    """Ask for a silence of what is like each of these alerts; `done` is called when the person agreed."""
    if len(subjects) > AT_ONCE:
        words = f"silence: {count(len(subjects), 'alert')} are marked, at most {AT_ONCE} are silenced at once"
        app.say(says(words, "degraded"))
        return

    async def question() -> list[str]:
        found = [await app.reader.alert(subject.id) for subject in subjects]
        return list(dict.fromkeys(matchers_of(detail) for detail in found if detail is not None))

    def opened(matchers: list[str]) -> None:
        if not matchers:
            app.say(says("✘ gone by now: there is nothing to silence", "degraded"))
        elif len(subjects) > 1:
            app.push_screen(SilenceManyDialog(subjects, matchers), answered)
        else:
            title = f"Silence what is like #{subjects[0].id}"
            app.push_screen(SilenceDialog(title, matchers[0]), lambda wish: answered(wish and [wish]))

    def answered(wishes: Sequence[Wish] | None) -> None:
        if wishes is not None:
            done()
            _silence(app, wishes)

    app.ask(question, opened)


def _silence(app: WatchfloorApp, wishes: Sequence[Wish]) -> None:
    made: list[int] = []

    async def add() -> None:
        made.extend(await app.operator.add_silences(wishes))

    async def end() -> None:
        await app.operator.expire_silences([await _now(app, silence) for silence in made])

    def said() -> str:
        if len(made) == 1:
            return f"silence #{made[0]} keeps quiet what matches"
        return f"{count(len(made), 'silence')} keep quiet what matches"

    words = "ended that silence" if len(wishes) == 1 else "ended these silences"
    app.operate(add, said, undo=("silence", end, words))


async def _now(app: WatchfloorApp, silence: int) -> int:
    """The silence that stands in the place of one now, after changes and after changes that were taken back."""
    rows = await app.reader.silences(over=True)
    heirs = {row.replaces: row.id for row in rows if row.replaces is not None}
    while silence in heirs:
        silence = heirs[silence]
    return silence


class SilenceActs(ActionHost):
    """The actions of silences."""

    def do_end_silence(self) -> None:
        row, app = self.context().silence, self.console_app
        if row is not None:
            app.operate(
                lambda: app.operator.expire_silences([row.id]),
                f"ended silence #{row.id}",
                undo=(
                    "end of silence",
                    lambda: app.operator.reinstate_silence(row.id, row.ends_at),
                    f"silence #{row.id} is in force again",
                ),
            )

    def do_extend_silence(self) -> None:
        row = self.context().silence
        if row is not None and row.ends_at is not None:
            self._replace(row, _wish(row, row.ends_at + MORE - self._start(row)), "lasts an hour longer")

    def do_edit_silence(self) -> None:
        row, app = self.context().silence, self.console_app
        if row is None:
            return
        lasts = write_end(row.ends_at, row.until_resolved, app.zone)

        def done(wish: Wish | None) -> None:
            if wish is not None:
                self._replace(row, wish, "was changed")

        dialog = SilenceDialog(
            f"Change silence #{row.id}", " ".join(row.matchers), lasts, row.comment, row.starts_at
        )
        app.push_screen(dialog, done)

    def _start(self, row: SilenceRow) -> datetime:
        """From when on a silence that takes the place of this one would hold."""
        return max(row.starts_at, self.console_app.present.now)

    def _replace(self, row: SilenceRow, wish: Wish, words: str) -> None:
        app, made = self.console_app, list[int]()
        starts = row.starts_at if row.state == "planned" else None

        async def change() -> None:
            made.append(await app.operator.change_silence(row.id, _from(wish, starts)))

        async def back() -> None:
            left = None if row.ends_at is None else row.ends_at - self._start(row)
            await app.operator.change_silence(await _now(app, made[0]), _from(_wish(row, left), starts))

        app.operate(
            change,
            lambda: f"silence #{row.id} {words}; it is #{made[0]} now",
            undo=("change of silence", back, f"silence #{row.id} is as it was"),
        )


def _wish(row: SilenceRow, lasts: timedelta | None) -> Wish:
    texts: Sequence[str] = row.matchers
    everything = match_everything(parse_all(texts))  # whoever made it agreed to that
    return Wish(texts, row.comment, lasts, until_resolved=row.until_resolved, everything=everything)


def _from(wish: Wish, starts: datetime | None) -> Wish:
    return Wish(wish.matchers, wish.comment, wish.lasts, starts, wish.until_resolved, wish.everything)
