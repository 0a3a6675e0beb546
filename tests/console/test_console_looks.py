"""A few pictures of the console. Regenerate after a change that is meant: pytest --snapshot-update."""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Any

import pytest
from console_driver import Driver
from console_world import NOW, FakeOperator, FakeReader, World

from watchfloor.console.app import WatchfloorApp

PICTURES = {
    "health-80x24": ((80, 24), "night", ()),
    "health-160x50": ((160, 50), "night", ()),
    "a-service-100x30": ((100, 30), "night", ("enter",)),
    "alerts-100x30-by-day": ((100, 30), "day", ("3",)),
    "acknowledging-80x24": ((80, 24), "night", ("3", "a")),
    "help-80x24-high-contrast": ((80, 24), "contrast", ("?",)),
    "logs-160x50-colour-blind-safe": ((160, 50), "clear", ("4",)),
    "settings-80x24-terminal-colours": ((80, 24), "terminal", ("5",)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name: str, snap_compare: Any) -> None:
    size, theme, keys = PICTURES[name]
    world = World()
    operator = FakeOperator(world)
    app = WatchfloorApp(
        FakeReader(world), operator, theme=theme, clock=lambda: NOW, zone=UTC, pace=0.0, tick=3600.0
    )

    async def arrange(pilot: Any) -> None:
        driver = Driver(app, pilot, world, operator)
        await driver.idle()
        await driver.press(*keys)
        await asyncio.sleep(0)

    assert snap_compare(app, terminal_size=size, run_before=arrange)
