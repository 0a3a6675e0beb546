"""Random keys by the hundred thousand through the whole console on a real database, in bursts, with a witness.

A key goes the way it goes in life: into the application's queue, to what has the focus, up to the table of actions,
to the operation and into the database. Only the picture is left out. Where the console does not come to rest this
says what it waits for, by itself.
"""

from __future__ import annotations

import asyncio
import io
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from time import monotonic, process_time

from fuzz_world import FuzzWorld
from hands import Hands, Witness, hot_keys
from textual import events
from textual._compositor import Compositor
from textual.keys import _character_to_key

from watchfloor.console import feed
from watchfloor.console.app import WatchfloorApp

PATIENCE_S = 30.0
"""A console that is not at rest for so long after a burst never will be."""
BURST = (1, 40)
HOT = 0.5
"""This share of the keys are those that change something, confirm, or lead to where something can be changed."""
FRESH = 2_000
"""The world is made new after so many keys, else every alert would soon be resolved."""
LOCKED_FOR = 200
"""A console that random keys locked is unlocked after so many, else all that follows would prove nothing."""
TOLD_S = 10.0
"""Progress is told so often."""


class Fuzz:
    """One console under random hands."""

    def __init__(self, app: WatchfloorApp, world: FuzzWorld, hands: Hands, seed: int) -> None:
        self.app, self.world, self.hands, self.seed = app, world, hands, seed
        self.pressed = 0
        self._dice = random.Random(seed)
        self._locked = 0
        self._state: dict[str, object] = {}
        self._did = 0
        self._cpu = process_time()

    async def run(
        self, count: int, keys: Sequence[str], tell: Callable[[str], None] = lambda _: None
    ) -> None:
        """Press so many random keys; stops at the first fault."""
        hot = [key for key in hot_keys() if key in keys]
        began = told = monotonic()
        renewed = -FRESH
        while self.pressed < count and not self.hands.faults:
            if self.pressed - renewed >= FRESH:
                await self.renew()
                renewed = self.pressed
            many = self._dice.randint(*BURST)
            await self.burst([*self._way(), *self._some(many, hot, keys)])
            if monotonic() - told > TOLD_S:
                told = monotonic()
                tell(self.told(told - began))
        tell(self.told(monotonic() - began))

    def _way(self) -> list[str]:
        """Half of the bursts begin in a room, so that not all of them end in the line of a dialog."""
        return ["escape"] * 4 + [self._dice.choice("12345")] if self._dice.random() < 0.5 else []

    def _some(self, many: int, hot: Sequence[str], keys: Sequence[str]) -> list[str]:
        return [self._dice.choice(hot if self._dice.random() < HOT else keys) for _ in range(many)]

    def told(self, seconds: float) -> str:
        """How far this is, as one line."""
        hands = self.hands
        did = ", ".join(f"{what} {count}" for what, count in sorted(hands.did.items()))
        cpu = process_time() - self._cpu
        return (
            f"seed {self.seed}: {self.pressed:,} keys in {seconds:.0f} s, {self.pressed / max(cpu, 0.001):.0f} "
            f"a second of CPU; {did}; {hands.confirmed} confirmed, {hands.left} times left; "
            f"{len(hands.faults)} faults"
        )

    async def burst(self, keys: Sequence[str]) -> None:
        """Press keys without waiting between them, then wait until all is done, and look at what it did."""
        self.hands.recent = [*self.hands.recent[-100:], *keys]
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 else key
            self.app.post_message(events.Key(name, key if len(key) == 1 else None))
        self.pressed += len(keys)
        await self.rest()
        await self._nothing_behind_the_witness()
        self._locked = self._locked + len(keys) if self.app.locked else 0
        if self._locked > LOCKED_FOR:
            self.app.locked = False

    async def rest(self) -> None:
        """Wait until every key has acted and every operation is done; explains why it never is."""
        deadline = monotonic() + PATIENCE_S
        await self._turn()
        while not self._quiet():
            if monotonic() > deadline:
                raise AssertionError(self.explain())
            await asyncio.sleep(0.0005)  # lets the application run; the condition above decides

    async def _turn(self) -> None:
        """The application has looked at everything that was sent to it until now."""
        seen = asyncio.Event()
        self.app.call_later(seen.set)
        async with asyncio.timeout(PATIENCE_S):
            await seen.wait()

    def _quiet(self) -> bool:
        app = self.app
        return app.turns.idle and app._running_operations == 0 and app._message_queue.empty()

    def explain(self) -> str:
        """What a console that does not come to rest waits for."""
        app = self.app
        out = io.StringIO()
        say = lambda line: print(line, file=out)  # noqa: E731
        say(f"no rest for {PATIENCE_S:.0f} s, seed {self.seed}, key {self.pressed}: {app.screen}")
        say(
            f"keys wait: {not app.turns.idle}; operations: {app._running_operations}; feed idle: {app.feed.idle}"
        )
        say(
            f"journey wanted: {app.wanted}; shown: {app.room.journey if app.room else None}; away: {app.away}"
        )
        say(f"settled: {[room.settled for room in [app.room] if room]}; stack: {app.screen_stack}")
        for pump in [app, *app.screen_stack, app.focused]:
            if pump is not None:
                say(f"  queue of {pump}: {pump._message_queue.qsize()}, running {pump._running}")
        say(f"last keys: {' '.join(self.hands.recent)}")
        for task in asyncio.all_tasks():
            if not task.done():
                out.write(f"task {task.get_name()}:\n")
                task.print_stack(limit=4, file=out)
        return out.getvalue()

    async def _nothing_behind_the_witness(self) -> None:
        """Where the witness saw no operation, the database is as it was."""
        changes = sum(count for what, count in self.hands.did.items() if what != "save_preference")
        if changes != self._did or self._dice.random() < 0.02:
            state = await self.world.state()
            if changes == self._did and state != self._state:
                self.hands.faults.append(
                    f"something changed behind the witness, after {' '.join(self.hands.recent)}"
                )
            self._did, self._state = changes, state

    async def renew(self) -> None:
        """Make the world as it was in the beginning."""
        await self.rest()
        await self.world.renew()
        self._state = await self.world.state()
        self.app.feed.mark(hurry=True)


@contextmanager
def blind(wanted: bool) -> Iterator[None]:
    """Nothing is painted, and boards are read once a second: what keys do does not hang on it."""
    if not wanted:
        yield
        return
    painting, showing, hurry = Compositor.render_update, WatchfloorApp._display, feed.HURRY_S
    feed.HURRY_S = 1.0
    Compositor.render_update = lambda *_, **__: None  # type: ignore[method-assign, assignment, return-value]
    WatchfloorApp._display = lambda *_: None  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Compositor.render_update, WatchfloorApp._display = painting, showing  # type: ignore[method-assign]
        feed.HURRY_S = hurry


@asynccontextmanager
async def fuzz(
    dsn: str, seed: int, *, paints: bool = False, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Fuzz]:
    """A console on a small real world, with hands behind it."""
    world = FuzzWorld(dsn)
    await world.build()
    hands = Hands()
    desk = Witness(world.desk, hands)
    app = WatchfloorApp(desk, desk, grace=0.0, keep_s=5.0)
    hands.watch(app)
    with blind(not paints):
        async with app.run_test(size=size):
            made = Fuzz(app, world, hands, seed)
            await made.renew()
            yield made
    await world.close()


def told(line: str) -> None:
    """Progress goes where it is seen while the tests run."""
    print(line, file=sys.__stderr__, flush=True)
