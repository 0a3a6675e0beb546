"""Jobs in a storm: five nodes killed, frozen, cut off, their database restarted, their clocks stepped.

When all is over, 0 fires were lost, 0 executions of one run overlapped, 0 runs of an at-most-once job began twice.
2,000 occurrences by default, 100,000 with ``--chaos-long`` (or ``WATCHFLOOR_OCCURRENCES``).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from chaos_checker import Findings, RunFact, check

from support.sql import rows
from support.waiting import until
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded, status
from watchfloor.store.errors import is_away
from watchfloor.store.schema import ensure_schema

pytestmark = pytest.mark.chaos

ANN = Actor("ann")
PROGRAM = Path(__file__).with_name("chaos_labour.py")
TESTS = Path(__file__).parents[1]
NODES = 5
ONCE = frozenset({"once", "script once"})
BURST = 40
OPEN = "state IN ('waiting', 'ready', 'running')"
TRUSTED = "state = 'up' AND lease_until > clock_timestamp()"


@dataclass
class Storm:
    """Nodes on one database, and what is done to them."""

    ground: Path
    dsn: str
    database: Database
    chance: random.Random
    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    began: int = 0
    frozen: list[tuple[float, subprocess.Popen[bytes]]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    @property
    def ledger(self) -> Path:
        return self.ground / "ledger"

    @property
    def living(self) -> int:
        return sum(process.poll() is None for process in self.nodes.values())

    def start(self) -> None:
        self.began += 1
        name = f"n{self.began}"
        path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH", ""))))
        environ = {**os.environ, "PYTHONPATH": path}
        command = [sys.executable, str(PROGRAM), self.dsn, name, str(self.ledger)]
        with (self.ground / f"{name}.log").open("wb") as log:
            self.nodes[name] = subprocess.Popen(
                command, env=environ, stdout=log, stderr=log, preexec_fn=_heed_no_clock_yet
            )

    def _awake(self) -> list[str]:
        frozen = [process for _, process in self.frozen]
        return [name for name, process in self.nodes.items() if process not in frozen]

    def kill(self) -> None:
        victim = self.chance.choice(self._awake())
        process = self.nodes.pop(victim)
        process.kill()
        process.wait()
        self.start()

    def freeze(self, seconds: float) -> None:
        process = self.nodes[self.chance.choice(self._awake())]
        process.send_signal(signal.SIGSTOP)
        self.frozen.append((time.monotonic() + seconds, process))

    def thaw(self) -> None:
        now = time.monotonic()
        for until_, process in list(self.frozen):
            if until_ <= now:
                process.send_signal(signal.SIGCONT)
                self.frozen.remove((until_, process))

    def step_clock(self) -> None:
        self.nodes[self.chance.choice(self._awake())].send_signal(signal.SIGUSR2)

    def terminate(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
                "WHERE application_name LIKE 'watchfloor engine%' ORDER BY random() LIMIT 6) b"
            )

    def restart_server(self) -> None:
        found = status(self.ground / "server")
        assert found.pid is not None
        os.kill(found.pid, signal.SIGINT)

    def end(self) -> None:
        for process in self.nodes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def said(self) -> str:
        return "\n".join(
            path.read_text(errors="replace")[-1500:] for path in sorted(self.ground.glob("n*.log"))
        )


def _heed_no_clock_yet() -> None:
    """A node that has only begun would be ended by the signal that steps its clock."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


@pytest.fixture
async def storm(server_dir: Path, chaos_seed: int) -> AsyncIterator[Storm]:
    with Embedded.start(server_dir / "server") as server:
        database = Database(server.dsn, name="test")
        await ensure_schema(database)
        made = Storm(server_dir, server.dsn, database, random.Random(chaos_seed))
        made.ledger.touch()
        try:
            yield made
        finally:
            made.end()
            await database.close()


async def patiently(storm: Storm, name: str) -> int:
    """Ask for a run until it is granted: a key makes that one run, however often it is asked."""
    key = uuid4()
    while True:
        try:
            return await operations.run_now(storm.database, ANN, name, key)
        except Exception as error:
            if not is_away(error):
                raise
            await asyncio.sleep(0.1)


async def count(storm: Storm, what: str) -> int:
    """A number from the database, asked again while it is away."""
    while True:
        try:
            return int((await rows(storm.database, what))[0][0])
        except Exception as error:
            if not is_away(error):
                raise
            await asyncio.sleep(0.1)


async def test_in_a_storm_nothing_is_lost_nothing_overlaps_and_nothing_begins_twice(
    storm: Storm, chaos_long: bool
) -> None:
    wanted = int(os.environ.get("WATCHFLOOR_OCCURRENCES", "100000" if chaos_long else "2000"))
    for _ in range(NODES):
        storm.start()
    ready = "SELECT count(*) FROM workers WHERE state = 'up'"
    await until(lambda: _at_least(storm, ready, NODES), timeout=120)
    asked = await _rage(storm, wanted, 60.0 if chaos_long else 13.0)
    for _, process in storm.frozen:
        process.send_signal(signal.SIGCONT)
    await _calm(storm)
    found = await _findings(storm, asked)
    print(f"{found.occurrences} occurrences, {found.attempts} attempts, {dict(storm.done)}")
    assert found.clean, f"{found}\n{storm.said()}"
    assert found.occurrences >= wanted
    assert await count(storm, "SELECT count(*) FROM attempts WHERE error_class = 'worker.lost'") > 0


