"""Several nodes watch together, in processes of their own: one is killed, leaves, joins, freezes and comes back.

Whatever happens, a service is checked at every slot and by one node only, as the stored results and the target say.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from chaos_watchers import EVERY_S

from support.databases import Server, _drop_templates, database, dsn
from support.receivers import status
from support.sql import one, rows
from support.waiting import until
from watchfloor.domain.sharing import owner
from watchfloor.domain.slots import phase
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "database", "dsn"]

pytestmark = pytest.mark.chaos

PROGRAM = Path(__file__).with_name("chaos_watchers.py")
TESTS = Path(__file__).parents[1]
PAGES = 24
EVERY_NS = int(EVERY_S * 1e9)
TAKE_OVER_S = 12.0
LEAVE_S = 1.0
STEADY_S = 2 * EVERY_S
"""So long everything goes its way before and after something happens."""


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


@dataclass
class Target:
    """A web server that keeps when it was asked for what, and by which node."""

    url: str = ""
    asked: list[tuple[float, str, str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):  # killed in the middle
            head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            node = next((line.partition(": ")[2] for line in head if line.lower().startswith("x-node:")), "")
            self.asked.append((time.time(), head[0].split(" ")[1], node))
            writer.write(status(204))
            await writer.drain()
        writer.close()


@dataclass
class Room:
    """Nodes, what they watch, and what came of it."""

    ground: Path
    dsn: str
    database: Database
    target: Target
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)

    async def join(self, name: str) -> None:
        """Start a node and wait until it checks something."""
        path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH", ""))))
        environ = {**os.environ, "PYTHONPATH": path, "WATCHER": name}
        command = [sys.executable, str(PROGRAM), self.dsn, name, self.target.url, str(PAGES)]
        with (self.ground / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        await until(lambda: self.checks_of(name, time.time() - EVERY_S))
        self.ids[name] = await one(self.database, "SELECT id FROM nodes WHERE name = %(name)s", name=name)

    async def checks_of(self, name: str, since: float) -> int:
        """How many checks of a node are stored since a moment."""
        found: int = await one(
            self.database,
            "SELECT count(*) FROM check_results r JOIN nodes n ON n.id = r.node_id "
            "WHERE n.name = %(name)s AND r.ts > to_timestamp(%(since)s)",
            name=name,
            since=since,
        )
        return found

    async def owned_by(self, name: str, *others: str) -> set[int]:
        """The services that a node owns among others."""
        sharing = [self.ids[each] for each in (name, *others)]
        found = await rows(self.database, "SELECT id, uuid FROM services")
        return {each for each, uuid in found if owner(str(uuid), sharing) == self.ids[name]}

    async def checked_by(self, name: str, since: float) -> set[int]:
        """The services that a node checked since a moment."""
        found = await rows(
            self.database,
            "SELECT DISTINCT service_id FROM check_results WHERE node_id = %(id)s AND ts > to_timestamp(%(since)s)",
            id=self.ids[name],
            since=since,
        )
        return {row[0] for row in found}

    async def pass_by(self, until_: float) -> float:
        """Go on until the results up to a moment are stored; returns that moment."""
        query = "SELECT count(*) FROM service_state WHERE last_started > to_timestamp(%(at)s)"
        await until(lambda: self._all(query, until_), timeout=60)
        return until_

    async def _all(self, query: str, at: float) -> bool:
        return bool(await one(self.database, query, at=at) == PAGES)

    async def results(self) -> list[tuple[int, int, float, float, int]]:
        """Service, number of its slot, when that slot was, how late the check began, and the node: all on the grid."""
        found = await rows(
            self.database,
            "SELECT r.service_id, s.uuid, extract(epoch FROM r.ts)::float8, r.lag_us / 1e6::float8, r.node_id "
            "FROM check_results r JOIN services s ON s.id = r.service_id ORDER BY r.ts",
        )
        made = []
        for service_id, uuid, began, lag, node_id in found:
            phase_s = phase(str(uuid), EVERY_NS) / 1e9
            number = round((began - lag - phase_s) / EVERY_S)
            made.append((service_id, number, number * EVERY_S + phase_s, lag, node_id))
        return made

    async def slots(self, since: float, until_: float) -> dict[int, list[tuple[int, float]]]:
        """Number and moment of each slot of every service that was due between two moments."""
        due: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for service_id, uuid in await rows(self.database, "SELECT id, uuid FROM services"):
            phase_s = phase(str(uuid), EVERY_NS) / 1e9
            number = int((since - phase_s) // EVERY_S) + 1
            while (at := number * EVERY_S + phase_s) < until_:
                due[service_id].append((number, at))
                number += 1
        return due

    async def assert_once_each(self, since: float, until_: float, but: Collection[int] = ()) -> None:
        """Every slot between two moments was used exactly once, except those of the services ``but``: once at most."""
        used = Counter((service_id, number) for service_id, number, *_ in await self.results())
        for service_id, slots in (await self.slots(since, until_)).items():
            for number, at in slots:
                times = used[service_id, number]
                assert times == 1 or (service_id in but and times == 0), (service_id, at - since, times)

    def assert_target_never_asked_by_two(self, since: float, until_: float) -> None:
        """By the target's own log no two nodes asked for one page within half of its interval."""
        latest: dict[str, tuple[float, str]] = {}
        for at, page, node in self.target.asked:
            before, other = latest.get(page, (0.0, node))
            if since <= at < until_:
                assert node == other or at - before > EVERY_S / 2, (page, other, node, at - before)
            latest[page] = (at, node)


