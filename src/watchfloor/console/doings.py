"""What is done from the console: operations beside the screen, what is said about them, and taking them back.

Nothing is done from a console that is locked or read-only, however it was asked. An operation that fails is always
said, and never ends the console.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from watchfloor.console.commands import Mistake
from watchfloor.console.feed import sentence
from watchfloor.console.keys import key_of
from watchfloor.console.line import clean
from watchfloor.console.shell import ANSWER_S, Shell
from watchfloor.console.undo import UNDO_S, Offer, Undo
from watchfloor.operations.actor import Refused

T = TypeVar("T")

EACH_S = 0.01
"""So much longer is waited for each of many things."""


class Doings(Shell, inherit_bindings=False):
    """The part that runs operations."""

    read_only = False
    locked = False

    @property
    def undo(self) -> Undo | None:
        """What would be taken back now."""
        return self.undos.next

    def operate(
        self,
        operation: Callable[[], Awaitable[object]],
        said: str | Callable[[], str],
        *,
        undo: Offer | None = None,
        things: int = 1,
    ) -> None:
        """Run an operation beside the screen; then say what was done and read again.

        It is waited for the longer the more `things` it is done to.
        `undo` is how it is taken back. An operation that answers False changed nothing: there is nothing to take back.
        Nothing is done from a console that is locked or read-only, however it was asked.
        """
        if self._is_barred():
            return
        self._running_operations += 1
        self.run_worker(self._operate(operation, said, undo, things), exit_on_error=True)

    def _is_barred(self) -> bool:
        """Whether nothing can be changed from here; that is said."""
        barred = self.locked or self.read_only
        if barred:
            word = "locked" if self.locked else "read-only"
            self.say(((f"✘ not done: this console is {word}", "degraded"),))
        return barred

    async def _operate(
        self,
        operation: Callable[[], Awaitable[object]],
        said: str | Callable[[], str],
        undo: Offer | None,
        things: int,
    ) -> None:
        patience = ANSWER_S + EACH_S * (things - 1)
        try:
            async with asyncio.timeout(patience):
                changed = await operation()
        except Refused as refusal:
            self.say(((f"✘ {clean(str(refusal))}", "degraded"),))
        except TimeoutError:
            self.say(((f"✘ no answer within {patience:.0f} s: look whether it was done", "failing"),))
        except Exception as error:
            # The person must learn that nothing was done, whatever the reason was.
            self.say(((f"✘ not done: {clean(sentence(error))}", "failing"),))
        else:
            if changed is False:
                self.say((("○ it was so already: nothing is changed", "muted"),))
            else:
                self._done(said if isinstance(said, str) else said(), undo, things)
        finally:
            self._running_operations -= 1
            self.feed.mark(hurry=True)

    def _done(self, said: str, undo: Offer | None, things: int) -> None:
        if undo is None:
            self.say(((f"✓ {said}", "ok"),))
            return
        self.undos.offer(undo, things)
        self.set_timer(UNDO_S, self.renew_bars)
        self.say(((f"✓ {said}", "ok"), ("   ", "text"), (key_of("undo"), "key"), (" undo", "text")), UNDO_S)

    def ask(self, question: Callable[[], Awaitable[T]], then: Callable[[T], object]) -> None:
        """Read something beside the screen and go on with the answer; what goes wrong is said."""

        async def answer() -> None:
            try:
                async with asyncio.timeout(ANSWER_S):
                    then(await question())
            except Mistake as mistake:
                self.say(((f"✘ {clean(str(mistake))}", "degraded"),))
            except Exception as error:
                # The person must learn that what they asked for does not come, whatever the reason was.
                self.say(((f"✘ not found out: {clean(sentence(error))}", "failing"),))
            finally:
                self._running_operations -= 1

        self._running_operations += 1
        self.run_worker(answer(), exit_on_error=True)

    def lock(self, locked: bool) -> None:
        """Bar every change from this console, or allow them again."""
        self.locked = locked
        word = "locked: nothing can be changed from here" if locked else "unlocked"
        self.say(((f"✓ {word}", "ok"),))

    def take_back(self) -> None:
        """Take back what was done last, and say what; again: what was done before that."""
        undo = None if self._is_barred() else self.undos.take()
        if undo is None:
            return

        async def run() -> None:
            try:
                await undo.run()
            except Refused:
                raise  # somebody was faster: it will be refused again
            except Exception:
                self.undos.put_back(undo)
                raise

        self.operate(run, undo.said, things=undo.things)

    def remember(self, key: str, value: object) -> None:
        """Keep a preference of this operator; a failure to do so is said, and nothing else is lost."""

        async def save() -> None:
            try:
                await self.operator.save_preference(key, value)
            except Exception as error:
                # A preference is not worth more than a sentence, but it is worth that.
                self.say(((f"▲ not remembered: {clean(sentence(error))}", "degraded"),))
            finally:
                self._running_operations -= 1

        self._running_operations += 1
        self.run_worker(save(), exit_on_error=True)