async def _at_least(storm: Storm, what: str, least: int) -> bool:
    return await count(storm, what) >= least


async def _rage(storm: Storm, wanted: int, longest_freeze_s: float) -> list[int]:
    """Ask for runs, and do what storms do, until there are as many as ``wanted``."""
    trouble: list[tuple[str, Callable[[], None]]] = [
        ("kill", storm.kill),
        ("terminated backends", storm.terminate),
        ("clock step", storm.step_clock),
        ("freeze", lambda: storm.freeze(storm.chance.uniform(5.0, longest_freeze_s))),
        ("kill", storm.kill),
        ("server restart", storm.restart_server),
    ]
    asked: list[int] = []
    turn = 0
    while await count(storm, "SELECT count(*) FROM runs") < wanted:
        names = ["often", "once"] * (BURST // 2) + (["script", "script once"] if turn % 4 == 0 else [])
        asked += await asyncio.gather(*(patiently(storm, name) for name in names))
        storm.thaw()
        if turn % 3 == 2 and (len(storm.frozen) < NODES - 2):
            what, do = trouble[turn // 3 % len(trouble)]
            try:
                do()
            except psycopg.OperationalError:
                pass  # the server is away: that is trouble enough
            else:
                storm.done[what] += 1
        turn += 1
        await until(lambda: _at_most(storm, 20 * NODES), timeout=300)
    return asked


async def _at_most(storm: Storm, most: int) -> bool:
    storm.thaw()
    return await count(storm, "SELECT count(*) FROM runs WHERE state IN ('ready', 'running')") <= most


async def _calm(storm: Storm) -> None:
    """No more fires; wait until every run has come to its end, and every node that lives takes runs."""
    for name in ("capped", *(f"tick {n}" for n in range(4))):
        while True:
            try:
                await operations.set_paused(storm.database, ANN, name, True)
                break
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(0.1)
    try:
        await until(lambda: _none(storm, f"SELECT count(*) FROM runs WHERE {OPEN}"), timeout=300)
        await until(lambda: _at_least(storm, f"SELECT count(*) FROM workers WHERE {TRUSTED}", storm.living))
    except AssertionError as error:
        raise AssertionError(await _left(storm)) from error


async def _none(storm: Storm, what: str) -> bool:
    return await count(storm, what) == 0


async def _left(storm: Storm) -> str:
    """What is not over, and who should have seen to it."""
    queries = (f"SELECT * FROM runs WHERE {OPEN} LIMIT 20", "SELECT * FROM workers", "SELECT now()")
    found = [str(row) for query in queries for row in await rows(storm.database, query)]
    return "\n".join([*found, f"{storm.living} nodes live", storm.said()])


async def _findings(storm: Storm, asked: list[int]) -> Findings:
    facts = await rows(
        storm.database,
        "SELECT r.id, j.name, r.state, r.attempt, (SELECT count(*) FROM attempts a WHERE a.run_id = r.id), r.origin, "
        "r.schedule_id, extract(epoch FROM r.scheduled_for)::float8, r.missed, r.upstream_id "
        "FROM runs r JOIN jobs j ON j.id = r.job_id",
    )
    return check(
        storm.ledger.read_text().splitlines(),
        [RunFact(*fact) for fact in facts],
        at_most_once=ONCE,
        every_s=1.0,
        chains={"often": "after"},
        asked=asked,
    )


def fact(run: int, job: str = "often", **values: object) -> RunFact:
    facts: dict[str, object] = {
        "id": run, "job": job, "state": "succeeded", "attempt": 1, "booked": 1, "origin": "manual", "schedule": None,
        "due": 0.0, "missed": 0, **values,
    }  # fmt: skip
    return RunFact(**facts)  # type: ignore[arg-type]


TWICE = {"attempt": 2, "booked": 2}
FIRED = {"state": "dead", "origin": "schedule", "schedule": 7, "attempt": 0, "booked": 0}


@pytest.mark.parametrize(
    ("finds", "ledger", "facts"),
    [
        ("overlaps", "start 1 1 1.1 0/end 1 1 1.1 2/start 1 2 1.2 1/end 1 2 1.2 3", [fact(1, **TWICE)]),
        ("second_starts", "start 1 1 1.1 0/start 1 1 1.1 1/end 1 1 1.1 2", [fact(1)]),
        ("second_starts", "start 1 1 1.1 0/start 1 2 1.2 1/end 1 2 1.2 2", [fact(1, "once", **TWICE)]),
        ("contradictions", "start 1 1 1.1 0", [fact(1)]),
        ("unfinished", "", [fact(1, state="ready", attempt=0, booked=0)]),
        ("lost_fires", "", [fact(n, **FIRED, due=n) for n in (1, 2, 4)]),
        ("lost_fires", "start 2 1 2.1 0/end 2 1 2.1 1", [fact(2, "first")]),
    ],
)
def test_the_checker_finds_what_must_not_be(finds: str, ledger: str, facts: list[RunFact]) -> None:
    lines = [line for line in ledger.split("/") if line]
    found = check(lines, facts, at_most_once=ONCE, every_s=1.0, chains={"first": "second"})
    assert getattr(found, finds), found
    assert not found.clean
