"""Cancelled jobs leave no process behind, however they hide: double forks, sessions of their own, deaf to SIGTERM.

40 cancels by default, 2,000 with ``--chaos-long``.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
from pathlib import Path
from uuid import UUID

import pytest

from support.jobs import now
from watchfloor.payloads.contract import Attempt
from watchfloor.payloads.script import Settings, run

pytestmark = pytest.mark.chaos

AT_ONCE = 8

HIDING = """
import os, signal, sys, time
deaf, depth = sys.argv[1] == "deaf", int(sys.argv[2])
if deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(depth):
    if os.fork():
        if sys.argv[3] == "leave":
            os._exit(0)
        break
    os.setsid()
os.write(1, b"here\\n")
while True:
    time.sleep(60)
"""


def marked(marker: str) -> list[int]:
    """Every process of this machine whose environment bears the marker."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # it has ended
    return found


async def one(number: int, marker: str, chance: random.Random) -> None:
    """Start one, wait until it hides, cancel it."""
    here = asyncio.Event()

    async def output(stream: str, chunk: bytes) -> None:
        here.set()

    ways = (chance.choice(("deaf", "ready")), str(chance.randint(0, 3)), chance.choice(("leave", "stay")))
    settings = Settings.model_validate(
        {
            "run": [sys.executable, "-I", "-S", "-c", HIDING, *ways],
            "env": {"MARKER": marker},
            "kill_grace": "0s" if chance.random() < 0.5 else "200ms",
        }
    )
    attempt = Attempt(number, UUID(int=number), 1, "hider", now(), output)
    task = asyncio.create_task(run(settings, attempt))
    hidden = asyncio.create_task(here.wait())
    await asyncio.wait({task, hidden}, return_when=asyncio.FIRST_COMPLETED)
    hidden.cancel()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_after_many_cancels_no_process_is_left(chaos_long: bool, chaos_seed: int) -> None:
    cancels = int(os.environ.get("WATCHFLOOR_CANCELS", "2000" if chaos_long else "40"))
    chance, marker = random.Random(chaos_seed), f"MARKER={secrets.token_hex(8)}"
    for first in range(0, cancels, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, cancels))
        await asyncio.gather(*(one(number + 1, marker.partition("=")[2], chance) for number in numbers))
        assert marked(marker) == []
