"""Schedules in the database: starts that are put off, days that calendars leave out, one-offs that came too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from test_engine_jobs import _no_patience, engine

from support.engines import NO_PAYLOADS
from support.jobs import Labour, job, schedule
from support.make import EPOCH, now
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine.firer import Firer
from watchfloor.engine.node import Node
from watchfloor.engine.runner import Runner
from watchfloor.store import fires
from watchfloor.store.database import Database
from watchfloor.store.jobs import JobDefinition, apply_jobs
from watchfloor.store.pulse import Pulse

__all__ = ["_no_patience"]

pytestmark = pytest.mark.usefixtures("brisk")

NEXT = "SELECT next_fire_at FROM schedules ORDER BY id"


async def define(
    database: Database, at: datetime, *schedules: dict[str, object], **calendars: tuple[str, ...]
) -> None:
    """One job, ``tidy``, as a file that is read at a moment would define it."""
    tidy = JobDefinition(
        name="tidy", kind="fake", settings={}, priority=5, overlap="allow", slots=None, at_most_once=False,
        timeout_ms=60_000, deadline_ms=600_000, retry={}, contact="", description="", runbook="", origin="",
        paused=False, schedules=schedules,
    )  # fmt: skip
    async with database.transaction() as connection:
        await apply_jobs(connection, [tidy], at, calendars)


def firer(database: Database, chance: float = 0.0) -> Firer:
    node = Node(1, "one", database, Pulse(database), {each.key: each.default for each in SETTINGS})
    return Firer(node, Runner(node, NO_PAYLOADS, Path("/nowhere")), lambda: chance)


def day(of_march: int) -> datetime:
    return datetime(2031, 3, of_march, tzinfo=UTC)


@pytest.mark.parametrize("chance", [0.0, 0.25, 1.0])
async def test_jitter_puts_off_the_start_and_nothing_else(database: Database, chance: float) -> None:
    began = await now(database)
    await define(database, began - timedelta(seconds=70), schedule(every="1m", jitter="40s"))
    fire = await one(database, NEXT)
    await firer(database, chance).once()
    ((nominal, start, deadline),) = await rows(
        database, "SELECT scheduled_for, available_at, deadline_at FROM runs"
    )
    assert nominal == fire
    assert start == fire + chance * timedelta(seconds=40)
    assert deadline == fire + timedelta(minutes=10)
    assert await one(database, NEXT) == fire + timedelta(minutes=1)


async def test_with_jitter_runs_begin_after_their_time_by_no_more_and_not_all_alike(
    database: Database, dsn: str
) -> None:
    labour = Labour()
    async with engine(dsn, labour, [job("tick", schedule(every="1s", jitter="500ms"))]):
        await until(lambda: one(database, "SELECT count(*) >= 4 FROM runs WHERE state = 'succeeded'"))
    moments = [attempt.scheduled_for for attempt in labour.attempts["tick"]]
    assert {after - before for before, after in pairwise(moments)} == {timedelta(seconds=1)}
    late = await column(database, "SELECT available_at - scheduled_for FROM runs")
    assert all(timedelta() <= each <= timedelta(seconds=0.5) for each in late)
    assert len(set(late)) > 1
    assert await one(
        database, "SELECT bool_and(started_at >= available_at) FROM runs WHERE started_at IS NOT NULL"
    )


async def test_a_fire_leaves_out_the_days_of_its_calendars_and_of_no_other(database: Database) -> None:
    daily = schedule(cron="@daily", not_on=["03-03"], calendars=["feasts", "moving"])
    await define(database, EPOCH, daily, feasts=("03-02",), moving=("2031-03-04",), others=("03-05",))
    assert await column(database, NEXT) == [day(5)]
    await rows(database, "UPDATE schedules SET next_fire_at = clock_timestamp()")
    async with database.transaction() as connection:
        (due,) = await fires.due_schedules(connection, 9)
    assert sorted(due.spec["excluded"]) == ["03-02", "03-03", "2031-03-04"]


async def test_a_calendar_that_changes_moves_the_coming_fires_of_the_schedules_that_name_it(
    database: Database,
) -> None:
    every = {"every": "24h", "anchor": "2031-01-01"}
    schedules = [schedule(cron="@daily", calendars=["feasts"]), schedule(**every, calendars=["feasts"])]
    for days, following in [(("03-02",), 3), (("03-02..03-04",), 5), ((), 2)]:
        await define(database, EPOCH, *schedules, schedule(**every), feasts=days)
        assert await column(database, NEXT) == [day(following), day(following), day(2)]


async def test_a_one_off_that_nobody_was_there_for_runs_late_within_its_window(database: Database) -> None:
    moment = await now(database) - timedelta(hours=5)
    await define(database, moment - timedelta(hours=1), schedule(at=moment.isoformat()))
    await firer(database).once()
    assert await rows(database, "SELECT scheduled_for, state FROM runs") == [(moment, "ready")]
    assert await rows(database, "SELECT state, next_fire_at FROM schedules") == [("ended", None)]


async def test_a_one_off_older_than_its_window_is_missed_and_said_to_be(database: Database) -> None:
    moment = await now(database) - timedelta(hours=5)
    late = schedule(at=moment.isoformat(), catch_up_window="4h")
    await define(database, moment - timedelta(hours=1), late)
    await firer(database).once()
    assert await rows(database, "SELECT scheduled_for, state, missed, error FROM runs") == [
        (moment, "missed", 1, "1 fire missed while no engine was there, 0 made")
    ]
    assert await column(database, "SELECT state FROM schedules") == ["ended"]
