"""Jobs under attack: nodes killed while they fire, run and book. Nothing is lost, nothing overlaps, nothing twice.

The scripts that jobs run write what they do to a file that nobody else touches; the checker looks at that file and
at the database when all is over.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest

from support.databases import Server, _drop_templates, database, dsn
from support.engines import brisk
from support.sql import one, rows
from support.waiting import until
from watchfloor.engine.leftovers import GONE_S
from watchfloor.engine.worker import MARGIN_S
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Actor
from watchfloor.payloads.keeper import LAST_GRACE_S
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "brisk", "database", "dsn"]

pytestmark = pytest.mark.chaos

ANN = Actor("ann")


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


CONFIG = """
jobs:
  - name: often
    kind: script
    overlap: allow
    retry: {{attempts: 50, first: 0s}}
    run: &run [/bin/sh, -c, '{script}']
    kill_grace: 0s
  - name: once
    kind: script
    overlap: allow
    delivery: at_most_once
    run: *run
    kill_grace: 0s
  - name: tick
    kind: script
    schedules: [{{every: 1s, catch_up: all}}]
    overlap: allow
    retry: {{attempts: 50, first: 0s}}
    run: *run
    kill_grace: 0s
"""
SCRIPT = (
    'say() {{ echo "$1 $JOB_RUN_ID $JOB_ATTEMPT $(date +%s%N)" >> {ledger}; }}; '
    "say start; for n in 1 2 3 4; do sleep 0.1; say tick; done; say end"
)


@dataclass
class Nodes:
    """Nodes of one database, the real program, some of them killed now and then."""

    ground: Path
    dsn: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    began: int = 0

    def start(self) -> None:
        self.began += 1
        name = f"n{self.began}"
        environ = {**os.environ, "WATCHFLOOR_DATABASE": self.dsn, "WATCHFLOOR_DATA": str(self.ground)}
        command = [
            sys.executable,
            "-m",
            "watchfloor",
            "--config",
            str(self.ground / "c.yaml"),
            "--node",
            name,
            "serve",
        ]
        log = (self.ground / f"{name}.log").open("wb")
        self.processes[name] = subprocess.Popen(command, env=environ, stdout=log, stderr=log)

    def send(self, chance: random.Random, which: int) -> subprocess.Popen[bytes]:
        process = chance.choice(list(self.processes.values()))
        process.send_signal(which)
        return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self.processes = {name: each for name, each in self.processes.items() if each is not process}

    def end(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.fixture
def nodes(dsn: str, tmp_path: Path) -> Iterator[Nodes]:
    made = Nodes(tmp_path, dsn)
    yield made
    made.end()


async def test_with_nodes_killed_at_random_nothing_is_lost_and_nothing_overlaps(
    database: Database, nodes: Nodes, chaos_long: bool, chaos_seed: int
) -> None:
    kills, asked = (40, 1000) if chaos_long else (3, 15)
    chance = random.Random(chaos_seed)
    ledger = nodes.ground / "ledger"
    (nodes.ground / "c.yaml").write_text(CONFIG.format(script=SCRIPT.format(ledger=ledger)))
    for _ in range(3):
        nodes.start()
    await until(lambda: one(database, "SELECT count(*) = 3 FROM workers WHERE state = 'up'"), timeout=60)
    made: list[int] = []
    for _ in range(kills):
        for _ in range(asked // kills):
            made += [await operations.run_now(database, ANN, name, uuid4()) for name in ("often", "once")]
        await until(lambda: one(database, "SELECT count(*) >= 3 FROM runs WHERE state = 'running'"))
        if chaos_long and chance.random() < 0.4:
            frozen = nodes.send(chance, signal.SIGSTOP)
            await asyncio.sleep(chance.uniform(5, 30))
            frozen.send_signal(signal.SIGCONT)
        else:
            nodes.forget(nodes.send(chance, signal.SIGKILL))
            nodes.start()
    await until(lambda: one(database, "SELECT count(*) >= 3 FROM runs WHERE origin = 'schedule'"), timeout=60)
    await operations.set_paused(database, ANN, "tick", True)
    final = "SELECT bool_and(state IN ('succeeded', 'dead', 'missed')) FROM runs"
    await until(lambda: one(database, final), timeout=120)
    assert await one(database, "SELECT count(*) >= 3 FROM attempts WHERE error_class = 'worker.lost'")
    await _check(database, ledger, made)


async def _check(database: Database, ledger: Path, made: list[int]) -> None:
    found = await rows(
        database, "SELECT r.id, j.name, r.state, r.attempt FROM runs r JOIN jobs j ON j.id = r.job_id"
    )
    states = {row[0]: (row[1], row[2]) for row in found}
    assert not [run for run in made if run not in states]
    lived: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    started: dict[int, int] = defaultdict(int)
    ended: set[int] = set()
    for line in ledger.read_text().splitlines():
        word, run, attempt, at = line.split()
        lived[int(run)][int(attempt)].append(int(at))
        started[int(run)] += word == "start"
        if word == "end":
            ended.add(int(run))
    for run, attempts in lived.items():
        spans = [(min(times), max(times)) for _, times in sorted(attempts.items())]
        overlaps = [(a, b) for a, b in pairwise(spans) if b[0] <= a[1]]
        assert overlaps == [], f"run {run} was carried out twice at the same time"
    for run, (name, state) in states.items():
        if name == "once":
            assert started[run] <= 1, f"run {run} was started twice"
        elif state != "missed":
            assert state == "succeeded", f"run {run} of {name} is {state}"
        if state == "succeeded":
            assert run in ended, f"run {run} counts as done and was not"
    fired = await one(
        database,
        "SELECT count(*) + coalesce(sum(missed), 0) - (max(round(extract(epoch FROM scheduled_for))) "
        "- min(round(extract(epoch FROM scheduled_for))) + 1) FROM runs "
        "WHERE origin = 'schedule' AND state <> 'missed'",
    )
    assert fired == 0, "a fire was lost"


def test_time_is_left_for_keepers_before_anybody_takes_over() -> None:
    assert GONE_S > LAST_GRACE_S
    assert MARGIN_S > LAST_GRACE_S
