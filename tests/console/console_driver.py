"""Drives the console the way a person does: press keys, wait until it is idle, read the lines of the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from time import monotonic
from typing import Any

from console_world import NOW, FakeOperator, FakeReader, World
from textual import events
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.keys import _character_to_key
from textual.pilot import Pilot

from watchfloor.console.app import WatchfloorApp
from watchfloor.console.widgets.filter_line import FilterLine

PATIENCE_S = 30.0


class Driver:
    """One console over one made-up world."""

    def __init__(self, app: WatchfloorApp, pilot: Pilot[None], world: World, operator: FakeOperator) -> None:
        self.app, self.pilot, self.world, self.operator = app, pilot, world, operator

    async def idle(self) -> None:
        """Wait until nothing is read, done, drawn or about to be. Waits on conditions, never for a time."""
        deadline = monotonic() + PATIENCE_S
        calm = 0
        while calm < 2:
            await self.pilot._wait_for_screen()
            calm = calm + 1 if self._calm() else 0
            if calm == 0:
                assert monotonic() < deadline, f"never idle: {self._restless()}; the screen is\n{self.text()}"
                await asyncio.sleep(0.001)  # lets timers and workers run; the condition above decides

    async def drawn(self) -> None:
        """Wait until what is known is on the screen, even if more is being read."""
        async with asyncio.timeout(PATIENCE_S):
            await self.pilot._wait_for_screen()
            while self._drawing():
                await asyncio.sleep(0.001)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something the console does by itself, such as looking at a file."""
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                await asyncio.sleep(0.005)

    def _calm(self) -> bool:
        if self.app._exit:
            return True
        return self.app.idle and self.world.pulse.empty() and not self._drawing()

    def _restless(self) -> str:
        """What keeps it from being idle, for the one who reads why a test failed."""
        app, screen, room = self.app, self.app.screen, self.app.room
        asked = {
            "something is read": not app.feed.idle,
            "operations run": bool(app._running_operations),
            "keys wait": not app.turns.idle,
            f"{room!r} is not settled": room is not None and not room.settled,
            "a pulse waits": not self.world.pulse.empty(),
            f"callbacks: {screen._callbacks}": bool(screen._callbacks),
            f"widgets to draw: {screen._dirty_widgets}": bool(screen._dirty_widgets),
            "a layout is required": screen._layout_required,
            "a batch is open": bool(app._batch_count),
            "a resize waits": app._resize_timer is not None,
        }
        return ", ".join(words for words, true in asked.items() if true) or "calm only for a moment"

    def _drawing(self) -> bool:
        screen = self.app.screen
        pending = (
            screen._callbacks or screen._dirty_widgets or screen._layout_required or self.app._batch_count
        )
        return bool(pending) or self.app._resize_timer is not None

    async def press(self, *keys: str) -> Driver:
        """Press keys by character or Textual's name, each when the console is idle; idle again at the end."""
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 else key
            self.app.post_message(events.Key(name, key if len(key) == 1 else None))
            await self.idle()
        return self

    async def home(self) -> Driver:
        """Back to the first room as it was in the beginning: no dialog, no filter, nothing opened."""
        for _ in range(8):
            room = self.app.room
            open_ = len(self.app.screen_stack) > 1 or isinstance(self.app.focused, FilterLine)
            if not open_ and not getattr(room, "filter_text", ""):
                break
            await self.press("escape")
        return await self.press("1") if self.app.current_mode != "health" else self

    async def type(self, text: str) -> Driver:
        """Type text into whatever has the focus."""
        return await self.press(*text)

    async def resize(self, size: tuple[int, int]) -> None:
        """Give the terminal another size; idle again at the end."""
        assert isinstance(self.app._driver, HeadlessDriver)
        self.app._driver._size = Size(*size)
        self.app.post_message(events.Resize(Size(*size), Size(*size)))
        await self.idle()

    async def changed(self, *topics: str) -> Driver:
        """Say that the world changed, and wait until the console shows it."""
        self.world.changed(*topics)
        await self.idle()
        return self

    def strips(self) -> list[Any]:
        """The screen as it is composed, dialogs included."""
        compositor = self.app.screen._compositor
        update = compositor.render_update(full=True, screen_stack=self.app._background_screens)
        return [list(line) for line in update.strips]

    def lines(self) -> list[str]:
        """The lines of the screen, without the blanks at their ends."""
        return ["".join(strip.text for strip in line).rstrip() for line in self.strips()]

    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines())

    def squeezed(self) -> list[str]:
        """The lines of the screen with runs of blanks made one."""
        return [" ".join(line.split()) for line in self.lines()]

    def line_with(self, words: str) -> str:
        """The first line that holds `words`; runs of blanks count as one."""
        found = next((line for line in self.squeezed() if words in line), None)
        assert found is not None, f"nowhere on the screen: {words!r}\n{self.text()}"
        return found

    def sees(self, *words: str) -> None:
        """Fail unless all of `words` are on the screen."""
        for each in words:
            self.line_with(each)

    def sees_not(self, *words: str) -> None:
        """Fail if any of `words` is on the screen."""
        for each in words:
            hit = any(each in line for line in self.squeezed())
            assert not hit, f"should not be on the screen: {each!r}\n{self.text()}"

    @property
    def cursor(self) -> str:
        """The line under the cursor."""
        return self.line_with("▌")


@asynccontextmanager
async def console(
    world: World | None = None, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[Driver]:
    """A running console, idle, on a terminal of `size`."""
    world = world or World()
    operator = FakeOperator(world)
    given: dict[str, Any] = {"clock": lambda: NOW, "zone": UTC, "pace": 0.0, "tick": 3600.0}
    given |= {"grace": 0.0, "keep_s": 3600.0}
    app = WatchfloorApp(FakeReader(world), operator, **{**given, **options})
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot, world, operator)
        await driver.idle()
        yield driver
