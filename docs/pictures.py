"""Makes the pictures of the README: the real console on the demo's world, drawn as SVG.

Run it as ``python docs/pictures.py``; it starts the demo's servers, database and engine, waits for what a picture
must show, and writes ``docs/pictures/*.svg``.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

from watchfloor.cli.console import Boot
from watchfloor.cli.demo import Scene, scene
from watchfloor.cli.desk import Desk
from watchfloor.cli.place import Place
from watchfloor.console.app import WatchfloorApp
from watchfloor.operations.actor import Actor

PICTURES = Path(__file__).parent / "pictures"
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
WARM_UP_S = 60.0
WAIT_S = 120.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what must be on the screen."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the demo never came to what the picture should show")
        await asyncio.sleep(0.1)


async def draw(boot: Boot, size: tuple[int, int], theme: str | None, name: str, keys: str) -> None:
    """One picture: the console of ``size`` after ``keys``."""
    desk = Desk(boot.connect, lambda: boot.label, Actor("kim"))
    app = WatchfloorApp(desk, desk, theme=theme)
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.status is not None and bool(app.status.firing) and app.idle)
        for key in keys.split():
            await pilot.press(key)
            await until(lambda: app.idle)
        await pilot.pause(0.5)
        svg = app.export_screenshot(title="watchfloor")
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"{name}.svg").write_text(FONT.sub("", svg), encoding="utf-8")
    print(f"docs/pictures/{name}.svg")


async def main(stage: Scene) -> None:
    """Draw every picture on one world, which ages meanwhile."""
    boot = Boot(Place(None, stage.configuration.data_dir), lambda: stage.configuration)
    boot.start()
    try:
        await asyncio.sleep(WARM_UP_S)
        await draw(boot, (120, 32), None, "health", "1")
        await draw(boot, (120, 42), None, "service", "1 / c h e c k o u t enter enter")
        await draw(boot, (120, 24), None, "alerts", "3 a enter")
        await draw(boot, (120, 32), None, "alert", "3 enter")
        await draw(boot, (120, 30), None, "analytics", "3 shift+tab enter")
        await draw(boot, (120, 24), None, "jobs", "2")
        await draw(boot, (80, 24), "day", "small", "1 escape")
    finally:
        boot.end()


if __name__ == "__main__":
    with scene(seed=7) as made:
        asyncio.run(main(made))
