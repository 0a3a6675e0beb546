"""Several engines on one database: they share the work, take over from each other, and never share a name."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from support.engines import Stage, configuration, plan, running, service
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.engine import recorder, registration, supervisor
from watchfloor.engine.engine import Engine, Plan, Progress
from watchfloor.engine.node import Node
from watchfloor.engine.registration import NameLock, register
from watchfloor.engine.steward import Steward
from watchfloor.store.database import Database
from watchfloor.store.errors import StoreError
from watchfloor.store.nodes import LOCK_CLASS

pytestmark = pytest.mark.usefixtures("brisk")

SERVICES = tuple(service(f"s{n}") for n in range(12))


def node_plan(dsn: str, stage: Stage, name: str, **values: bool) -> Plan:
    return plan(dsn, stage, configuration(*SERVICES, node=name), **values)


def checked(stage: Stage) -> set[str]:
    return {target for target, calls in stage.calls.items() if calls}


async def test_two_nodes_share_the_services_and_together_check_them_all(dsn: str) -> None:
    first, second = Stage(), Stage()
    async with running(node_plan(dsn, first, "one")), running(node_plan(dsn, second, "two")):
        await until(lambda: _shared(first, second))


async def _shared(*stages: Stage) -> bool:
    """Whether, for a while, each service is checked by exactly one of them."""
    before = [{target: len(calls) for target, calls in stage.calls.items()} for stage in stages]
    await asyncio.sleep(0.5)
    moved = [
        {target for target, calls in stage.calls.items() if len(calls) > seen.get(target, 0)}
        for stage, seen in zip(stages, before, strict=True)
    ]
    return all(moved) and not set.intersection(*moved) and len(set.union(*moved)) == len(SERVICES)


async def test_what_a_node_finds_first_is_stored_at_once(
    database: Database, dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "GATHER_S", 3600.0)
    monkeypatch.setattr(recorder, "stored_within", lambda _: 3600.0)
    monkeypatch.setattr(recorder, "BATCH", 10**9)
    monkeypatch.setattr(supervisor, "TOLERANCE_S", 3600.0)  # nobody wakes it

    async def all_known() -> bool:
        return await one(database, "SELECT count(*) FROM service_state WHERE hard = 0") == len(SERVICES)

    async with running(node_plan(dsn, stage, "one")):
        await until(all_known)


async def test_the_services_of_a_node_that_leaves_are_taken_over(dsn: str) -> None:
    first, second = Stage(), Stage()
    async with running(node_plan(dsn, first, "one")):
        async with running(node_plan(dsn, second, "two")):
            await until(lambda: _shared(first, second))
            first.calls.clear()
        await until(lambda: len(checked(first)) == len(SERVICES))


async def test_the_services_of_a_node_that_is_killed_are_taken_over(database: Database, dsn: str) -> None:
    first, second = Stage(), Stage()
    async with running(node_plan(dsn, first, "one")):
        dying = Engine(node_plan(dsn, second, "two"), Progress(), lambda: None)
        task = asyncio.create_task(dying.run())
        await until(lambda: _shared(first, second))
        dying.abandon()  # its connections end as those of a dead process do
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        first.calls.clear()
        await until(lambda: len(checked(first)) == len(SERVICES))
        assert await one(database, "SELECT state FROM nodes WHERE name = 'two'") == "running"


async def test_an_engine_on_standby_checks_nothing_until_the_other_is_gone(dsn: str) -> None:
    first, second = Stage(), Stage()
    async with contextlib.AsyncExitStack() as other:
        await other.enter_async_context(running(node_plan(dsn, first, "one")))
        await until(lambda: checked(first))
        async with running(node_plan(dsn, second, "two", standby=True)) as waiting:
            await until(lambda: waiting.progress.stage == "standby")
            assert checked(second) == set()
            await other.aclose()
            await until(lambda: len(checked(second)) == len(SERVICES))


async def test_a_name_that_is_taken_is_refused(dsn: str) -> None:
    async with running(node_plan(dsn, Stage(), "one")) as first:
        await until(lambda: first.progress.stage == "running")
        with pytest.raises(
            StoreError, match="node one is already running on this database; start this one with"
        ):
            async with running(node_plan(dsn, Stage(), "one")) as second:
                await asyncio.wait({second.task}, timeout=20)
        assert first.progress.stage == "running"


async def test_a_name_is_free_again_at_once_when_its_engine_is_gone(dsn: str) -> None:
    for _ in range(3):
        async with running(node_plan(dsn, Stage(), "one")) as run:
            await until(lambda run=run: run.progress.stage == "running")


async def test_a_node_waits_a_moment_for_the_lock_of_one_that_just_died(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "PATIENCE_S", 20.0)
    who = configuration().node
    old = NameLock(database)
    node, _ = await register(database, who, old)
    new = NameLock(database)
    waiting = asyncio.create_task(register(database, who, new))
    await asyncio.wait({waiting}, timeout=0.3)
    assert not waiting.done()
    await old.close()
    again, _ = await waiting
    assert again.id == node.id
    await new.close()


async def test_an_engine_whose_name_was_taken_over_gives_way(database: Database, dsn: str) -> None:
    """As after a network that was cut for so long that another engine started under the name."""
    engine = Engine(node_plan(dsn, Stage(), "one"), progress := Progress(), lambda: None)
    task = asyncio.create_task(engine.run())
    await until(lambda: _is_running(database, progress))
    await rows(database, "UPDATE nodes SET started_at = now()")
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(task, 20)
    assert caught.value.subgroup(StoreError) is not None
    assert await one(database, "SELECT state FROM nodes") == "running"


async def _is_running(database: Database, progress: Progress) -> bool:
    """Whether the engine runs and has said so."""
    return progress.stage == "running" and await one(database, "SELECT state FROM nodes") == "running"


async def test_a_lock_that_was_lost_is_taken_again(database: Database) -> None:
    lock = NameLock(database)
    node, _ = await register(database, configuration().node, lock)
    assert lock._connection is not None
    await rows(database, "SELECT pg_terminate_backend(%(pid)s)", pid=lock._connection.info.backend_pid)
    await until(lambda: _free(database, node))
    assert await lock.hold(node.id)
    assert not await _free(database, node)
    await lock.close()


async def _free(database: Database, node: Node) -> bool:
    query = "SELECT count(*) FROM pg_locks WHERE objid = %(id)s AND classid = %(class)s"
    return await one(database, query, **{"id": node.id, "class": LOCK_CLASS}) == 0


async def test_two_engines_that_start_under_one_name_at_the_same_moment_do_not_both_run(
    database: Database,
) -> None:
    who = configuration().node
    locks = [NameLock(database) for _ in range(3)]
    done = await asyncio.gather(*(register(database, who, lock) for lock in locks), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in done) == 1
    assert all(isinstance(each, StoreError | tuple) for each in done), done
    for lock in locks:
        await lock.close()


async def test_an_engine_that_cannot_run_says_why_where_nodes_are_listed(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise ZeroDivisionError("on \x07purpose")

    monkeypatch.setattr(Steward, "begin", fail)
    with pytest.raises(ZeroDivisionError):
        async with running(node_plan(dsn, Stage(), "one")) as run:
            await asyncio.wait({run.task}, timeout=20)
    assert await rows(database, "SELECT state, error FROM nodes") == [
        ("error", "ZeroDivisionError: on purpose")
    ]


async def test_a_node_without_a_file_leaves_to_others_what_their_file_defined(
    database: Database, dsn: str
) -> None:
    first, second = Stage(), Stage()
    built_in = configuration(service("this host"), node="two", path=None)
    async with running(node_plan(dsn, first, "one")), running(plan(dsn, second, built_in)):
        await until(lambda: _shared(first, second))
    names = await column(database, "SELECT name FROM services WHERE retired_at IS NULL")
    assert set(names) == {each.name for each in SERVICES}


async def test_what_a_node_cannot_check_it_says(database: Database, dsn: str, stage: Stage) -> None:
    odd = replace(service("odd"), kind="of another version")
    broken = replace(service("broken"), raw={"target": "${NOT_SET_ANYWHERE}"})
    async with running(plan(dsn, stage, configuration(odd, broken))):
        await until(lambda: _summaries(database, 2))
    found = dict(
        await rows(database, "SELECT name, summary FROM services JOIN service_state ON service_id = id")
    )
    assert found["odd"] == "this node has no probe of kind of another version"
    assert found["broken"].startswith("this node cannot check it: ")
    assert "NOT_SET_ANYWHERE" in found["broken"]


async def _summaries(database: Database, wanted: int) -> bool:
    return await one(database, "SELECT count(*) FROM service_state WHERE summary <> ''") == wanted
