"""What can be done to channels: sending a test."""

from __future__ import annotations

from watchfloor.console.line import clean
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.host import ActionHost


class ChannelActs(ActionHost):
    """The action of channels."""

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
