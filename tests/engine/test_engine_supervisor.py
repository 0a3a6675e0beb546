"""The supervisor: whatever fails or hangs is started again, seen on screen, and told of when it does not pass."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest

from support.make import make_rules
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.engine import supervisor as module
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Component, Supervisor
from watchfloor.engine.watchdog import report_silence
from watchfloor.store import nodes
from watchfloor.store.database import Database
from watchfloor.store.errors import StoreError
from watchfloor.store.nodes import Registration
from watchfloor.store.pulse import Pulse

pytestmark = pytest.mark.usefixtures("brisk")


class Patient:
    """A component that does as it is told: beat, fail, hang, ignore its end, or just end."""

    def __init__(self) -> None:
        self.runs = 0
        self.failing_runs = 10**9
        self.fail: Exception | None = None
        self.hang = False
        self.deaf = False
        self.end = False
        self.cured = asyncio.Event()

    async def __call__(self, beat: Callable[[], None]) -> None:
        self.runs += 1
        while not self.end:
            if self.fail is not None and self.runs <= self.failing_runs:
                raise self.fail
            if self.hang:
                await self._hang()
            beat()
            await asyncio.sleep(0.02)

    async def _hang(self) -> None:
        while not self.cured.is_set():
            with contextlib.suppress(asyncio.CancelledError if self.deaf else ZeroDivisionError):
                await self.cured.wait()


@pytest.fixture
async def node(database: Database) -> Node:
    await make_rules(database)
    async with database.transaction() as connection:
        entry = await nodes.register(connection, Registration("one", "box", 1, "1", "", ()))
    return Node(entry.id, "one", database, Pulse(database), {})


@asynccontextmanager
async def supervised(node: Node, **patients: Patient) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(
        Supervisor(node, [Component(name, patient) for name, patient in patients.items()]).run()
    )
    try:
        yield running
    finally:
        for patient in patients.values():
            patient.cured.set()
        running.cancel()
        _, pending = await asyncio.wait({running}, timeout=10)
        assert not pending


async def health(database: Database, name: str) -> tuple[str, int, str]:
    found = await rows(
        database,
        "SELECT state, restarts, last_error FROM component_health WHERE component = %(name)s",
        name=name,
    )
    return found[0] if found else ("", 0, "")


async def alerts(database: Database) -> list[tuple[str, str]]:
    return await rows(database, "SELECT title, state FROM alerts ORDER BY id")


async def test_components_that_are_well_are_shown_as_running_and_raise_nothing(
    node: Node, database: Database
) -> None:
    async with supervised(node, prober=Patient(), recorder=Patient()):
        await until(
            lambda: _states(database, {"loop": "running", "prober": "running", "recorder": "running"})
        )
    assert await alerts(database) == []


async def _states(database: Database, wanted: dict[str, str]) -> bool:
    return dict(await rows(database, "SELECT component, state FROM component_health")) == wanted


async def test_a_hiccup_is_counted_and_raises_nothing(node: Node, database: Database) -> None:
    patient = Patient()
    patient.fail, patient.failing_runs = ValueError("\x1b[31moops\n"), 1
    async with supervised(node, prober=patient):
        await until(lambda: _health_is(database, "prober", ("running", 1, "ValueError: oops")))
    assert await alerts(database) == []
    assert node.counters["component_restarts"] == 1


async def _health_is(database: Database, name: str, wanted: tuple[str, int, str]) -> bool:
    return await health(database, name) == wanted


async def test_a_component_that_keeps_failing_raises_an_alert_which_resolves_when_it_is_well_again(
    node: Node, database: Database
) -> None:
    patient = Patient()
    patient.fail = ValueError("no luck")
    async with supervised(node, prober=patient, other=Patient()):
        await until(lambda: _alerts_are(database, [("prober of node one is failing", "firing")]))
        patient.fail = None
        await until(lambda: _alerts_are(database, [("prober of node one is failing", "resolved")]))
    assert await column(database, "SELECT kind FROM alert_events ORDER BY seq") == [
        "raised",
        "fired",
        "resolved",
    ]
    assert await column(database, "SELECT summary FROM alerts") == ["ValueError: no luck"]


async def _alerts_are(database: Database, wanted: list[tuple[str, str]]) -> bool:
    return await alerts(database) == wanted


async def test_a_component_that_fails_again_and_again_is_one_alert_and_not_many(
    node: Node, database: Database
) -> None:
    """It runs for a moment each time; that is no recovery."""
    patient = Patient()
    patient.fail = ValueError("no luck")
    async with supervised(node, prober=patient):
        await until(lambda: patient.runs >= 6)
    events = await column(database, "SELECT kind FROM alert_events ORDER BY alert_id, seq")
    assert events == ["raised", "fired"]


async def test_a_component_that_ends_by_itself_is_started_again(node: Node) -> None:
    patient = Patient()
    async with supervised(node, prober=patient):
        await until(lambda: patient.runs == 1)
        patient.end = True
        await until(lambda: patient.runs >= 2)


async def test_a_component_that_hangs_is_stopped_started_again_and_told_of(
    node: Node, database: Database
) -> None:
    patient = Patient()
    async with supervised(node, prober=patient, other=Patient()):
        await until(lambda: patient.runs)
        patient.hang = True
        await until(lambda: _count(database, "alerts", 1))
        patient.hang = False
        await until(lambda: patient.runs >= 2)
        await until(lambda: _resolved(database))
    (title,) = await column(database, "SELECT title FROM alerts")
    assert title in ("prober of node one is stuck", "prober of node one is failing")
    assert (await column(database, "SELECT summary FROM alerts"))[0].startswith("no sign of life for ")


async def _count(database: Database, table: str, wanted: int) -> bool:
    return await one(database, f"SELECT count(*) FROM {table}") == wanted


async def _resolved(database: Database) -> bool:
    return await column(database, "SELECT state FROM alerts") == ["resolved"]


async def test_a_component_that_hangs_and_ignores_its_end_stays_stuck_and_visible(
    node: Node, database: Database
) -> None:
    patient = Patient()
    patient.deaf = patient.hang = True
    async with supervised(node, prober=patient):
        await until(lambda: _alerts_are(database, [("prober of node one is stuck", "firing")]))
        assert (await health(database, "prober"))[0] == "stuck"
        assert patient.runs == 1


async def test_an_absent_database_is_no_fault_of_a_component(node: Node, database: Database) -> None:
    patient = Patient()
    patient.fail = psycopg.OperationalError("connection refused")
    async with supervised(node, prober=patient):
        await until(lambda: patient.runs >= 6)
        await until(lambda: _last_error(database, "the database is away: connection refused"))
        patient.fail = None
        await until(
            lambda: _health_is(database, "prober", ("running", 0, "the database is away: connection refused"))
        )
    assert await alerts(database) == []


async def _last_error(database: Database, wanted: str) -> bool:
    return (await health(database, "prober"))[2] == wanted


async def test_an_engine_that_is_not_wanted_ends(node: Node) -> None:
    patient = Patient()
    async with supervised(node, heart=patient) as running:
        await until(lambda: patient.runs)
        patient.fail = StoreError("another engine runs as node one now")
        await asyncio.wait({running}, timeout=10)
        with pytest.raises(ExceptionGroup) as caught:
            running.result()
    assert caught.value.subgroup(StoreError) is not None


async def test_the_health_of_components_is_reported_again_after_the_database_was_away(
    node: Node, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, fails = module.report, 3

    async def sometimes(*everything: object) -> bool:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise psycopg.OperationalError("away")
        return await report(*everything)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "report", sometimes)
    async with supervised(node, prober=Patient()):
        await until(lambda: _states(database, {"loop": "running", "prober": "running"}))


async def test_a_loop_that_does_not_turn_is_told_of_from_outside_and_resolves_when_it_turns(
    node: Node, database: Database, dsn: str
) -> None:
    assert await asyncio.to_thread(report_silence, dsn, node.id, "one", 7.0)
    assert await alerts(database) == [("loop of node one is stuck", "firing")]
    assert await health(database, "loop") == ("stuck", 0, "the engine's loop has not turned for 7 s")
    assert await asyncio.to_thread(report_silence, dsn, node.id, "one", 9.0)
    assert len(await alerts(database)) == 1
    async with supervised(node, prober=Patient()):
        await until(lambda: _resolved(database))
    assert (await health(database, "loop"))[0] == "running"


async def test_a_loop_that_stops_before_any_configuration_is_in_force_is_told_of_too(
    database: Database, dsn: str
) -> None:
    async with database.transaction() as connection:
        entry = await nodes.register(connection, Registration("one", "box", 1, "1", "", ()))
    assert await asyncio.to_thread(report_silence, dsn, entry.id, "one", 7.0)
    assert await alerts(database) == [("loop of node one is stuck", "firing")]
    await make_rules(database)
    assert await asyncio.to_thread(report_silence, dsn, entry.id, "one", 9.0)
    assert len(await alerts(database)) == 1


async def test_a_loop_that_stopped_inside_a_transaction_is_told_of_although_it_holds_locks(
    node: Node, database: Database, dsn: str
) -> None:
    async with database.transaction() as stuck:
        await stuck.execute("LOCK TABLE component_health, alerts")
        assert await asyncio.to_thread(report_silence, dsn, node.id, "one", 7.0)
        assert await alerts(database) == [("loop of node one is stuck", "firing")]
        with pytest.raises(psycopg.Error):
            await stuck.execute("SELECT 1")


async def test_what_cannot_be_told_from_outside_is_tried_again(node: Node) -> None:
    assert not await asyncio.to_thread(report_silence, "host=127.0.0.1 port=1 user=x", node.id, "one", 7.0)
