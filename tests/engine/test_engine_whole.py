"""A whole engine on a real database: from a slot to an alert to a message, and back."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from support.engines import (
    DEGRADED,
    FAILING,
    OK,
    Stage,
    channel,
    configuration,
    plan,
    running,
    service,
)
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.engine.heart import Heart
from watchfloor.engine.intake import LogBuffer
from watchfloor.engine.share import Share
from watchfloor.operations import alerts as operations
from watchfloor.operations import services as service_operations
from watchfloor.operations.actor import Actor
from watchfloor.store import alert_rooms, health
from watchfloor.store.database import Database

pytestmark = pytest.mark.usefixtures("brisk")

ANN = Actor("ann")


async def count(database: Database, table: str) -> int:
    found: int = await one(database, f"SELECT count(*) FROM {table}")
    return found


async def states(database: Database) -> dict[str, str | None]:
    found = await rows(
        database,
        "SELECT s.name, t.hard FROM services s JOIN service_state t ON t.service_id = s.id ORDER BY 1",
    )
    return {name: None if hard is None else Status(hard).word for name, hard in found}


async def test_everything_that_follows_from_a_failing_check_is_there_together(
    database: Database, dsn: str, stage: Stage
) -> None:
    stage.finds["shop"] = FAILING
    made = plan(dsn, stage, configuration(service("shop"), channels=[channel()]))
    async with running(made):
        await until(lambda: stage.sent)
        assert await states(database) == {"shop": "failing"}
        assert await rows(database, "SELECT closed_at, worst, cause FROM incidents") == [(None, 2, "refused")]
        assert await column(database, "SELECT kind FROM alert_events ORDER BY seq") == ["raised", "fired"]
        assert await column(database, "SELECT state FROM state_spans WHERE ended IS NULL") == ["down"]
        assert await column(database, "SELECT action FROM audit WHERE object_kind = 'alert'") == ["fired"]
        assert await one(database, "SELECT incident_id = (SELECT id FROM incidents) FROM alerts") is True
        stage.finds["shop"] = OK
        await until(lambda: len(stage.sent) == 2)
        assert await states(database) == {"shop": "ok"}
        assert await one(database, "SELECT closed_at IS NOT NULL FROM incidents") is True
        assert await column(database, "SELECT state FROM alerts") == ["resolved"]
    assert [message.kind for message in stage.sent] == ["alert.firing", "alert.resolved"]


async def test_a_change_of_severity_is_told_with_its_new_words(
    database: Database, dsn: str, stage: Stage
) -> None:
    stage.finds["shop"] = DEGRADED
    made = plan(dsn, stage, configuration(service("shop"), channels=[channel()]))
    async with running(made):
        await until(lambda: stage.sent)
        stage.finds["shop"] = FAILING
        await until(lambda: len(stage.sent) == 2)
    assert b'"title":"shop is degraded"' in stage.sent[0].payload
    assert b'"title":"shop is failing"' in stage.sent[1].payload
    assert b'"severity":"critical"' in stage.sent[1].payload


async def test_two_operators_and_the_engine_agree_on_an_alert(
    database: Database, dsn: str, stage: Stage
) -> None:
    stage.finds["shop"] = FAILING
    made = plan(dsn, stage, configuration(service("shop"), channels=[channel()]))
    async with running(made):
        await until(lambda: stage.sent)
        alert_id = await one(database, "SELECT id FROM alerts")
        await operations.acknowledge(database, ANN, [alert_id], "on it", timedelta(milliseconds=500))
        await until(lambda: [m.kind for m in stage.sent][-1] == "alert.acknowledged")
        await until(lambda: len(stage.sent) == 3)
    assert [message.kind for message in stage.sent] == ["alert.firing", "alert.acknowledged", "alert.firing"]
    events = await column(database, "SELECT kind FROM alert_events ORDER BY seq")
    assert events == ["raised", "fired", "acknowledged", "ack_expired"]


async def test_a_check_on_request_and_a_pause_take_effect_at_once(
    database: Database, dsn: str, stage: Stage
) -> None:
    made = plan(dsn, stage, configuration(service("slow", every_s=3600.0), service("quick")))
    async with running(made):
        await until(lambda: stage.count("slow") == 1)
        slow, quick = await column(database, "SELECT id FROM services ORDER BY name DESC")
        await service_operations.check_now(database, ANN, slow)
        await until(lambda: stage.count("slow") == 2)
        await service_operations.set_paused(database, ANN, quick, True)

        async def still() -> bool:
            before = stage.count("quick")
            await asyncio.sleep(0.3)
            return stage.count("quick") == before

        await until(still)
        await service_operations.set_paused(database, ANN, quick, False)
        before = stage.count("quick")
        await until(lambda: stage.count("quick") > before + 2)


async def test_a_stop_drains_what_is_in_flight_and_leaves_the_node_stopped(
    database: Database, dsn: str, stage: Stage
) -> None:
    entered, go = asyncio.Event(), asyncio.Event()

    async def slow() -> Outcome:
        entered.set()
        await go.wait()
        return Outcome(Status.FAILING, "the last word")

    stage.finds["shop"] = slow
    made = plan(dsn, stage, configuration(service("shop", timeout_s=60.0)))
    async with running(made) as run:
        await entered.wait()
        await until(lambda: one(database, "SELECT count(*) FROM component_health"))
        run.engine.stop()
        await until(lambda: run.progress.stage == "stopping")
        await until(lambda: _state_is(database, "stopping"))
        go.set()
    assert run.progress.stage == "stopped"
    assert await column(database, "SELECT summary FROM check_results") == ["the last word"]
    assert await column(database, "SELECT kind FROM alert_events ORDER BY seq") == ["raised", "fired"]
    assert await rows(database, "SELECT state, stopped_at IS NOT NULL FROM nodes") == [("stopped", True)]
    assert set(await column(database, "SELECT state FROM component_health")) == {"stopped"}


async def test_checks_that_cannot_begin_at_first_begin_later_and_nothing_else_waits_for_them(
    database: Database,
    dsn: str,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reload, failed = Share._reload, list[bool]()

    async def reload_later(self: Share, anew: bool) -> None:
        if not anew and len(failed) < 2:
            failed.append(anew)
            raise ValueError("a kind that is wrong")
        await reload(self, anew)

    monkeypatch.setattr(Share, "_reload", reload_later)
    async with running(plan(dsn, stage, configuration(service("shop")))) as run:
        await until(lambda: stage.count("shop"))
        assert run.progress.stage == "running"
    assert "checks begin later: ValueError: a kind that is wrong" in caplog.text


async def test_a_start_that_finds_the_database_away_half_way_asks_for_it(
    database: Database, dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, asked = Heart.once, list[str]()

    async def once_later(self: Heart, state: str) -> None:
        if state == "running" and not asked:
            raise psycopg.OperationalError("the server is gone")
        await once(self, state)

    monkeypatch.setattr(Heart, "once", once_later)
    async with running(plan(dsn, stage, configuration(service("shop")))) as run:
        monkeypatch.setattr(run.engine, "_ensure_database", lambda: asked.append("now"))
        await until(lambda: stage.count("shop"))
    assert asked


async def _state_is(database: Database, state: str) -> bool:
    return await one(database, "SELECT state FROM nodes") == state


async def test_an_engine_that_is_stopped_while_the_database_is_away_ends_all_the_same(stage: Stage) -> None:
    nowhere = "host=127.0.0.1 port=1 user=x"
    async with running(plan(nowhere, stage, configuration(service("shop")))) as run:
        await until(lambda: run.progress.stage == "waiting for the database")
        assert "Connection refused" in run.progress.error
    assert run.task.done()


async def test_what_the_program_logs_is_stored(database: Database, dsn: str, stage: Stage) -> None:
    buffer = LogBuffer()
    logger = logging.getLogger("watchfloor.test \x1b[31m")
    logger.addHandler(buffer)
    try:
        logger.error("something \x00 odd \ud800 happened")
        async with running(plan(dsn, stage, configuration(), buffer=buffer)):
            await until(lambda: _stored(database, "something"))
    finally:
        logger.removeHandler(buffer)
    found = await rows(database, "SELECT msg, sev, c.name FROM logs JOIN log_channels c ON c.id = channel_id")
    assert found == [("something  odd � happened", 17, "watchfloor.test")]


async def _stored(database: Database, text: str) -> bool:
    return await one(database, "SELECT count(*) FROM logs WHERE msg LIKE %(text)s", text=f"{text}%") > 0


async def test_a_result_that_cannot_be_stored_takes_no_other_with_it(
    database: Database, dsn: str, stage: Stage
) -> None:
    """One whose text PostgreSQL refuses, however it got there."""

    async def hostile() -> Outcome:
        return Outcome(
            Status.FAILING,
            "one\x00two\ud800",
            float("nan"),
            {"dns": 1e9},
            {"bad\x00name": float("inf"), "x" * 10_000: 1.0, "good": 1.5},
            {"deep": [[[[[[[[[["x\x00"]]]]]]]]]], "nan": float("nan"), "certificate": {"not_after": "never"}},
        )

    stage.finds["bad"] = hostile
    made = plan(dsn, stage, configuration(service("bad"), service("good")))
    async with running(made):
        await until(lambda: _results(database, "bad", 3))
        await until(lambda: _results(database, "good", 3))
        assert await states(database) == {"bad": "failing", "good": "ok"}
    assert set(await column(database, "SELECT summary FROM check_results WHERE status = 2")) == {"onetwo�"}
    assert set(await column(database, "SELECT name FROM series")) == {"good", "x" * 199 + "…"}
    assert await one(database, "SELECT stats->'results_dropped' FROM nodes") is None


async def _results(database: Database, name: str, least: int) -> bool:
    found = await one(
        database,
        "SELECT count(*) FROM check_results r JOIN services s ON s.id = r.service_id WHERE s.name = %(name)s",
        name=name,
    )
    return found >= least


async def test_nothing_is_lost_while_every_connection_is_cut_again_and_again(
    database: Database, dsn: str, stage: Stage
) -> None:
    made = plan(dsn, stage, configuration(*(service(f"s{n}") for n in range(5))))
    async with running(made) as run:
        for round_ in range(1, 6):
            await until(lambda round_=round_: stage.count("s0") >= round_ * 4)
            await cut(dsn)
        await until(lambda: stage.count("s0") >= 30)
    assert run.progress.stage == "stopped"
    checked = {name: len(calls) for name, calls in stage.calls.items()}
    stored = dict(
        await rows(
            database,
            "SELECT s.name, count(*) FROM check_results r JOIN services s ON s.id = r.service_id GROUP BY 1",
        )
    )
    assert stored == checked


async def cut(dsn: str) -> None:
    """Terminate every connection of an engine to this database."""
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    async with connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'watchfloor engine%'"
        )


async def test_a_node_that_lost_its_connections_is_live_again(
    database: Database, dsn: str, stage: Stage
) -> None:
    made = plan(dsn, stage, configuration(service("shop")))
    async with running(made):
        await until(lambda: stage.count("shop"))
        await cut(dsn)
        await until(lambda: _live(database, 1))
        before = stage.count("shop")
        await until(lambda: stage.count("shop") > before + 3)


async def _live(database: Database, wanted: int) -> bool:
    async with database.transaction() as connection:
        return (await health.status_line(connection, "")).nodes_live == wanted


async def test_losing_the_database_raises_no_alert_about_the_program_itself(
    database: Database, dsn: str, stage: Stage
) -> None:
    made = plan(dsn, stage, configuration(service("shop")))
    async with running(made) as run:
        await until(lambda: run.progress.stage == "running")
        for _ in range(6):
            await cut(dsn)
            await until(lambda: _live(database, 1))
        before = stage.count("shop")
        await until(lambda: stage.count("shop") > before + 10)
    assert await count(database, "alerts") == 0


async def test_the_history_of_internal_tasks_is_kept(database: Database, dsn: str, stage: Stage) -> None:
    wanted = {"create partitions", "expire facts", "expire rows", "self-check"}

    async def kept() -> bool:
        return wanted <= {task for (task,) in await rows(database, "SELECT DISTINCT task FROM task_runs")}

    async with running(plan(dsn, stage, configuration())):
        await until(kept)
    assert await rows(database, "SELECT task, error FROM task_runs WHERE outcome <> 'ok'") == []


async def _count_is(database: Database, table: str, wanted: int) -> bool:
    return await count(database, table) == wanted


async def test_the_node_says_who_it_is_and_how_it_does(database: Database, dsn: str, stage: Stage) -> None:
    made = plan(dsn, stage, configuration(service("shop"), node="alpha"))
    async with running(made):
        await until(lambda: _stat(database, "checks"))
        await until(lambda: _stat(database, "lag_p99_ms"))
        (row,) = await rows(database, "SELECT name, environment, state, pid > 0, stats FROM nodes")
    assert row[:4] == ("alpha", "test", "running", True)
    assert row[4]["services"] == 1


async def _stat(database: Database, name: str) -> Any:
    return await one(database, "SELECT stats->%(name)s FROM nodes", name=name)


async def test_an_alert_reads_like_its_events_at_every_moment(
    database: Database, dsn: str, stage: Stage
) -> None:
    stage.finds["shop"] = FAILING
    made = plan(dsn, stage, configuration(service("shop"), channels=[channel()]))
    async with running(made):
        await until(lambda: _count_is(database, "alerts", 1))
    async with database.transaction() as connection:
        (row,) = await alert_rooms.active(connection)
        detail = await alert_rooms.detail(connection, row.id)
    assert detail is not None
    assert (row.title, row.service, row.rule) == ("shop is failing", "shop", "service is not ok")
    assert detail.labels["service"] == "shop"
    assert [delivery.channel for delivery in detail.deliveries] == ["ops"]


async def test_connections_that_are_cut_at_the_very_end_cost_no_result(
    database: Database, dsn: str, stage: Stage
) -> None:
    for _ in range(4):
        stage.calls.clear()
        await rows(database, "DELETE FROM check_results")
        async with running(plan(dsn, stage, configuration(*(service(f"s{n}") for n in range(5))))) as run:
            await until(lambda: stage.count("s0") >= 3)
            run.engine.stop()
            await cut(dsn)
        assert await count(database, "check_results") == sum(map(len, stage.calls.values()))
        assert await column(database, "SELECT state FROM nodes") == ["stopped"]
