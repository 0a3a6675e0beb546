"""What a node that was killed together with its keepers leaves behind: gone before anybody goes on with its runs."""

from __future__ import annotations

from typing import Any

import pytest

from support.engines import Stage, configuration, plan, running
from support.jobs import Labour, job
from support.processes import alive, killed_with_its_keeper
from support.sql import one, rows
from support.waiting import until
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import leftovers, reaper
from watchfloor.engine.node import Node
from watchfloor.engine.reaper import Reaper
from watchfloor.engine.worker import process_place
from watchfloor.store import workers
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse

pytestmark = pytest.mark.usefixtures("brisk")


async def test_a_node_that_starts_ends_what_a_dead_one_left_before_it_runs_anything(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "GONE_S", 0.2)
    with killed_with_its_keeper() as (mark, _, _):
        made = plan(dsn, Stage(), configuration(jobs=[job("one")]), payloads=Labour().kinds)
        async with running(made):
            await until(lambda: one(database, "SELECT count(*) = 1 FROM workers"))
            assert alive(mark) == []


async def test_a_node_that_buries_a_worker_of_its_machine_ends_what_is_left_of_it_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "GONE_S", 0.0)
    left: list[list[int]] = []
    declare_dead = workers.declare_dead

    async def watched(*args: Any) -> list[int]:
        left.append(alive(mark))
        return await declare_dead(*args)

    monkeypatch.setattr(workers, "declare_dead", watched)
    await rows(
        database,
        "INSERT INTO nodes (name, machine, pid, version, environment, tags, state, started_at, beat_at, lease_until) "
        "VALUES ('one', '', 1, '', '', '{}', 'running', now(), now(), now())",
    )
    node = Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})
    with killed_with_its_keeper() as (mark, pid, birth):
        place, _ = process_place()
        await rows(
            database,
            "INSERT INTO workers (node_id, place, pid, born, state, lease_until) "
            f"SELECT id, '{place}', {pid}, '{birth}', 'up', now() + interval '1 hour' FROM nodes",
        )
        await Reaper(node, lambda: None).once()
        assert left == [[]]
        assert await one(database, "SELECT state FROM workers") == "dead"
