"""The clock of the machine is set back by an hour: nothing that waits waits for an hour more, and nothing comes early.

The database's clock cannot be moved from here, so everything that was booked is moved forward instead: to a node that
is all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from support.engines import NO_PAYLOADS
from support.floor import Floor
from support.jobs import schedule
from support.make import definition, make_days, make_rules, make_services, now
from support.sql import column, one, rows
from watchfloor.config.model import NodeConfig
from watchfloor.config.oncall import EscalationKeys
from watchfloor.domain.heartbeats import Signal
from watchfloor.domain.lanes import DEFAULT_QUEUE
from watchfloor.domain.silences import Wish
from watchfloor.engine import heartbeats as following
from watchfloor.engine.finding import Findings
from watchfloor.engine.firer import Firer
from watchfloor.engine.heart import Heart
from watchfloor.engine.heartbeats import Heartbeats
from watchfloor.engine.node import Node
from watchfloor.engine.recorder import Recorder
from watchfloor.engine.registration import NameLock, register
from watchfloor.engine.runner import Runner
from watchfloor.engine.stalls import NS
from watchfloor.engine.watches import make_watch
from watchfloor.operations.actor import Actor
from watchfloor.operations.ageing import age_alerts
from watchfloor.operations.alerts import acknowledge
from watchfloor.operations.escalating import take_steps
from watchfloor.operations.jobs import run_now
from watchfloor.operations.silences import add as silence
from watchfloor.probes import heartbeat
from watchfloor.store import heartbeats, job_boards, outbox, run_logs, runs, workers
from watchfloor.store import set_back as clocks
from watchfloor.store.database import Database
from watchfloor.store.duty import apply_oncall
from watchfloor.store.jobs import JobDefinition, apply_jobs, recompute

HOUR_S = 3600.0
ANN = Actor("ann")
NEXT = "SELECT extract(epoch FROM next_at - clock_timestamp())::float8 FROM escalations WHERE next_at IS NOT NULL"
CHAIN = {
    "name": "page",
    "steps": [{"tell": [{"channel": "chat"}]}, {"after": "5m", "tell": [{"channel": "page"}]}],
}
OF_JOBS = {
    ("runs", "available_at"),
    ("runs", "deadline_at"),
    ("runs", "aged_at"),
    ("runs", "started_at"),
    ("attempts", "started_at"),
    ("schedules", "anchor"),
    ("schedules", "next_fire_at"),
}
OF_HEARTBEATS = {("heartbeats", "down_at"), ("heartbeat_pings", "at")}


class Beating:
    """A node that beats when it is told to."""

    def __init__(self, node: Node, heart: Heart, lock: NameLock) -> None:
        self.node, self.heart, self.lock = node, heart, lock

    @classmethod
    async def named(cls, database: Database, name: str) -> Beating:
        lock = NameLock(database)
        node, entry = await register(database, NodeConfig(name, "", ()), lock)
        made = cls(node, Heart(node, entry, lock, dict, lambda: None), lock)
        await made.beat()
        return made

    async def beat(self) -> None:
        await self.heart.once("running")


@pytest.fixture
async def floor(database: Database) -> Floor:
    await make_rules(database, channels=())
    spec = {
        "people": [],
        "groups": [],
        "rotas": [],
        "escalations": [EscalationKeys.model_validate(CHAIN).spec()],
    }
    async with database.transaction() as connection:
        await apply_oncall(connection, spec)
    return Floor(database, await now(database))


@pytest.fixture
async def node(database: Database) -> AsyncIterator[Beating]:
    made = await Beating.named(database, "one")
    yield made
    await made.lock.close()


async def an_hour_back(database: Database, *nodes: Beating) -> None:
    """What happens to those who were there: all that is booked is an hour ahead, and so is what nodes believe."""
    running = {(table, each) for table, columns, _ in clocks._RUNNING for each in columns}
    for table, each in sorted(running | OF_JOBS | OF_HEARTBEATS):
        await rows(database, f"UPDATE {table} SET {each} = {each} + interval '1 hour'")
    for each in nodes:
        each.node.clock._ahead_ns += 3600 * NS


async def test_a_step_and_a_message_that_wait_go_on_as_before(floor: Floor, node: Beating) -> None:
    database = floor.database
    await floor.fire("a")
    await rows(database, "UPDATE outbox SET not_before = clock_timestamp() + interval '40 s'")
    await an_hour_back(database, node)
    await node.beat()
    assert await one(database, NEXT) == pytest.approx(300, abs=20)
    wait = "SELECT extract(epoch FROM not_before - clock_timestamp())::float8 FROM outbox"
    assert await one(database, wait) == pytest.approx(40, abs=20)
    assert (await take_steps(database, node.node.clock.now()))[0] == 0, "nothing comes early"
    assert (await take_steps(database, node.node.clock.now() + timedelta(minutes=6)))[0] == 1
    await node.beat()
    assert await one(database, "SELECT count(*) FROM audit WHERE action = 'clock_jumped'") == 1
    async with database.transaction() as connection:
        assert await outbox.lease(connection, 9, 60.0, room=9)


async def test_an_alert_that_waits_to_fire_fires_in_its_time(floor: Floor, node: Beating) -> None:
    database = floor.database
    await floor.fire("a")
    await rows(
        database,
        "UPDATE alerts SET state = 'pending', fired_at = NULL, fire_at = clock_timestamp() + interval '60 s'",
    )
    await an_hour_back(database, node)
    await node.beat()
    assert await age_alerts(database, node.node.clock.now()) == 0
    assert await age_alerts(database, node.node.clock.now() + timedelta(seconds=90)) == 1


async def test_what_people_named_by_the_clock_stays(floor: Floor, node: Beating) -> None:
    database = floor.database
    await floor.fire("a", "b")
    await acknowledge(database, ANN, await floor.ids("a"), "on it", timedelta(hours=4))
    await silence(database, ANN, Wish(("service=b",), "known", timedelta(hours=2)))
    named = (
        "SELECT acked_until FROM alerts WHERE acked_until IS NOT NULL UNION ALL SELECT ends_at FROM silences"
    )
    before = await column(database, named)
    await an_hour_back(database, node)
    await node.beat()
    assert await column(database, named) == before
    assert await age_alerts(database, before[0] - timedelta(minutes=1)) == 1, "it is said that it ends soon"
    assert await age_alerts(database, before[0] + timedelta(seconds=1)) >= 1
    assert await column(database, "SELECT state FROM alerts ORDER BY id") == ["firing", "firing"]


async def test_nothing_is_set_back_before_every_live_node_has_seen_it(floor: Floor, node: Beating) -> None:
    """Who still goes by the old clock would take what was set back for due."""
    database = floor.database
    other = await Beating.named(database, "two")
    await floor.fire("a")
    await an_hour_back(database, node, other)
    await node.beat()
    assert await one(database, NEXT) == pytest.approx(HOUR_S + 300, abs=20)
    assert (await take_steps(database, other.node.clock.now()))[0] == 0
    await other.beat()
    assert await one(database, NEXT) == pytest.approx(300, abs=20)
    await node.beat()
    assert await one(database, NEXT) == pytest.approx(300, abs=20)
    await other.lock.close()


async def test_a_node_that_starts_after_it_happened_sees_it(floor: Floor, node: Beating) -> None:
    database = floor.database
    await floor.fire("a")
    await an_hour_back(database)
    await node.lock.close()
    again = await Beating.named(database, "one")
    assert await one(database, NEXT) == pytest.approx(300, abs=20)
    await again.lock.close()


async def test_time_that_passes_sets_nothing_back(floor: Floor, node: Beating) -> None:
    await floor.fire("a")
    before: datetime = await one(floor.database, "SELECT next_at FROM escalations")
    await node.beat()
    assert await one(floor.database, "SELECT next_at FROM escalations") == before


async def define(database: Database, *schedules: dict[str, object]) -> None:
    """One job, ``tidy``, with a deadline of ten minutes."""
    tidy = JobDefinition(
        name="tidy", kind="fake", settings={}, priority=5, overlap="queue_all", slots=1, at_most_once=False,
        timeout_ms=60_000, deadline_ms=600_000, retry={}, contact="", description="", runbook="", origin="",
        paused=False, schedules=schedules,
    )  # fmt: skip
    async with database.transaction() as connection:
        await apply_jobs(connection, [tidy], await now(database))


async def claimed(database: Database, node: Beating) -> list[runs.Claimed]:
    async with database.transaction() as connection:
        worker = await workers.register(connection, node.node.id, "", 1, "")
        return await runs.claim(connection, worker, 9, [DEFAULT_QUEUE])


async def test_a_run_that_is_ready_starts_at_once_and_a_retry_after_what_was_left_of_its_pause(
    database: Database, node: Beating
) -> None:
    await define(database)
    first, again = [await run_now(database, ANN, "tidy", uuid4()) for _ in range(2)]
    await rows(
        database, f"UPDATE runs SET available_at = clock_timestamp() + interval '40 s' WHERE id = {again}"
    )
    await an_hour_back(database, node)
    assert await claimed(database, node) == []
    await node.beat()
    assert [run.id for run in await claimed(database, node)] == [first]
    left = (
        "SELECT extract(epoch FROM {} - clock_timestamp())::float8 FROM runs WHERE state = 'waiting'".format
    )
    assert await one(database, left("available_at")) == pytest.approx(40, abs=20)
    assert await one(database, left("deadline_at")) == pytest.approx(600, abs=20)
    assert await one(database, left("aged_at")) == pytest.approx(0, abs=20)


async def test_a_run_that_goes_on_keeps_its_deadline_its_log_and_how_long_it_took(
    database: Database, node: Beating
) -> None:
    await define(database)
    await make_days(database, await now(database))
    await run_now(database, ANN, "tidy", uuid4())
    (run,) = await claimed(database, node)
    worker = await one(database, "SELECT worker_id FROM runs")
    await an_hour_back(database, node)
    await node.beat()
    line = (1, await now(database), "stdout", 9, "after it")
    assert await run_logs.append(database, run_logs.Fence(run.id, run.attempt, worker), [line])
    async with database.transaction() as connection:
        assert [each.text for each in await job_boards.run_log(connection, run.id)] == ["after it"]
        assert await runs.finish(connection, [runs.Finished(run.id, run.attempt, worker, "succeeded")])
    for table in ("runs", "attempts"):
        took = f"SELECT extract(epoch FROM finished_at - started_at)::float8 FROM {table}"
        assert await one(database, took) == pytest.approx(10, abs=10)
    due = "SELECT extract(epoch FROM deadline_at - clock_timestamp())::float8 FROM runs"
    assert await one(database, due) == pytest.approx(600, abs=20)


async def test_an_interval_goes_on_in_step_and_what_follows_the_clock_waits_for_it(
    database: Database, node: Beating
) -> None:
    named = schedule(every="50s", anchor="2026-01-01T00:00:00+00:00")
    await define(database, schedule(every="50s"), schedule(cron="* * * * *"), named)
    ahead = "SELECT extract(epoch FROM next_fire_at - clock_timestamp())::float8 FROM schedules ORDER BY id"
    anchors = await column(database, "SELECT anchor FROM schedules ORDER BY id")
    await an_hour_back(database, node)
    await node.beat()
    interval, cron, anchored = await column(database, ahead)
    assert interval == pytest.approx(50, abs=20)
    assert cron == pytest.approx(HOUR_S + 30, abs=60)
    assert anchored == pytest.approx(HOUR_S + 25, abs=60)
    moved = await one(database, "SELECT anchor FROM schedules ORDER BY id")
    assert (moved - anchors[0]).total_seconds() == pytest.approx(0, abs=20)


async def test_a_fire_that_the_clock_shows_once_more_gets_no_second_run(
    database: Database, node: Beating
) -> None:
    """A reload plans by the new clock."""
    await define(database, schedule(cron="0 0 * * *"))
    firer = Firer(node.node, Runner(node.node, NO_PAYLOADS, Path("/nowhere")))
    await rows(database, "UPDATE schedules SET next_fire_at = date_trunc('day', clock_timestamp(), 'UTC')")
    await firer.once()
    before = await column(database, "SELECT scheduled_for FROM runs")
    async with database.transaction() as connection:
        assert await recompute(connection, before[0] - timedelta(seconds=30)) == 1
    assert await column(database, "SELECT next_fire_at FROM schedules") == before
    await firer.once()
    assert await column(database, "SELECT scheduled_for FROM runs") == before
    assert await one(database, "SELECT next_fire_at > clock_timestamp() FROM schedules")


async def heard(database: Database, signal: Signal = Signal.SUCCESS) -> timedelta | None:
    """A ping of ``backup``."""
    async with database.transaction() as connection:
        target = await heartbeats.by_name(connection, "backup")
        assert target is not None
        return (await heartbeats.add(connection, target.service_id, signal, None, None, "test", "")).took


@pytest.fixture
async def backup(database: Database, node: Beating, monkeypatch: pytest.MonkeyPatch) -> Heartbeats:
    """The loop that follows one heartbeat, ``backup``, which is due every five minutes; no gap is allowed for."""
    monkeypatch.setattr(heartbeats, "HESITATION", timedelta(seconds=20))
    monkeypatch.setattr(following, "GAP", timedelta(seconds=20))
    raw = {"period": "5m", "grace": "1m"}
    made = await make_services(database, definition("backup", kind="heartbeat", settings=raw))
    await make_days(database, await now(database))
    async with database.transaction() as connection:
        await heartbeats.provide(connection)
    recorder = Recorder(node.node, Findings(), lambda *_: None)
    recorder.services = {each.id: each for each in made.values()}
    loop = Heartbeats(node.node, recorder)
    await loop.once(lambda: None)
    loop.assign([make_watch(made["backup"], heartbeat.probe, heartbeat.Settings(**raw))])
    return loop


BEAT = (
    "SELECT h.status, h.pings = h.booked, h.down_at - p.at AS left FROM heartbeats h "
    "JOIN heartbeat_pings p ON p.service_id = h.service_id AND p.seq = h.pings"
)


async def test_a_heartbeat_that_pings_on_time_stays_up(
    database: Database, node: Beating, backup: Heartbeats
) -> None:
    await heard(database)
    await backup.once(lambda: None)
    await an_hour_back(database, node)
    await node.beat()
    assert await one(database, "SELECT max(at) <= clock_timestamp() FROM heartbeat_pings")
    await heard(database)
    await backup.once(lambda: None)
    assert await rows(database, BEAT) == [("up", True, timedelta(minutes=6))]


async def test_a_ping_that_comes_before_it_was_noticed_waits_and_keeps_nobody_busy(
    database: Database, node: Beating, backup: Heartbeats
) -> None:
    await heard(database)
    await backup.once(lambda: None)
    await an_hour_back(database, node)
    await heard(database)
    assert not await backup._some(lambda: None), "it is no use to look again at once"
    await node.beat()
    await backup.once(lambda: None)
    assert await rows(database, BEAT) == [("up", True, timedelta(minutes=6))]


async def test_a_ping_comes_after_what_is_booked_and_not_after_what_a_clock_said_that_was_set_back(
    database: Database, backup: Heartbeats
) -> None:
    await heard(database)
    await backup.once(lambda: None)
    await rows(database, "UPDATE heartbeat_pings SET at = at + interval '1 hour'")
    await heard(database)
    await backup.once(lambda: None)
    assert await rows(database, BEAT) == [("up", True, timedelta(minutes=6))]


async def test_a_run_of_a_heartbeat_that_goes_on_took_as_long_as_it_took(
    database: Database, node: Beating, backup: Heartbeats
) -> None:
    await heard(database, Signal.START)
    await backup.once(lambda: None)
    for table, each in (("heartbeats", "last_start"), ("heartbeat_pings", "at")):
        await rows(database, f"UPDATE {table} SET {each} = {each} - interval '2 hours'")
    await an_hour_back(database, node)
    await node.beat()
    took = await heard(database)
    assert took is not None
    assert took / timedelta(hours=1) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize(("started", "counts"), [("50 min", True), ("-5 s", False), ("-1 min", True)])
async def test_a_server_that_started_by_the_clock_as_it_was_lets_leases_count(
    database: Database, node: Beating, started: str, counts: bool
) -> None:
    """Only a server that has just started leaves workers the time of a lease to come back."""
    async with database.transaction() as connection:
        worker = await workers.register(connection, node.node.id, "", 1, "")
        await connection.execute("UPDATE workers SET lease_until = clock_timestamp() - interval '1 s'")
        await connection.execute(
            "CREATE FUNCTION public.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql AS "
            f"$$SELECT clock_timestamp() + interval '{started}'$$"
        )
        await connection.execute("SET LOCAL search_path = public, pg_catalog")
        assert await workers.declare_dead(connection, []) == ([worker] if counts else [])