@pytest_asyncio.fixture
async def room(database: Database, dsn: str, tmp_path: Path) -> AsyncIterator[Room]:
    target = Target()
    listening = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    target.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        made = Room(tmp_path, dsn, database, target)
        try:
            for name in ("one", "two", "three"):
                await made.join(name)
            await made.pass_by(time.time() + EVERY_S)  # first checks are off the grid of slots
            yield made
        finally:
            for process in made.processes.values():
                process.send_signal(signal.SIGCONT)
                process.terminate()
            for process in made.processes.values():
                await asyncio.to_thread(process.wait, 30)


async def test_the_services_of_a_node_that_is_killed_are_checked_within_twelve_seconds(room: Room) -> None:
    since = time.time()
    await room.pass_by(since + STEADY_S)
    theirs = await room.owned_by("two", "one", "three")
    assert theirs
    room.processes["two"].kill()
    killed = time.time()
    end = await room.pass_by(killed + TAKE_OVER_S + STEADY_S)
    await room.assert_once_each(since, killed - 0.5)
    await room.assert_once_each(killed, end, but=theirs)
    await room.assert_once_each(killed + TAKE_OVER_S, end)
    for service_id in theirs:
        after = [
            at + lag
            for found, _, at, lag, node_id in await room.results()
            if found == service_id and node_id != room.ids["two"] and at + lag > killed
        ]
        assert min(after) - killed <= TAKE_OVER_S


async def test_a_node_that_leaves_or_joins_costs_no_slot_and_none_twice(room: Room) -> None:
    since = time.time()
    await room.pass_by(since + EVERY_S)
    theirs = await room.owned_by("two", "one", "three")
    assert theirs
    left = time.time()
    room.processes["two"].terminate()
    await room.pass_by(left + STEADY_S)
    await room.join("four")
    end = await room.pass_by(time.time() + EVERY_S)
    await room.assert_once_each(since, end)
    late = [lag for _, _, at, lag, _ in await room.results() if left < at < end]
    assert max(late) <= LEAVE_S
    room.assert_target_never_asked_by_two(since, end)


async def test_a_node_that_froze_until_it_was_lost_does_not_go_on_as_if_it_owned_its_services(
    room: Room,
) -> None:
    since = time.time()
    await room.pass_by(since + EVERY_S)
    theirs = await room.owned_by("two", "one", "three")
    frozen = time.time()
    room.processes["two"].send_signal(signal.SIGSTOP)
    await until(lambda: one(room.database, "SELECT lost_at FROM nodes WHERE name = 'two'"))
    taken = await room.pass_by(time.time() + 2 * EVERY_S)
    assert taken - 2 * EVERY_S - frozen <= TAKE_OVER_S
    woken = time.time()
    room.processes["two"].send_signal(signal.SIGCONT)
    await until(lambda: room.checks_of("two", woken))
    end = await room.pass_by(time.time() + STEADY_S)
    assert await room.checked_by("two", end - EVERY_S) == theirs
    await room.assert_once_each(since, frozen - 0.5)
    await room.assert_once_each(frozen, end, but=theirs)  # one may be left out as it goes back, too
    await room.assert_once_each(frozen + TAKE_OVER_S, woken - 0.5)
    room.assert_target_never_asked_by_two(woken - EVERY_S, end)
