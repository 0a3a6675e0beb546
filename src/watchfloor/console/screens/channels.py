"""What can be done to channels: sending a test, switching them off and on, seeing how their messages read."""

from __future__ import annotations

from typing import ClassVar

from watchfloor.console.action import Scope
from watchfloor.console.line import clean
from watchfloor.console.screens.channel import ChannelText, WordsRoom
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.host import ActionHost
from watchfloor.domain.channel_boards import ChannelRow
from watchfloor.domain.words import count


class ChannelActs(ActionHost):
    """The actions of channels."""

    def do_test_channel(self) -> None:
        """Ask, then send a test."""
        app, channel = self.console_app, self.context().channel
        if channel is None:
            return
        name = clean(channel.name)

        def done(sure: bool | None) -> None:
            if sure:
                app.operate(
                    lambda: app.operator.try_channel(channel.name),
                    f"a test is on its way to {name}: Deliveries has it",
                )

        words = ["A message marked as a test goes out, also where the channel is spared because it fails."]
        app.push_screen(ConfirmDialog((("Send a test to ", "muted"), (name, "title")), words), done)

    def do_show_words(self) -> None:
        channel = self.context().channel
        if channel is not None:
            self.console_app.push_screen(WordsRoom(channel.name))

    def do_switch_channel(self) -> None:
        """Switch it on at once, or off after asking: nobody hears anything there from then on."""
        channel = self.context().channel
        if channel is None:
            return
        if not channel.enabled:
            self._switch(channel, True)
            return
        words = [
            "Nobody is told anything there; chains go on to their other targets, and each alert says what was left "
            "out. Once it is on again it is told what still fires."
        ]
        if channel.waiting:
            words.append(f"Kept until then: {count(channel.waiting, 'message')}.")

        def done(sure: bool | None) -> None:
            if sure:
                self._switch(channel, False)

        title = (("Switch off ", "muted"), (clean(channel.name), "title"))
        self.console_app.push_screen(ConfirmDialog(title, words), done)

    def _switch(self, channel: ChannelRow, on: bool) -> None:
        app, name, told = self.console_app, clean(channel.name), list[int]()
        operator = app.operator

        async def switch() -> bool:
            number = await operator.set_channel_enabled(channel.name, on)
            told.extend([] if number is None else [number])
            return number is not None

        def said() -> str:
            after = f"; told after all: {count(told[0], 'message')}" if on and told and told[0] else ""
            return f"{name} is {'on' if on else 'off'}{after}"

        back = f"{name} is {'off' if on else 'on'} again"
        undo = (
            "switch on" if on else "switch off",
            lambda: operator.set_channel_enabled(channel.name, not on),
            back,
        )
        app.operate(switch, said, undo=undo)


class ChannelRoom(ChannelActs, ChannelText, inherit_bindings=False):
    """One channel, with everything that can be done to it."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT, Scope.CHANNELS)
