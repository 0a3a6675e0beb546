"""Look at the console without a database: `python tests/console/preview.py`, or make pictures of it.

python tests/console/preview.py                      in this terminal
python tests/console/preview.py --live               data change twice a second
python tests/console/preview.py --svg out.svg --size 80x24 --theme day --press 3,enter
"""

from __future__ import annotations

import argparse
import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from console_world import (
    NOW,
    FakeOperator,
    FakeReader,
    World,
    alert_rows,
    component_rows,
    health_rows,
    node_rows,
)

from watchfloor.console.app import WatchfloorApp
from watchfloor.console.terminal import run
from watchfloor.domain.spark import encode, push


async def make_picture(options: argparse.Namespace) -> None:
    width, height = (int(part) for part in options.size.split("x"))
    world = World()
    if options.trouble:
        world.problems = ("config.yaml:14:10: services[2].timeuot: unknown key. Did you mean timeout?",)
    app = WatchfloorApp(
        FakeReader(world), FakeOperator(world), theme=options.theme, clock=lambda: NOW, zone=UTC, pace=0
    )
    async with app.run_test(size=(width, height)) as pilot:

        async def settle() -> None:
            for _ in range(3):
                await pilot.pause()
                while not app.idle:
                    await asyncio.sleep(0.01)
            await pilot.pause(0.15)

        await settle()
        for key in filter(None, options.press.split(",")):
            await pilot.press(key)
            await settle()
        Path(options.svg).write_text(app.export_screenshot())


def live_world() -> World:
    now = datetime.now(UTC)
    return World(
        now=now,
        services=health_rows(now),
        alerts=alert_rows(now),
        nodes=node_rows(now),
        components=component_rows(now),
    )


async def animate(world: World) -> None:
    """Let time pass: checks come in, nodes beat."""
    dice = random.Random()
    while True:
        await asyncio.sleep(0.5)
        world.now = datetime.now(UTC)
        number = dice.randrange(len(world.services))
        row = world.services[number]
        if row.latency is not None:
            latency = row.latency * dice.uniform(0.8, 1.25)
            world.services[number] = replace(
                row, latency=latency, checked_at=world.now, recent=push(row.recent, encode(row.hard, latency))
            )
        world.nodes[0] = replace(world.nodes[0], beat_at=world.now)
        world.changed("health", "nodes")


class Preview(WatchfloorApp):
    """The console with a world of its own."""

    world: World
    live = False

    def on_mount(self) -> None:
        super().on_mount()
        if self.live:
            self.run_worker(animate(self.world))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--trouble", action="store_true", help="with a mistake in the config file")
    parser.add_argument("--theme")
    parser.add_argument("--keys")
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--svg")
    parser.add_argument("--size", default="80x24")
    parser.add_argument("--press", default="")
    options = parser.parse_args()
    if options.svg:
        asyncio.run(make_picture(options))
        return
    world = live_world()
    app = Preview(
        FakeReader(world),
        FakeOperator(world),
        theme=options.theme,
        keys=options.keys,
        read_only=options.read_only,
    )
    app.world, app.live = world, options.live
    run(app)


if __name__ == "__main__":
    main()
