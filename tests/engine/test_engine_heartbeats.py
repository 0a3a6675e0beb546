"""Heartbeats in a whole engine: from a ping to a state, from silence to an alert, and back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from support.engines import MemoryKinds, Stage, channel, configuration, plan, running, service
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.config.kinds import Kind
from watchfloor.config.model import ServiceConfig
from watchfloor.domain.heartbeats import KEPT, Signal
from watchfloor.domain.outcome import Status
from watchfloor.engine import heartbeats as engine
from watchfloor.engine.engine import Plan
from watchfloor.operations import heartbeats as operations
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.heartbeats import Said
from watchfloor.operations.services import set_paused
from watchfloor.probes import heartbeat
from watchfloor.store import heartbeats
from watchfloor.store.database import Database

pytestmark = pytest.mark.usefixtures("brisk")

OPERATOR = Actor("operator")
SUCCESS = Said()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine that hesitates is not allowed for here: moments are compared exactly."""
    monkeypatch.setattr(heartbeats, "HESITATION", timedelta(seconds=20))
    monkeypatch.setattr(engine, "GAP", timedelta(seconds=20))


def heartbeat_service(name: str = "backup", **settings: Any) -> ServiceConfig:
    raw = {"period": "1h", "grace": "1h", **settings}
    return service(name, kind="heartbeat", raw=raw)


def with_heartbeats(dsn: str, stage: Stage, *services: ServiceConfig) -> Plan:
    made = plan(dsn, stage, configuration(*services, channels=[channel()]))
    kinds = MemoryKinds(stage.probes["fake"], Kind("heartbeat", heartbeat.Settings, heartbeat.probe))
    return Plan(made.dsn, made.configuration, kinds, made.channels, made.payloads, made.buffer)


async def status(database: Database, name: str = "backup") -> Status | None:
    found = await one(
        database,
        "SELECT hard FROM service_state t JOIN services s ON s.id = t.service_id WHERE s.name = %(name)s",
        name=name,
    )
    return None if found is None else Status(found)


async def is_status(database: Database, wanted: Status) -> bool:
    return await status(database) is wanted


async def is_told(database: Database, kind: str) -> bool:
    """Whether a message of this kind about the service was delivered."""
    return bool(
        await one(
            database,
            "SELECT count(*) FROM outbox o JOIN alerts a ON a.id = o.alert_id WHERE a.service_id IS NOT NULL "
            "AND o.kind = %(kind)s AND o.state = 'delivered'",
            kind=kind,
        )
    )


async def known(database: Database) -> bool:
    return bool(await one(database, "SELECT count(*) FROM heartbeats"))


async def ping(database: Database, said: Said = SUCCESS, name: str = "backup") -> timedelta | None:
    return await operations.ping(database, OPERATOR, name, said)


async def test_a_ping_brings_it_up_and_silence_takes_it_down_with_everything_that_follows(
    database: Database, dsn: str, stage: Stage
) -> None:
    made = with_heartbeats(dsn, stage, heartbeat_service(period="1s", grace="1s"))
    async with running(made):
        await until(lambda: known(database))
        assert await status(database) is None
        await ping(database)
        await until(lambda: is_status(database, Status.OK))
        await until(lambda: is_status(database, Status.FAILING))
        await until(lambda: is_told(database, "alert.firing"))
        (cause,) = await column(database, "SELECT cause FROM incidents WHERE closed_at IS NULL")
        assert cause.startswith("no ping since")
        came, down = (await rows(database, "SELECT p.at, i.opened_at FROM heartbeat_pings p, incidents i"))[0]
        assert down - came == timedelta(seconds=2)
        await ping(database)
        await until(lambda: is_status(database, Status.OK))
        await until(lambda: is_told(database, "alert.resolved"))
        ended = await one(database, "SELECT closed_at FROM incidents")
        assert ended == await one(database, "SELECT max(at) FROM heartbeat_pings")


async def test_a_failing_exit_status_is_down_at_once_and_keeps_what_was_said(
    database: Database, dsn: str, stage: Stage
) -> None:
    async with running(with_heartbeats(dsn, stage, heartbeat_service())):
        await until(lambda: known(database))
        await ping(database)
        await until(lambda: is_status(database, Status.OK))
        await ping(database, Said(exit_status=3, body="disk full"))
        await until(lambda: is_status(database, Status.FAILING))
    assert await column(database, "SELECT cause FROM incidents") == ["exit status 3"]
    assert await column(database, "SELECT body FROM heartbeat_pings WHERE signal = 'fail'") == ["disk full"]


async def test_a_run_that_said_it_began_must_end_and_is_measured_by_its_id(
    database: Database, dsn: str, stage: Stage
) -> None:
    async with running(with_heartbeats(dsn, stage, heartbeat_service(grace="1s"))):
        await until(lambda: known(database))
        await ping(database, Said(Signal.START, run_id="a"))
        await ping(database, Said(Signal.START, run_id="b"))
        took = await ping(database, Said(run_id="a"))
        assert took is not None
        await until(lambda: is_status(database, Status.FAILING))  # run b never ended
        began = await one(database, "SELECT at FROM heartbeat_pings WHERE signal = 'start' AND run_id = 'b'")
        assert await one(database, "SELECT opened_at FROM incidents") == began + timedelta(seconds=1)
    stored = await one(database, "SELECT latency_us FROM check_results WHERE latency_us IS NOT NULL")
    assert stored == took / timedelta(microseconds=1)


