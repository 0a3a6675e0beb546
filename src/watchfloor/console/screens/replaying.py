"""What can be done to deliveries: sending dead letters again. Says how many and which, and asks."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from watchfloor.console.line import clean
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.host import ActionHost
from watchfloor.domain.boards import SentRow
from watchfloor.domain.channel_boards import Replayed
from watchfloor.domain.words import count, named


class DeliveryActs(ActionHost):
    """The actions of deliveries."""

    def letters(self, *, shown: bool) -> Sequence[SentRow]:
        """The dead letters that are marked, or `shown` at all."""
        raise NotImplementedError

    def do_replay(self) -> None:
        context = self.context()
        if context.marked:
            self._ask(self.letters(shown=False))
        elif context.sent is not None:
            self._ask([context.sent])

    def do_discard_letter(self) -> None:
        context = self.context()
        if context.marked:
            self._ask_to_discard(self.letters(shown=False))
        elif context.sent is not None:
            self._ask_to_discard([context.sent])

    def do_replay_all(self) -> None:
        self._ask(self.letters(shown=True))

    def _ask_to_discard(self, letters: Sequence[SentRow]) -> None:
        app = self.console_app
        what = count(len(letters), "dead letter")
        names = named([f"to {each.channel}: {each.title} ({each.last_error})" for each in letters])
        gone: list[int] = []

        async def discard() -> None:
            gone.append(await app.operator.discard_letters([UUID(each.id) for each in letters]))

        def done(sure: bool | None) -> None:
            if sure:
                app.operate(discard, lambda: f"discarded {count(gone[0], 'dead letter')}")

        names.append("They are never sent; the history keeps them.")
        app.push_screen(
            ConfirmDialog((("Discard ", "muted"), (what, "title")), [clean(name) for name in names]), done
        )

    def _ask(self, letters: Sequence[SentRow]) -> None:
        app = self.console_app
        if not letters:
            app.say((("replay: no dead letter is shown", "degraded"),))
            return
        what = count(len(letters), "dead letter")
        names = named([f"to {each.channel}: {each.title} ({each.last_error})" for each in letters])
        queued: list[Replayed] = []

        async def replay() -> None:
            queued.append(await app.operator.replay([UUID(each.id) for each in letters]))

        def done(sure: bool | None) -> None:
            if sure:
                app.operate(replay, lambda: _replayed(queued[0]))

        names.append("They go out with the same ids and bytes as before.")
        app.push_screen(
            ConfirmDialog((("Replay ", "muted"), (what, "title")), [clean(name) for name in names]), done
        )


def _replayed(done: Replayed) -> str:
    said = f"queued {count(done.queued, 'dead letter')} again"
    return f"{said}; {clean(done.why)}" if done.why else said
