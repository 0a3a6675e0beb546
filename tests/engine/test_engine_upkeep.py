"""Upkeep: what is old goes, a half bit at a time, and nothing that is in use or still needed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest

from support.engines import lone_node
from support.make import make_alerts, make_rules, make_services, now
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import housekeeper, upkeep
from watchfloor.engine.housekeeper import Housekeeper, Task
from watchfloor.engine.node import Node, steady_ns
from watchfloor.store import outbox, retention
from watchfloor.store.database import Database
from watchfloor.store.partitions import DAILY, ensure_partitions, leaf
from watchfloor.store.pulse import Pulse

pytestmark = pytest.mark.usefixtures("brisk")


@pytest.fixture
async def node(database: Database) -> Node:
    settings = {setting.key: setting.default for setting in SETTINGS}
    made = Node(7, "one", database, Pulse(database), settings)
    moment = await now(database)
    made.clock.measured(moment, steady_ns(), steady_ns())
    async with database.transaction() as connection:
        await ensure_partitions(connection, moment.date())
    return made


async def old_days(node: Node, days: int) -> None:
    async with node.database.transaction() as connection:
        await ensure_partitions(connection, node.clock.now().date() - timedelta(days=days), ahead=0)


async def leaves(database: Database, table: str) -> list[str]:
    return await column(
        database,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%(t)s)",
        t=table,
    )


async def test_days_beyond_their_retention_are_dropped_and_the_others_stay(
    node: Node, database: Database
) -> None:
    await old_days(node, 20)
    await old_days(node, 40)
    await upkeep.expire_facts(node)
    today = node.clock.now().date()
    for table, kept in (("logs", 14), ("check_results", 7), ("metric_raw", 30), ("task_runs", 30)):
        found = await leaves(database, table)
        assert (leaf(table, today - timedelta(days=20)) in found) == (kept >= 20), table
        assert leaf(table, today - timedelta(days=40)) not in found
        assert leaf(table, today) in found


async def test_a_table_in_use_holds_up_no_other_table_and_is_finished_next_time(
    node: Node, database: Database
) -> None:
    await old_days(node, 40)
    reader = await database.connect()
    await reader.execute("BEGIN")
    await reader.execute("SELECT count(*) FROM check_results")
    await upkeep.expire_facts(node)
    day = node.clock.now().date() - timedelta(days=40)
    assert leaf("logs", day) not in await leaves(database, "logs")
    assert await one(database, "SELECT to_regclass(%(name)s)", name=leaf("check_results", day)) is not None
    await reader.execute("COMMIT")
    await reader.close()
    await upkeep.expire_facts(node)
    assert await one(database, "SELECT to_regclass(%(name)s)", name=leaf("check_results", day)) is None


async def test_two_nodes_expire_at_once_without_a_fault(node: Node, database: Database) -> None:
    await old_days(node, 40)
    await asyncio.gather(*(upkeep.expire_facts(node) for _ in range(3)))
    await upkeep.expire_facts(node)
    for table in DAILY.keys() - {"run_archive"}:  # kept for longer
        assert leaf(table, node.clock.now().date() - timedelta(days=40)) not in await leaves(database, table)


async def test_old_rows_go_in_small_batches_and_what_is_open_stays(
    node: Node, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    made = await make_services(database, *(f"s{n}" for n in range(12)))
    await make_rules(database)
    stored = await make_alerts(database, *made.values())
    ids = [alert.id for alert in stored]
    await rows(
        database,
        "UPDATE alerts SET state = 'resolved', resolved_at = now() - interval '400 days' WHERE id = ANY(%(ids)s)",
        ids=ids[:10],
    )
    await rows(database, "UPDATE alerts SET held = true WHERE id = %(id)s", id=ids[0])
    moment = await now(database)
    async with database.transaction() as connection:
        message = outbox.Message(stored[1].uuid, ids[1], 1, "ops", "alert.firing", b"{}", moment)
        await outbox.put(connection, [message])
    await rows(
        database,
        "INSERT INTO incidents (service_id, opened_at, confirmed_at, closed_at, worst, cause) "
        "SELECT id, now(), now(), CASE WHEN id % 2 = 0 THEN now() - interval '400 days' END, 2, '' FROM services",
    )
    await rows(
        database,
        "INSERT INTO state_spans SELECT id, now() - interval '500 days', "
        "CASE WHEN id % 2 = 0 THEN now() - interval '450 days' END, 'up' FROM services",
    )
    await rows(
        database,
        "INSERT INTO audit (at, actor, action, object_kind, object_id) "
        "SELECT now() - n * interval '100 days', 'ann', 'x', 'y', 'z' FROM generate_series(0, 9) n",
    )
    await upkeep.expire_rows(node)
    assert await column(database, "SELECT id FROM alerts ORDER BY id") == [ids[0], *ids[10:]]
    assert await one(database, "SELECT count(*) FROM outbox") == 0
    assert (
        await one(database, "SELECT count(*) FROM alert_events WHERE alert_id = ANY(%(ids)s)", ids=ids[1:10])
        == 0
    )
    for table in (
        "incidents WHERE closed_at IS NULL",
        "incidents",
        "state_spans",
        "state_spans WHERE ended IS NULL",
    ):
        assert await one(database, f"SELECT count(*) FROM {table}") == 6, table
    assert await one(database, "SELECT count(*) FROM audit") == 4


async def test_certificates_go_that_were_not_seen_for_long_or_are_too_many(
    node: Node, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setattr(retention, "CERTIFICATES", 4)
    made = await make_services(database, "long", "many", "silent")
    long, many, silent = (made[name].id for name in ("long", "many", "silent"))
    shown = [(long, "a", 900, 500), (long, "b", 500, 0), (silent, "x", 900, 900), (silent, "y", 800, 800)]
    shown += [(many, f"{day}", day, day) for day in range(10)]
    for service_id, print_, first, last in shown:
        await rows(
            database,
            "WITH c AS (INSERT INTO certificates SELECT %(id)s, %(print)s, '', '', now(), now(), '{}', "
            "now() - %(first)s * interval '1 day', now() - %(last)s * interval '1 day' RETURNING *) "
            "INSERT INTO certificate_changes SELECT service_id, first_seen, fingerprint FROM c",
            id=service_id, print=print_, first=first, last=last,
        )  # fmt: skip
    await upkeep.expire_rows(node)
    left = [(long, "b"), *((many, f"{day}") for day in range(4)), (silent, "y")]
    for table in ("certificates", "certificate_changes"):
        assert await rows(database, f"SELECT service_id, fingerprint FROM {table} ORDER BY 1, 2") == left, (
            table
        )


async def test_the_self_check_finds_messages_that_nobody_delivers(node: Node, database: Database) -> None:
    await upkeep.self_check(node)
    made = await make_services(database, "a")
    await make_rules(database)
    (alert,) = await make_alerts(database, *made.values())
    async with database.transaction() as connection:
        await outbox.put(
            connection,
            [outbox.Message(alert.uuid, alert.id, 1, "ops", "alert.firing", b"{}", await now(database))],
        )
    await rows(database, "UPDATE outbox SET not_before = now() - interval '10 min'")
    with pytest.raises(RuntimeError, match="waiting for delivery for 60"):
        await upkeep.self_check(node)


async def keep_house(node: Node, *tasks: Task) -> asyncio.Task[None]:
    return asyncio.create_task(Housekeeper(node, list(tasks)).run(lambda: None))


async def end(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_every_run_of_a_task_leaves_a_row_good_or_bad(node: Node, database: Database) -> None:
    async def good(_: Node) -> None:
        return None

    async def bad(_: Node) -> None:
        raise ValueError("\x1b[31mno\nluck")

    async def away(_: Node) -> None:
        raise psycopg.OperationalError("gone")

    running = await keep_house(
        node, Task("good", good, 3600.0), Task("bad", bad, 3600.0), Task("away", away, 3600.0)
    )
    await until(lambda: _runs(database, 3))
    await end(running)
    found = await rows(
        database, "SELECT task, outcome, error, next_run_at > now() FROM task_runs ORDER BY task"
    )
    assert found == [
        ("away", "failed", "the database is away: gone", True),
        ("bad", "failed", "ValueError: no luck", True),
        ("good", "ok", "", True),
    ]


async def _runs(database: Database, least: int) -> bool:
    return await one(database, "SELECT count(*) FROM task_runs") >= least


async def test_a_task_comes_back_at_its_cadence(node: Node, database: Database) -> None:
    async def work(_: Node) -> None:
        return None

    running = await keep_house(node, Task("often", work, 1.0))
    await until(lambda: _runs(database, 2))
    await end(running)


async def test_a_task_that_is_still_running_is_not_started_again_and_counted() -> None:
    node, entered, go = lone_node(), 0, asyncio.Event()

    async def slow(_: Node) -> None:
        nonlocal entered
        entered += 1
        await go.wait()

    running = await keep_house(node, Task("slow", slow, 1.0))
    await until(lambda: node.counters["tasks_skipped"] >= 1)
    assert entered == 1
    await end(running)


async def test_the_row_of_a_run_waits_for_a_database_that_is_away(
    node: Node, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, fails = housekeeper.save_task_run, 3

    async def sometimes(*everything: object) -> None:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise psycopg.OperationalError("away")
        await save(*everything)  # type: ignore[arg-type]

    monkeypatch.setattr(housekeeper, "save_task_run", sometimes)

    async def work(_: Node) -> None:
        return None

    running = await keep_house(node, Task("once", work, 3600.0))
    await until(lambda: _runs(database, 1))
    await end(running)
