"""One node of several that watch together, in a process of its own: the real engine with real HTTP checks.

Arguments: address of the database, name of the node, address of the target, how many services. Which node asks the
target is in the header ``x-node``, which every node fills in from its own environment.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import uvloop

from support.engines import MemoryKinds, Stage, configuration, running, service
from watchfloor.config.kinds import probe_kinds
from watchfloor.config.model import ServiceConfig
from watchfloor.engine.engine import Plan
from watchfloor.engine.intake import LogBuffer

EVERY_S = 3.0
TIMEOUT_S = 1.5


def services(target: str, many: int) -> list[ServiceConfig]:
    """Pages of one target, each asked every three seconds at a moment of its own."""
    found = []
    for number in range(many):
        raw: dict[str, Any] = {"url": f"{target}/{number}", "headers": {"x-node": "${WATCHER}"}}
        found.append(
            service(
                f"page {number}",
                kind="http",
                every_s=EVERY_S,
                timeout_s=TIMEOUT_S,
                raw=raw,
                retry_every_s=EVERY_S,
            )
        )
    return found


async def main(dsn: str, name: str, target: str, many: str) -> None:
    stop, stage = asyncio.Event(), Stage()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = configuration(*services(target, int(many)), node=name)
    made = Plan(dsn, config, probe_kinds(), stage.channels, MemoryKinds(), LogBuffer())
    async with running(made) as at_work:
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, at_work.task}, return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
