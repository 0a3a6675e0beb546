"""Processes that jobs run, found by a marker on their command line, and nodes that can be killed with their keepers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psutil

from support.waiting import until_now
from watchfloor.payloads.leftovers import born
from watchfloor.payloads.process import KEEPER


def alive(marker: str) -> list[int]:
    """Processes that carry a marker on their command line, this one left out."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if marker in line and process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def marker() -> str:
    return f"wf-{uuid4().hex}"


ESCAPE = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
print("escaped", flush=True)
time.sleep(1000)
"""
"""A process that forks twice into a session of its own and hears no SIGTERM."""

NODE = """
import asyncio, sys
from datetime import UTC, datetime
from uuid import UUID
from watchfloor.payloads.contract import Attempt
from watchfloor.payloads.script import Settings, run

async def output(stream, chunk):
    print(chunk.decode(), end="", flush=True)

settings = Settings.model_validate({"run": sys.argv[1:], "kill_grace": "10s"})
attempt = Attempt(1, UUID(int=1), 1, "job", datetime.now(UTC), output)
asyncio.run(run(settings, attempt))
"""
"""A node that does nothing but run its arguments as a script."""


def keeper_of(mark: str) -> psutil.Process:
    """The keeper above the processes that carry a marker on their command line."""
    for pid in alive(mark):
        with contextlib.suppress(psutil.NoSuchProcess):
            for above in psutil.Process(pid).parents():
                if str(KEEPER) in above.cmdline():
                    return above
    raise AssertionError("nothing that carries the marker has a keeper")


@contextmanager
def killed_with_its_keeper() -> Iterator[tuple[str, int, str]]:
    """A node that was killed together with its keeper while it ran `ESCAPE`: the marker of what it left, which is ended
    in the end, the number of its process and when that began."""
    mark = marker()
    command = [sys.executable, "-c", NODE, sys.executable, "-c", ESCAPE, mark]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as node:
        assert node.stdout
        assert node.stdout.readline() == b"escaped\n"
        until_now(lambda: len(alive(mark)) == 3)  # itself and two of `ESCAPE`
        birth, keeper = born(node.pid), keeper_of(mark)
        node.send_signal(signal.SIGSTOP)  # it must not see to it itself
        keeper.kill()
        node.kill()
    try:
        yield mark, node.pid, birth
    finally:
        for pid in alive(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
