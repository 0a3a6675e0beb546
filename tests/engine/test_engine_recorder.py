"""The recorder: one transaction per batch, nothing lost, nothing twice, nobody harmed by another's result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from support.engines import FAILING, OK, finding
from support.make import definition, make_rules, make_services, now
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import recorder as module
from watchfloor.engine.finding import Findings
from watchfloor.engine.node import Node, steady_ns
from watchfloor.engine.recorder import Recorder
from watchfloor.store import results
from watchfloor.store.database import Connection, Database
from watchfloor.store.pulse import Pulse
from watchfloor.store.rules import load_rules
from watchfloor.store.services import Service

pytestmark = pytest.mark.usefixtures("brisk")


class Desk:
    """A recorder with its queue, its services and what it said."""

    def __init__(self, database: Database) -> None:
        settings = {setting.key: setting.default for setting in SETTINGS}
        self.database = database
        self.node = Node(1, "one", database, Pulse(database), settings)
        self.queue = Findings()
        self.judged: list[tuple[int, bool, datetime]] = []
        self.recorder = Recorder(self.node, self.queue, lambda *word: self.judged.append(word))
        self.services: dict[str, Service] = {}

    async def watch(self, *names: str, **values: Any) -> None:
        made = await make_services(self.database, *(definition(name, **values) for name in names))
        await make_rules(self.database)
        self.services = made
        self.recorder.services = {service.id: service for service in made.values()}
        async with self.database.transaction() as connection:
            self.recorder.rules = await load_rules(connection)
        moment = await now(self.database)
        self.node.clock.measured(moment, steady_ns(), steady_ns())
        self.began = moment - timedelta(minutes=5)

    def put(self, name: str, seconds: float, outcome: Outcome = OK) -> None:
        self.queue.put_nowait(
            finding(self.services[name].id, self.began + timedelta(seconds=seconds), outcome)
        )

    async def flush(self) -> None:
        await self.recorder.flush()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.recorder.run(lambda: None))
        yield
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def desk(database: Database) -> Desk:
    made = Desk(database)
    await made.watch("a", "b", "c", max_attempts=1)
    return made


async def stored(database: Database) -> int:
    found: int = await one(database, "SELECT count(*) FROM check_results")
    return found


async def test_results_of_one_service_in_one_batch_all_have_their_consequences(
    desk: Desk, database: Database
) -> None:
    for second, outcome in enumerate((OK, FAILING, OK, FAILING)):
        desk.put("a", second, outcome)
    await desk.flush()
    assert await column(database, "SELECT status FROM check_results ORDER BY ts") == [0, 2, 0, 2]
    assert await column(database, "SELECT state FROM state_spans ORDER BY began") == [
        "up",
        "down",
        "up",
        "down",
    ]
    assert await one(database, "SELECT count(*) FROM incidents") == 2
    events = await column(database, "SELECT kind FROM alert_events ORDER BY alert_id, seq")
    assert events == ["raised", "fired", "resolved", "reopened"]


async def test_results_that_come_out_of_order_are_put_in_order(desk: Desk, database: Database) -> None:
    for second, outcome in ((2, OK), (0, FAILING), (1, FAILING)):
        desk.put("a", second, outcome)
    await desk.flush()
    assert await one(database, "SELECT hard FROM service_state WHERE last_started IS NOT NULL") == 0
    assert await stored(database) == 3


async def test_a_result_older_than_the_one_that_is_stored_is_late_and_counted(
    desk: Desk, database: Database
) -> None:
    desk.put("a", 10)
    await desk.flush()
    desk.put("a", 5, FAILING)
    await desk.flush()
    assert await stored(database) == 1
    assert desk.node.counters["results_late"] == 1


async def test_the_prober_hears_what_is_unconfirmed(database: Database) -> None:
    desk = Desk(database)
    await desk.watch("a", max_attempts=3)
    for second in range(3):
        desk.put("a", second, FAILING)
        await desk.flush()
    assert [soft for _, soft, _ in desk.judged] == [True, True, False]
    assert desk.judged[0][2] == desk.began + timedelta(seconds=0.01)


async def test_an_outage_counts_from_its_first_failing_run(database: Database) -> None:
    desk = Desk(database)
    await desk.watch("a", max_attempts=3)
    for second, outcome in ((0, OK), (30, FAILING), (60, FAILING), (90, FAILING), (120, OK)):
        desk.put("a", second, outcome)
    await desk.flush()
    opened, confirmed, closed = (
        await rows(database, "SELECT opened_at, confirmed_at, closed_at FROM incidents")
    )[0]
    assert (opened - desk.began, closed - desk.began) == (timedelta(seconds=30), timedelta(seconds=120))
    assert confirmed - desk.began == timedelta(seconds=90.01)
    spans = await rows(
        database, "SELECT state, began - %(at)s FROM state_spans ORDER BY began", at=desk.began
    )
    assert spans == [("up", timedelta(0)), ("down", timedelta(seconds=30)), ("up", timedelta(seconds=120))]


async def test_silence_is_unknown_time(database: Database) -> None:
    desk = Desk(database)
    await desk.watch("a")
    desk.put("a", 0)
    desk.put("a", 200)
    await desk.flush()
    spans = await rows(
        database, "SELECT state, began - %(at)s FROM state_spans ORDER BY began", at=desk.began
    )
    assert spans == [
        ("up", timedelta(0)),
        ("unknown", timedelta(seconds=41.01)),
        ("up", timedelta(seconds=200)),
    ]


VAIN = Outcome(Status.UNKNOWN, summary="could not find out")


async def spans(desk: Desk) -> list[tuple[str, float]]:
    found = await rows(
        desk.database,
        "SELECT state, extract(epoch FROM began - %(at)s)::float8 FROM state_spans ORDER BY began",
        at=desk.began,
    )
    return [(state, round(second, 3)) for state, second in found]


@pytest.mark.parametrize("between", [[], [(second, VAIN) for second in range(60, 230, 30)]])
async def test_what_was_not_confirmed_before_nobody_could_see_counts_from_when_somebody_can(
    database: Database, between: list[tuple[int, Outcome]]
) -> None:
    desk = Desk(database)
    await desk.watch("a", max_attempts=3, recover_attempts=2)
    for second, outcome in [(0, OK), (30, FAILING), *between, (240, FAILING), (250, FAILING)]:
        desk.put("a", second, outcome)
    await desk.flush()
    blind = 60.0 if between else 71.01
    assert await spans(desk) == [("up", 0), ("unknown", blind), ("down", 240)]
    assert (
        await one(
            database, "SELECT extract(epoch FROM opened_at - %(at)s)::int FROM incidents", at=desk.began
        )
        == 240
    )


async def test_a_recovery_that_was_not_confirmed_counts_from_when_somebody_can_see_it(
    database: Database,
) -> None:
    desk = Desk(database)
    await desk.watch("a", max_attempts=1, recover_attempts=2)
    for second, outcome in [(0, FAILING), (30, OK), (240, OK)]:
        desk.put("a", second, outcome)
    await desk.flush()
    assert await spans(desk) == [("down", 0), ("unknown", 71.01), ("up", 240)]


def refuse_for(monkeypatch: pytest.MonkeyPatch, service_id: int, error: Exception) -> None:
    """Make storing a result of one service fail, as it would for something nobody thought of."""
    copy = results.copy_results

    async def refuse(connection: Connection, found: list[results.ResultRow]) -> None:
        if any(row.service_id == service_id for row in found):
            raise error
        await copy(connection, found)

    monkeypatch.setattr(results, "copy_results", refuse)


async def test_a_result_that_is_refused_goes_alone(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_for(monkeypatch, desk.services["b"].id, psycopg.DataError("no"))
    for name in "abc":
        desk.put(name, 0)
    desk.put("a", 1, FAILING)
    async with desk.at_work():
        await until(lambda: _stored_is(database, 3))
        desk.put("c", 1)
        await until(lambda: _stored_is(database, 4))
    assert desk.node.counters["results_dropped"] == 1
    assert (
        await one(
            database, "SELECT hard FROM service_state WHERE service_id = %(id)s", id=desk.services["b"].id
        )
        is None
    )


async def _stored_is(database: Database, wanted: int) -> bool:
    return await stored(database) == wanted


async def test_a_drain_stores_the_others_too(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_for(monkeypatch, desk.services["b"].id, ValueError("no"))
    for name in "abc":
        desk.put(name, 0)
    await desk.flush()
    assert await stored(database) == 2


@pytest.mark.parametrize(
    "error",
    [psycopg.OperationalError("gone"), psycopg.errors.DiskFull("full"), TimeoutError("busy")],
)
async def test_nothing_is_dropped_because_of_the_database(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with monkeypatch.context() as patched:
        refuse_for(patched, desk.services["b"].id, error)
        for name in "abc":
            desk.put(name, 0)
        async with desk.at_work():
            await until(lambda: desk.recorder._trouble)
            assert await stored(database) == 0
            patched.undo()
            await until(lambda: _stored_is(database, 3))
    assert desk.node.counters["results_dropped"] == 0


def lose_the_answer(monkeypatch: pytest.MonkeyPatch, database: Database, times: int) -> Callable[[], int]:
    """Let commits succeed without the program hearing of it."""
    transaction, lost = database.transaction, 0

    @asynccontextmanager
    async def uncertain() -> AsyncIterator[Connection]:
        nonlocal lost
        async with transaction() as connection:
            yield connection
            writes = await connection.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
            wrote = (await writes.fetchone() or (False,))[0]
        if wrote and lost < times:
            lost += 1
            raise psycopg.OperationalError("the connection was lost")

    monkeypatch.setattr(database, "transaction", uncertain)
    return lambda: lost


async def test_a_batch_whose_commit_was_not_heard_of_is_stored_once(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("a", 0, FAILING)
    desk.put("b", 0)
    lost = lose_the_answer(monkeypatch, database, 3)
    async with desk.at_work():
        await until(lambda: lost() == 3 and not desk.recorder._held)
    assert await stored(database) == 2
    assert await one(database, "SELECT count(*) FROM alerts") == 1
    assert await one(database, "SELECT count(*) FROM outbox") == 1
    assert await one(database, "SELECT count(*) FROM incident_events") == 1
    assert desk.node.counters["results_dropped"] == 0


async def test_results_that_waited_for_days_still_find_their_partition(
    desk: Desk, database: Database
) -> None:
    moment = desk.began - timedelta(days=6)
    desk.queue.put_nowait(finding(desk.services["a"].id, moment))
    desk.put("a", 0)
    await desk.flush()
    assert await column(database, "SELECT ts FROM check_results ORDER BY ts") == [moment, desk.began]


async def test_a_result_from_the_far_future_is_refused_and_harms_nobody(
    desk: Desk, database: Database
) -> None:
    desk.queue.put_nowait(finding(desk.services["a"].id, desk.began + timedelta(days=400)))
    desk.put("b", 0)
    await desk.flush()
    assert await stored(database) == 1
    assert desk.node.counters["results_dropped"] == 1


async def test_results_of_services_that_are_gone_are_left_out(desk: Desk, database: Database) -> None:
    desk.put("a", 0)
    desk.put("b", 0)
    await rows(database, "DELETE FROM service_state WHERE service_id = %(id)s", id=desk.services["a"].id)
    desk.recorder.services = {
        service.id: service for service in desk.services.values() if service.name != "b"
    }
    await desk.flush()
    assert await stored(database) == 0


async def test_metrics_facts_and_certificates_are_kept(desk: Desk, database: Database) -> None:
    certificate = {
        "fingerprint_sha256": "aa", "subject": "CN=shop", "issuer": "CN=ca",
        "not_before": "2026-01-01T00:00:00+00:00", "not_after": "2027-01-01T00:00:00+00:00",
    }  # fmt: skip
    outcome = Outcome(Status.OK, "fine", 0.5, {"dns": 0.1}, {"cpu": 1.5}, {"certificate": certificate})
    broken = Outcome(Status.OK, "fine", facts={"certificate": {"not_after": "soon", "subject": 5}})
    desk.put("a", 0, outcome)
    desk.put("b", 0, broken)
    await desk.flush()
    assert await rows(database, "SELECT fingerprint, not_after::date::text FROM certificates") == [
        ("aa", "2027-01-01")
    ]
    assert await rows(database, "SELECT name, v FROM metric_raw JOIN series ON id = series_id") == [
        ("cpu", 1.5)
    ]
    assert await one(database, "SELECT count(*) FROM service_facts") == 2
    assert await one(database, "SELECT phases FROM check_results WHERE phases IS NOT NULL") == [
        100_000,
        None,
        None,
        None,
        None,
    ]


async def test_facts_are_stored_when_they_change_or_may_have_been_overwritten(
    desk: Desk, database: Database
) -> None:
    async def stored_after(seconds: float, size: int) -> datetime:
        desk.put("a", seconds, Outcome(Status.OK, "fine", facts={"size": size}))
        await desk.flush()
        assert await rows(database, "SELECT facts FROM service_facts") == [({"size": size},)]
        found: datetime = await one(database, "SELECT at FROM service_facts")
        return found

    first = await stored_after(0, 3)
    assert await stored_after(1, 3) == first
    second = await stored_after(2, 4)
    assert second > first
    desk.recorder.know(desk.recorder.services, desk.recorder.graph, desk.recorder.rules, {})
    assert await stored_after(3, 4) > second


async def test_what_presses_waits_for_nobody_and_takes_along_what_waits(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHER_S", 3600.0)
    async with desk.at_work():
        desk.put("a", 0)
        await until(desk.queue.empty)
        desk.put("b", 0, FAILING)
        await until(lambda: len(desk.judged) == 2)
        desk.put("a", 1)
        desk.queue.put_nowait(
            replace(finding(desk.services["c"].id, desk.began + timedelta(seconds=1), OK), awaited=True)
        )
        await until(lambda: len(desk.judged) == 4)
        desk.put("b", 1, FAILING)  # confirmed: no news
        desk.put("a", 2)
        await until(lambda: desk.queue.qsize() == 1)
        assert await stored(database) == 4
        desk.put("b", 2)  # it is well again
        await until(lambda: len(desk.judged) == 7)


async def test_a_recovery_presses_on_a_node_that_did_not_see_the_failure_and_so_does_the_first_result_of_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHER_S", 3600.0)
    a, b = (desk.services[name].id for name in "ab")
    known = {a: Status.FAILING, b: None}
    desk.recorder.know(desk.recorder.services, desk.recorder.graph, desk.recorder.rules, known)
    desk.recorder.wait_s = 3600.0
    async with desk.at_work():
        desk.put("a", 0)
        await until(lambda: len(desk.judged) == 1)
        desk.put("b", 0)
        await until(lambda: len(desk.judged) == 2)
        desk.put("c", 0)
        desk.put("c", 1, Outcome(Status.UNKNOWN, "it stood still"))  # says nothing of the service
        desk.put("a", 1)  # confirmed by now, as is b
        desk.put("b", 1)
        await until(lambda: desk.queue.qsize() == 3)
        assert not desk.queue.pressing.is_set()


async def test_many_results_press_by_their_number(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_S", 3600.0)
    monkeypatch.setattr(module, "BATCH", 4)
    for seconds in range(10):
        desk.put("a", seconds)
    async with desk.at_work():
        await until(lambda: len(desk.judged) == 10)


async def test_two_nodes_that_record_the_same_services_do_not_deadlock(
    database: Database, desk: Desk
) -> None:
    other = Desk(database)
    other.services, other.began = desk.services, desk.began
    other.recorder.services, other.recorder.rules = desk.recorder.services, desk.recorder.rules

    async def record(each: Desk, names: str, offset: float) -> None:
        for second in range(20):
            for name in names:
                each.put(name, second + offset, FAILING if second % 2 else OK)
            await each.flush()

    await asyncio.gather(record(desk, "abc", 0.0), record(other, "cba", 0.5))
    assert (
        await stored(database) + desk.node.counters["results_late"] + other.node.counters["results_late"]
        == 120
    )
    assert desk.node.counters["results_dropped"] + other.node.counters["results_dropped"] == 0


async def test_a_recorder_that_is_cancelled_in_the_middle_keeps_its_batch(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = asyncio.Event()
    lock_states = results.lock_states

    async def slow(connection: Connection, ids: list[int]) -> Any:
        entered.set()
        await asyncio.sleep(3600)
        return await lock_states(connection, ids)

    desk.put("a", 0)
    with monkeypatch.context() as patched:
        patched.setattr(results, "lock_states", slow)
        running = asyncio.create_task(desk.recorder.run(lambda: None))
        await entered.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await desk.flush()
    assert await stored(database) == 1
