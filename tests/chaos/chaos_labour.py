"""One node of a storm, in a process of its own: the engine with work that writes to the ledger what it does.

Arguments: address of the database, name of the node, ledger. SIGUSR2 steps the wall clock of this process by an hour,
back and forth; SIGTERM stops the node as a service manager would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any

import uvloop

from support.engines import MemoryKinds, NoSettings, Stage, configuration, plan, running
from support.jobs import job, schedule
from watchfloor.config.kinds import Kind, payload_kinds
from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.payloads.leash import moment

TICKS = 3
TICK_S = 0.02
RETRY: dict[str, Any] = {"attempts": 50, "first": "0s"}
STEP_NS = 3600 * 10**9

LEDGER_SCRIPT = (
    "import os, time\n"
    "ledger = os.open(os.environ['LEDGER'], os.O_WRONLY | os.O_APPEND)\n"
    "def say(word):\n"
    "    at = time.clock_gettime(time.CLOCK_BOOTTIME)\n"
    "    fence = os.environ['JOB_FENCE']\n"
    "    run, attempt = fence.split('.')\n"
    "    os.write(ledger, f'{word} {run} {attempt} {fence} {at:.6f}\\n'.encode())\n"
    "say('start')\n"
    "for _ in range(5):\n"
    "    time.sleep(0.1)\n"
    "    say('tick')\n"
    "say('end')\n"
)


class Labour:
    """Work inside the node: it asks whether it is trusted before each thing it does outside."""

    def __init__(self, ledger: str) -> None:
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def run(self, settings: NoSettings, attempt: Attempt) -> None:
        self._say("start", attempt)
        for _ in range(TICKS):
            await asyncio.sleep(TICK_S)
            self._say("tick", attempt)
        self._say("end", attempt)

    def _say(self, word: str, attempt: Attempt) -> None:
        at = moment()  # read before the question: whoever is frozen after it says so with an old moment
        if not attempt.leash.holds:
            raise PayloadError("worker.lost", "this node is not trusted any more")
        line = f"{word} {attempt.run_id} {attempt.attempt} {attempt.fence} {at:.6f}\n"
        os.write(self._ledger, line.encode())


def jobs(ledger: str) -> list[Any]:
    """The jobs of a storm."""
    link = {"job": "after", "when": "success", "parameters": {}, "pass_on": False}
    script = {
        "run": [sys.executable, "-I", "-S", "-c", LEDGER_SCRIPT],
        "env": {"LEDGER": ledger},
        "kill_grace": "0s",
    }
    ticking = schedule(every="1s", anchor="2026-01-01", catch_up="all", catch_up_most=1000)
    made = [
        job("often", retry=RETRY, chains=(link,)),
        job("once", at_most_once=True),
        job("after", retry=RETRY),
        job("capped", ticking, retry=RETRY, overlap="queue_all", slots=2),
        job("script", retry=RETRY, kind="script", raw=script),
        job("script once", kind="script", raw=script, at_most_once=True),
    ]
    return [*made, *(job(f"tick {n}", ticking, retry=RETRY) for n in range(4))]


def step_clock() -> None:
    """Let the wall clock of this process be an hour ahead, or right again."""
    global _ahead
    _ahead = 0 if _ahead else STEP_NS


_ahead = 0
_real_ns = time.time_ns


async def main(dsn: str, name: str, ledger: str) -> None:
    time.time_ns = lambda: _real_ns() + _ahead
    time.time = lambda: (_real_ns() + _ahead) / 1e9
    labour, stop = Labour(ledger), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR2, step_clock)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    kinds = MemoryKinds(Kind("fake", NoSettings, labour.run), payload_kinds()["script"])
    made = plan(dsn, Stage(), configuration(jobs=jobs(ledger), node=name), payloads=kinds)
    async with running(made) as at_work:
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, at_work.task}, return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
