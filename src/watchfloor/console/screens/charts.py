"""A room with charts, all of which show the same stretch of time."""

from __future__ import annotations

from watchfloor.console.line import says
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.domain.history import RANGES


class ChartRoom(DetailRoom, inherit_bindings=False):
    """Lines to scroll through, charts among them: the stretch can be made longer and shorter."""

    def do_longer(self) -> None:
        self._stretch(1)

    def do_shorter(self) -> None:
        self._stretch(-1)

    def _stretch(self, step: int) -> None:
        app, names = self.console_app, list(RANGES)
        place = names.index(app.stretch) + step
        if 0 <= place < len(names):
            app.stretch = names[place]
            self.look_again()
        else:
            end = "longest" if step > 0 else "shortest"
            app.say(says(f"{app.stretch} is the {end} stretch of time", "muted"))
