"""One channel in full, and how its messages read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.line import Piece, clean, says
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.views.channel import channel_lines, said_lines
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.boards import AlertRow
from watchfloor.domain.channel_boards import ChannelRow, SaidRow
from watchfloor.operations.actor import Refused


class WordsRoom(DetailRoom, inherit_bindings=False):
    """How messages of every kind read on a channel: of a sample, or of one of the alerts that are open."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT, Scope.WORDS)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"settings"})

    def __init__(self, channel: str) -> None:
        super().__init__()
        self._channel = channel
        self._alerts: Sequence[AlertRow] = ()
        self._about = 0  # 0: the sample; else the place of an alert, from 1
        self._said: Sequence[SaidRow] = ()
        self._why = ""

    def place(self) -> None:
        """It shows what is about a channel that may not be there any more."""

    def tab(self) -> str:
        return "settings"

    @property
    def _alert(self) -> AlertRow | None:
        return self._alerts[self._about - 1] if 0 < self._about <= len(self._alerts) else None

    async def load(self) -> None:
        reader, chosen = self.console_app.reader, self._alert
        self._alerts = await reader.alerts(resolved=False)
        if chosen is not None:
            places = {each.id: place for place, each in enumerate(self._alerts, 1)}
            self._about = places.get(chosen.id, 0)
        alert = self._alert
        try:
            self._said = await reader.channel_words(self._channel, None if alert is None else alert.id)
            self._why = ""
        except Refused as refusal:
            self._said, self._why = (), str(refusal)

    def show(self) -> None:
        said, why = self._said, self._why
        self.pane.show(lambda cells: [says(clean(why), "muted")] if why else said_lines(said, cells))
        super().show()

    def summary(self) -> Summary:
        alert = self._alert
        number = len(self._alerts)
        words = "of a sample" if alert is None else f"of #{alert.id} {alert.title}"
        short = "sample" if alert is None else f"#{alert.id}"
        wrong = sum(bool(each.trouble) for each in self._said)
        pieces = [self.way(), Piece((says(clean(words), "accent"), says(short, "accent")), 6)]
        if wrong:
            pieces.append(Piece((says(f"✘ {wrong} of {len(self._said)} have mistakes", "failing"),), 7))
        pieces.append(Piece((says(f"{self._about} of {number} open alerts", "muted"),), 2))
        return pieces, self.conditions()

    def names(self) -> Sequence[str]:
        return (f"messages on {clean(self._channel)}",)

    def do_next_subject(self) -> None:
        self._turn(1)

    def do_previous_subject(self) -> None:
        self._turn(-1)

    def _turn(self, step: int) -> None:
        self._about = (self._about + step) % (len(self._alerts) + 1)
        self.look_again()


class ChannelText(DetailRoom, inherit_bindings=False):
    """How a channel does. Subclasses say what can be done to it."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"settings", "outbox"})

    def __init__(self, row: ChannelRow) -> None:
        super().__init__()
        self._row = row

    def place(self) -> None:
        """It shows a row that may not be there any more."""

    def tab(self) -> str:
        return "settings"

    async def load(self) -> None:
        rows = await self.console_app.reader.channels()
        self._row = next((each for each in rows if each.name == self._row.name), self._row)

    def show(self) -> None:
        row, moment = self._row, self.console_app.moment
        self.pane.show(lambda cells: channel_lines(row, moment, cells))
        super().show()

    def summary(self) -> Summary:
        return [self.way()], self.conditions()

    def names(self) -> Sequence[str]:
        return (self._row.name,)

    def context(self) -> Context:
        return replace(super().context(), channel=self._row)
