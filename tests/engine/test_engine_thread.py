"""The engine's own thread: whatever happens to its loop, there is an engine again, and somebody says so meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from support.engines import OK, Stage, configuration, plan, service
from support.waiting import until_now
from watchfloor.domain.outcome import Outcome
from watchfloor.engine import thread as module
from watchfloor.engine.engine import Plan
from watchfloor.engine.thread import EngineThread

pytestmark = pytest.mark.usefixtures("brisk")


@contextmanager
def started(made: Plan) -> Iterator[EngineThread]:
    engine = EngineThread(made)
    engine.start()
    try:
        yield engine
    finally:
        assert engine.stop(30)


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def alerts(dsn: str) -> list[tuple[object, ...]]:
    return rows(dsn, "SELECT title, state FROM alerts ORDER BY id")


def is_running(engine: EngineThread) -> bool:
    return engine.progress.stage == "running"


def checked_again(stage: Stage, target: str = "shop") -> None:
    before = stage.count(target)
    until_now(lambda: stage.count(target) > before + 2)


def test_an_engine_starts_checks_and_stops(dsn: str, stage: Stage) -> None:
    with started(plan(dsn, stage, configuration(service("shop")))) as engine:
        until_now(lambda: is_running(engine))
        checked_again(stage)
        until_now(lambda: engine.progress.components)
        names = {row.component for row in engine.progress.components}
        assert names >= {"loop", "prober", "recorder", "heart"}
        assert engine.progress.services == 1
    assert not engine.alive
    assert engine.failure is None
    assert rows(dsn, "SELECT state FROM nodes") == [("stopped",)]


def test_a_loop_that_is_killed_is_replaced_with_everything_on_it(dsn: str, stage: Stage) -> None:
    with started(plan(dsn, stage, configuration(service("shop")))) as engine:
        for _ in range(3):
            until_now(lambda: is_running(engine))
            checked_again(stage)
            loop = engine._loop
            assert loop is not None
            loop.call_soon_threadsafe(loop.stop)
            until_now(lambda loop=loop: engine._loop not in (None, loop))
        until_now(lambda: is_running(engine))
        checked_again(stage)
        assert engine.failure is None


def test_a_loop_that_is_blocked_is_told_of_from_outside_until_it_turns_again(
    dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT_S", 0.5)
    blocked, go = threading.Event(), threading.Event()

    async def block() -> Outcome:
        if not go.is_set():
            blocked.set()
            go.wait(60)  # as a probe would that waits without giving the loop back
        return OK

    stage.finds["shop"] = block
    with started(plan(dsn, stage, configuration(service("shop"), service("other")))) as engine:
        assert blocked.wait(30)
        until_now(lambda: alerts(dsn) == [("loop of node one is stuck", "firing")])
        assert rows(dsn, "SELECT state FROM component_health WHERE component = 'loop'") == [("stuck",)]
        go.set()
        until_now(lambda: alerts(dsn)[0] == ("loop of node one is stuck", "resolved"))
        checked_again(stage, "other")
        assert engine.failure is None


def test_an_engine_that_can_never_run_says_why_and_ends(dsn: str, stage: Stage) -> None:
    rows(dsn, "UPDATE alembic_version SET version_num = '9999' RETURNING 1")
    engine = EngineThread(plan(dsn, stage, configuration(service("shop"))))
    engine.start()
    until_now(lambda: not engine.alive)
    assert engine.failure is not None
    assert "written by a newer Watchfloor" in str(engine.failure)
    assert engine.progress.stage == "failed"
    assert engine.stop(5)


def test_an_address_that_cannot_be_read_ends_the_engine_with_a_reason(stage: Stage) -> None:
    engine = EngineThread(plan("host=h nonsense", stage, configuration()))
    engine.start()
    until_now(lambda: not engine.alive)
    assert "cannot be read" in str(engine.failure)


def test_an_engine_waits_for_a_database_that_is_away_and_ends_when_asked(stage: Stage) -> None:
    began = time.monotonic()
    with started(plan("host=127.0.0.1 port=1 user=x", stage, configuration())) as engine:
        until_now(lambda: engine.progress.stage == "waiting for the database")
        assert engine.alive
    assert time.monotonic() - began < 20


def test_an_engine_that_fails_for_no_known_reason_is_tried_again(
    dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, fails = module.Engine, [ValueError("odd"), ZeroDivisionError("odder")]

    def sometimes(*everything: object) -> object:
        if fails:
            raise fails.pop()
        return made(*everything)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "Engine", sometimes)
    with started(plan(dsn, stage, configuration(service("shop")))) as engine:
        until_now(lambda: is_running(engine))
        checked_again(stage)


def test_a_stop_at_any_moment_of_the_start_ends_the_thread(dsn: str, stage: Stage) -> None:
    for step in range(12):
        engine = EngineThread(plan(dsn, stage, configuration(service("shop"))))
        engine.start()
        deadline = time.monotonic() + step * 0.02
        while time.monotonic() < deadline:
            pass
        assert engine.stop(20), step


def test_a_stop_before_the_start_of_a_loop_is_not_missed(dsn: str, stage: Stage) -> None:
    engine = EngineThread(plan(dsn, stage, configuration(service("shop"))))
    engine._stop.set()
    engine.start()
    until_now(lambda: not engine.alive)
