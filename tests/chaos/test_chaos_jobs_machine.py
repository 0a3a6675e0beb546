"""Jobs as a machine that anybody may push at any moment: Hypothesis chooses who does what, and what must hold is
looked at after every step, on a real database with the functions that the engine uses.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from support.databases import Server, _drop_templates, dsn
from support.engines import NO_PAYLOADS, configuration
from support.jobs import job, now, schedule
from watchfloor.domain.retry import LOST, Ending
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import definitions
from watchfloor.engine.carrying import finished
from watchfloor.engine.firer import Firer
from watchfloor.engine.node import Node
from watchfloor.engine.reaper import Reaper
from watchfloor.engine.runner import Runner
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import runs, workers
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.jobs import apply_jobs
from watchfloor.store.pulse import Pulse
from watchfloor.store.runs import Claimed

__all__ = ["_drop_templates", "dsn"]

pytestmark = pytest.mark.chaos

ANN = Actor("ann")
NAMES = ("capped", "once", "often", "skips")
FINAL = ("succeeded", "dead", "cancelled", "skipped", "missed")
ENDINGS = {
    "success": Ending(),
    "failure": Ending("script.exit.1", "it failed", 1),
    "lost": Ending(LOST, "its node was not heard of for too long"),
}
RETRY = {"attempts": 3, "first": "0s"}
LINK = {"job": "once", "when": "success", "parameters": {}, "pass_on": False}
EXAMPLES = int(os.environ.get("WATCHFLOOR_EXAMPLES", "12"))

Answer = TypeVar("Answer")


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


def jobs(anchor: str) -> list[Any]:
    """The jobs; another anchor is another schedule."""
    hourly = schedule(every="1h", anchor=anchor, catch_up="all")
    return [
        job("capped", hourly, slots=2, overlap="queue_all", retry=RETRY),
        job("once", at_most_once=True),
        job("often", hourly, retry=RETRY, chains=(LINK,)),
        job("skips", hourly, slots=1, overlap="skip", retry=RETRY),
    ]


@dataclass
class Held:
    """A run as a worker holds it, whether the worker is alive or not."""

    run: Claimed
    worker: int


@dataclass
class World:
    """The database and the loop on which its functions run."""

    runner: asyncio.Runner
    database: Database
    node: Node
    idle: Runner
    starts: Counter[tuple[int, int]] = field(default_factory=Counter)

    def do(self, what: Coroutine[Any, Any, Answer]) -> Answer:
        return self.runner.run(what)

    def ask(self, query: str) -> list[Any]:
        """The rows of a query, none of a statement that gives none."""

        async def ask() -> list[Any]:
            async with self.database.transaction() as connection:
                cursor = await connection.execute(query)
                return await cursor.fetchall() if cursor.description else []

        return self.do(ask())


@pytest.fixture
def world(dsn: str) -> Iterator[World]:
    with asyncio.Runner() as runner:
        database = Database(dsn, name="machine", size=2)
        node = Node(
            1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS}
        )
        yield World(runner, database, node, Runner(node, NO_PAYLOADS, Path.cwd()))
        runner.run(database.close())


def machine_on(world: World) -> type[RuleBasedStateMachine]:
    """The machine, on a database."""

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.held: list[Held] = []
            self.alive: list[int] = []
            self.final: dict[int, str] = {}
            self.starts: Counter[tuple[int, int]] = Counter()

        @initialize()
        def begin(self) -> None:
            for table in ("runs", "workers", "jobs", "nodes"):
                world.ask(f"DELETE FROM {table}")
            world.ask(
                "INSERT INTO nodes (id, name, machine, pid, version, environment, tags, state, started_at, beat_at, "
                "lease_until) OVERRIDING SYSTEM VALUE "
                "VALUES (1, 'x', '', 1, '', '', '{}', 'running', now(), now(), now())"
            )
            self.edit("2026-01-01")

        @rule(anchor=st.sampled_from(["2026-01-01", "2026-01-01T00:30"]))
        def edit(self, anchor: str) -> None:
            async def apply() -> None:
                async with world.database.transaction() as connection:
                    await apply_jobs(connection, definitions.jobs(configuration(jobs=jobs(anchor))), now())

            world.do(apply())

        @rule(name=st.sampled_from(NAMES), often=st.integers(1, 3))
        def ask(self, name: str, often: int) -> None:
            key = uuid4()
            try:
                made = {world.do(operations.run_now(world.database, ANN, name, key)) for _ in range(often)}
            except Refused:
                return  # it is paused
            assert len(made) == 1

        @rule()
        def fire(self) -> None:
            world.ask(
                "UPDATE schedules SET next_fire_at = next_fire_at - interval '3 hours' WHERE state = 'active'"
            )
            world.do(Firer(world.node, world.idle).once())

        @rule(name=st.sampled_from(NAMES), paused=st.booleans())
        def pause(self, name: str, paused: bool) -> None:
            world.do(operations.set_paused(world.database, ANN, name, paused))

        @precondition(lambda self: len(self.alive) < 3)
        @rule()
        def join(self) -> None:
            async def register() -> int:
                async with world.database.transaction() as connection:
                    return await workers.register(connection, 1, "", 1, "")

            self.alive.append(world.do(register()))

        @precondition(lambda self: self.alive)
        @rule(data=st.data(), most=st.integers(1, 4))
        def claim(self, data: st.DataObject, most: int) -> None:
            worker = data.draw(st.sampled_from(self.alive))
            for run in self._claim(worker, most):
                self.starts[(run.id, run.attempt)] += 1
                self.held.append(Held(run, worker))

        def _claim(self, worker: int, most: int) -> list[Claimed]:
            async def claim() -> list[Claimed]:
                async with world.database.transaction() as connection:
                    return await runs.claim(connection, worker, most, ["default"])

            return world.do(claim())

        @precondition(lambda self: self.held)
        @rule(data=st.data(), how=st.sampled_from(sorted(ENDINGS)), twice=st.booleans())
        def finish(self, data: st.DataObject, how: str, twice: bool) -> None:
            held = data.draw(st.sampled_from(self.held))
            self.held.remove(held)
            running = world.ask(
                f"SELECT 1 FROM runs WHERE id = {held.run.id} AND state = 'running' AND attempt = {held.run.attempt} "
                f"AND worker_id = {held.worker}"
            )
            taken = [self._finish(held, ENDINGS[how]) for _ in range(1 + twice)]
            assert taken == [bool(running), *([False] * twice)], (
                "the fence let in what it must not, or refused its own"
            )

        def _finish(self, held: Held, ending: Ending) -> bool:
            async def finish() -> bool:
                async with world.database.transaction() as connection:
                    return bool(
                        await runs.finish(connection, [finished(held.run, held.worker, ending, now())])
                    )

            return world.do(finish())

        @precondition(lambda self: self.alive)
        @rule(data=st.data())
        def die(self, data: st.DataObject) -> None:
            """A worker is declared dead; what it holds it may still try to write (it was only asleep)."""
            worker = data.draw(st.sampled_from(self.alive))
            self.alive.remove(worker)

            async def bury() -> list[int]:
                async with world.database.transaction() as connection:
                    return await workers.declare_dead(connection, [worker])

            assert world.do(bury()) == [worker]

        @rule()
        def reap(self) -> None:
            world.do(Reaper(world.node, lambda: None).once())

        @rule(data=st.data())
        def cancel(self, data: st.DataObject) -> None:
            known = [row[0] for row in world.ask("SELECT id FROM runs ORDER BY id DESC LIMIT 10")]
            if known:
                run = data.draw(st.sampled_from(known))
                try:
                    world.do(operations.cancel(world.database, ANN, run))
                except Refused:
                    assert world.ask(f"SELECT state FROM runs WHERE id = {run}")[0][0] in FINAL

        @rule(data=st.data(), discard=st.booleans())
        def settle(self, data: st.DataObject, discard: bool) -> None:
            dead = [
                row[0]
                for row in world.ask("SELECT run_id FROM dead_letters WHERE settled_at IS NULL ORDER BY 1")
            ]
            if dead:
                run = data.draw(st.sampled_from(dead))
                act = operations.discard if discard else operations.requeue
                world.do(act(world.database, ANN, run))

        @invariant()
        def it_all_holds(self) -> None:
            found = world.ask(
                "SELECT r.id, r.state, r.attempt, r.slot, r.job_id, j.slots, j.at_most_once, r.fire_key, "
                "(SELECT count(*) FROM attempts a WHERE a.run_id = r.id) AS booked, "
                "(SELECT count(*) FROM dead_letters d WHERE d.run_id = r.id) AS letters "
                "FROM runs r JOIN jobs j ON j.id = r.job_id"
            )
            slots: Counter[tuple[int, int]] = Counter()
            for row in found:
                was = self.final.get(row.id)
                assert was in (None, row.state), f"run {row.id} was {was} and is {row.state}"
                if row.state in FINAL:
                    self.final[row.id] = row.state
                assert row.attempt == row.booked
                assert row.letters == (row.state == "dead")
                assert not (row.at_most_once and row.attempt > 1)
                assert (row.slot is None) or row.state in ("ready", "running")
                if row.state in ("ready", "running") and row.slots is not None:
                    assert 1 <= row.slot <= row.slots
                    slots[(row.job_id, row.slot)] += 1
            assert not slots or max(slots.values()) == 1
            assert len({(row.job_id, row.fire_key) for row in found}) == len(found)
            assert not self.starts or max(self.starts.values()) == 1

        def teardown(self) -> None:
            """Left alone with one good worker everything comes to its end."""
            for worker in list(self.alive):
                world.ask(f"UPDATE workers SET state = 'dead' WHERE id = {worker}")
            self.alive.clear()
            self.join()
            open_ = "SELECT id FROM runs WHERE state IN ('waiting', 'ready', 'running') ORDER BY id"
            for _ in range(60):
                self.reap()
                for run in self._claim(self.alive[0], 50):
                    self.starts[(run.id, run.attempt)] += 1
                    assert self._finish(Held(run, self.alive[0]), Ending())
                if not world.ask(open_):
                    break
            assert world.ask(open_) == []
            self.it_all_holds()

    return Machine


def test_whoever_does_what_in_whatever_order_it_all_holds(world: World) -> None:
    run_state_machine_as_test(
        machine_on(world),
        settings=hypothesis_settings(
            hypothesis_settings.get_profile("quick"), max_examples=EXAMPLES, stateful_step_count=25
        ),
    )
