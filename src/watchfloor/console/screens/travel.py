"""Travelling in time: asking for a moment, stepping from it, and going to where something began."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

from textual.app import ComposeResult

from watchfloor.console.screens.dialogs import Dialog, spare
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.words import Words
from watchfloor.domain.moments import EXAMPLES, parse_moment

MINUTE = timedelta(minutes=1)


class TimeDialog(Dialog[datetime]):
    """Asks for a moment of the past."""

    DEFAULT_CSS: ClassVar[str] = """
    TimeDialog #box { width: 78; }
    """

    def __init__(self, now: datetime, zone: tzinfo | None) -> None:
        super().__init__((("Travel to a moment", "title"),))
        self._now, self._zone = now, zone

    def questions(self) -> ComposeResult:
        yield Words(
            "Shows Health and Alerts as they were then; nothing can be changed there.", classes="detail"
        )
        yield spare()
        yield TextLine(placeholder="-1h")
        yield Words(EXAMPLES, "muted", classes="detail")

    def answer(self) -> datetime | None:
        try:
            return parse_moment(self.query_one(TextLine).value.strip() or "-1h", self._now, self._zone)
        except ValueError as mistake:
            self.complain(str(mistake))
            return None


class Travels(ActionHost):
    """The actions of a screen that can show the past."""

    def do_began(self) -> None:
        began = self.context().began
        if began is not None:
            self.console_app.travel(began)

    def do_minute_back(self) -> None:
        self._step(-MINUTE)

    def do_minute_on(self) -> None:
        self._step(MINUTE)

    def do_ten_minutes_back(self) -> None:
        self._step(-10 * MINUTE)

    def do_ten_minutes_on(self) -> None:
        self._step(10 * MINUTE)

    def do_hour_back(self) -> None:
        self._step(-60 * MINUTE)

    def do_hour_on(self) -> None:
        self._step(60 * MINUTE)

    def _step(self, distance: timedelta) -> None:
        app = self.console_app
        if app.wanted is None:
            return
        at = app.wanted.at + distance
        if at >= app.present.now:
            app.return_to_now()
        else:
            app.travel(at)


def ask_for_moment(host: ActionHost) -> None:
    """Open the dialog, and go where it says."""
    app = host.console_app

    def done(at: datetime | None) -> None:
        if at is not None:
            app.travel(at)

    app.push_screen(TimeDialog(app.present.now, app.zone), done)