async def test_what_happened_while_no_engine_ran_is_booked_as_it_happened(
    database: Database, dsn: str, stage: Stage
) -> None:
    made = with_heartbeats(dsn, stage, heartbeat_service(period="1s", grace="1s"))
    async with running(made):
        await until(lambda: known(database))
        await ping(database)
        await until(lambda: is_status(database, Status.OK))
    came = await one(database, "SELECT at FROM heartbeat_pings")

    async def over() -> bool:
        now: datetime = await one(database, "SELECT clock_timestamp()")
        return now > came + timedelta(seconds=2.2)

    await until(over)
    await ping(database)
    async with running(made):
        await until(lambda: closed(database))
    down, up = (await rows(database, "SELECT opened_at, closed_at FROM incidents"))[0]
    assert down == came + timedelta(seconds=2)
    assert up == await one(database, "SELECT max(at) FROM heartbeat_pings")


async def closed(database: Database) -> bool:
    return await one(database, "SELECT closed_at FROM incidents") is not None


async def test_a_ping_wakes_one_that_was_paused(database: Database, dsn: str, stage: Stage) -> None:
    async with running(with_heartbeats(dsn, stage, heartbeat_service())):
        await until(lambda: known(database))
        number = await one(database, "SELECT id FROM services")
        await set_paused(database, OPERATOR, number, True)
        await until(lambda: beat_is(database, "paused"))
        await ping(database)
        await until(lambda: is_status(database, Status.OK))
        await until(lambda: awake(database))


async def beat_is(database: Database, wanted: str) -> bool:
    return bool(await one(database, "SELECT status FROM heartbeats") == wanted)


async def test_unknown_names_and_tokens_and_bad_words_are_refused(
    database: Database, dsn: str, stage: Stage
) -> None:
    async with running(with_heartbeats(dsn, stage, heartbeat_service())):
        await until(lambda: known(database))
        with pytest.raises(Refused, match="did you mean backup"):
            await ping(database, name="backups")
        with pytest.raises(Refused, match="run id"):
            await ping(database, Said(run_id="a b"))
        with pytest.raises(Refused, match="exit status"):
            await ping(database, Said(exit_status=256))
        with pytest.raises(Refused, match="read-only"):
            await operations.ping(database, Actor("guest", read_only=True), "backup", SUCCESS)
        token = await operations.new_token(database, OPERATOR, "backup")
        assert await operations.ping_by_token(database, token, Said(), "test")
        newer = await operations.new_token(database, OPERATOR, "backup")
        assert not await operations.ping_by_token(database, token, Said(), "test")
        assert await operations.ping_by_token(database, newer, Said(), "test")
        held = str(await rows(database, "SELECT * FROM heartbeats")) + str(
            await rows(database, "SELECT * FROM audit")
        )
        assert token not in held
        assert newer not in held


async def test_only_the_last_pings_are_kept_and_of_each_the_end(
    database: Database, dsn: str, stage: Stage
) -> None:
    async with running(with_heartbeats(dsn, stage, heartbeat_service())):
        await until(lambda: known(database))
        for number in range(109):
            await ping(database, Said(Signal.LOG, body=f"{number}"))
        await until(lambda: booked(database))
        await ping(database, Said(Signal.LOG, body="x" * 20_000 + " 109"))
    kept = await column(database, "SELECT body FROM heartbeat_pings ORDER BY seq")
    assert len(kept) == 100
    assert kept[-1].endswith(" 109")
    assert len(kept[-1]) == 10_000


async def booked(database: Database) -> bool:
    return bool(await one(database, "SELECT booked = pings FROM heartbeats"))


async def awake(database: Database) -> bool:
    return not await one(database, "SELECT paused FROM services")


async def test_pings_while_no_engine_runs_are_bounded_and_lead_to_the_right_state(
    database: Database, dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "WAITING", 60)
    made = with_heartbeats(dsn, stage, heartbeat_service(), heartbeat_service("sync"))
    async with running(made):
        await until(lambda: known(database))
        await ping(database)
        await ping(database, SUCCESS, "sync")
        await until(lambda: is_status(database, Status.OK))
    for name, said in (("backup", "fail"), ("sync", "success")):
        await flood(database, name, 400, said)
        for _ in range(KEPT):
            await ping(database, Said(Signal.LOG, body="x" * 5_000), name)
    kept = await rows(
        database,
        "SELECT count(*), sum(length(body)) FROM heartbeat_pings GROUP BY service_id ORDER BY service_id",
    )
    assert all(number <= 60 + KEPT and characters <= 2 * KEPT * 5_000 for number, characters in kept)
    async with running(made):
        await until(lambda: is_status(database, Status.FAILING))
        await until(lambda: one(database, "SELECT bool_and(pings = booked) FROM heartbeats"))
        assert await status(database, "sync") is Status.OK
    assert await one(database, "SELECT count(*) FROM incidents") == 1


async def flood(database: Database, name: str, number: int, signal: str) -> None:
    """So many pings as came a second apart, the last of them just now."""
    await rows(
        database,
        "WITH beat AS (UPDATE heartbeats SET pings = pings + %(number)s WHERE service_id = "
        "  (SELECT id FROM services WHERE name = %(name)s) RETURNING service_id, pings - %(number)s AS before) "
        "INSERT INTO heartbeat_pings (service_id, seq, at, signal, source, body) "
        "SELECT service_id, before + n, clock_timestamp() + n * interval '1 us', %(signal)s, 'test', repeat('y', 5000) "
        "FROM beat, generate_series(1, %(number)s) AS n",
        name=name,
        number=number,
        signal=signal,
    )
