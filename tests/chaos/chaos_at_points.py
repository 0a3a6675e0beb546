"""Has an errand of `chaos_points` carried out again and again, each time killed at another exchange with the server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from chaos_statements import Sent

from support.sql import one
from watchfloor.store.database import Database

POINTS = Path(__file__).with_name("chaos_points.py")
TESTS = Path(__file__).parents[1]


class Points:
    """The program that is killed."""

    def __init__(self, process: subprocess.Popen[str], dsn: str) -> None:
        self._process, self._dsn = process, dsn
        self.at: set[tuple[str, Sent]] = set()
        """What it was killed at so far: before or after it, and what it was."""
        self.seen: set[Sent] = set()
        """Everything that it sends when it is carried out whole."""

    async def killed(self, errand: str, point: int | Sent, when: str) -> bool:
        """Have an errand carried out until it is killed; False where it was done before that."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{self._dsn} {errand} {point} {when}\n")
        self._process.stdin.flush()
        what, *more = (await asyncio.to_thread(self._process.stdout.readline)).split()
        assert what in ("killed", "done"), f"{errand} failed by itself before its exchange {point}"
        if what == "killed":
            self.at.add((when, Sent.read(more[0])))
        else:
            self.seen.update(map(Sent.read, more))
        return what == "killed"


@pytest.fixture
def points(dsn: str) -> Iterator[Points]:
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, str(POINTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        yield Points(process, dsn)
        assert process.stdin
        process.stdin.close()


async def at_every_point(
    points: Points,
    errand: str,
    prepare: Callable[[], Awaitable[None]],
    judge: Callable[[str], Awaitable[None]],
    whens: Sequence[str] = ("before", "after"),
) -> int:
    """Kill at each point in turn until the errand is done before the kill; returns how many there are.

    Where parts of it go on side by side, their order is not always the same, and some place in the code may have been
    passed over: it is killed there as well.
    """
    point, killed = 0, True
    while killed:
        point += 1
        for when in whens:
            await prepare()
            killed = await points.killed(errand, point, when)
            await judge(f"{errand}, {when} exchange {point}")
    for when in whens:
        for sent in sorted(points.seen - {each for at, each in points.at if at == when}):
            await prepare()
            await points.killed(errand, sent, when)
            await judge(f"{errand}, {when} {sent}")
    return point


async def alone(database: Database) -> bool:
    """Whether the server has noticed that the killed program is gone, and let go of what it had locked."""
    return bool(
        await one(
            database,
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'",
        )
    )
