"""Heartbeats while no ping could be taken: nobody is down for what was not heard, and who is silent is found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from test_engine_heartbeats import (
    OPERATOR,
    closed,
    heartbeat_service,
    is_status,
    known,
    ping,
    with_heartbeats,
)

from support.desks import StateDesk
from support.engines import Stage, running
from support.make import definition
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.domain.outcome import Status
from watchfloor.engine.heartbeats import Heartbeats
from watchfloor.engine.watches import make_watch
from watchfloor.operations import heartbeats as operations
from watchfloor.probes import heartbeat
from watchfloor.store import heartbeats
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded

pytestmark = pytest.mark.usefixtures("brisk")

SECOND = timedelta(seconds=1)


@pytest.fixture
def own(server_dir: Path) -> Iterator[Embedded]:
    server = Embedded.start(server_dir)
    yield server
    server.stop(wait=True)


@asynccontextmanager
async def a_job(database: Database) -> AsyncIterator[None]:
    """A job that pings several times a second and does not care whether anybody hears."""

    async def work() -> None:
        while True:
            with contextlib.suppress(Exception):
                await ping(database)
            await asyncio.sleep(0.2)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def incidents(database: Database) -> list[datetime]:
    return await column(database, "SELECT opened_at FROM incidents")


async def test_a_database_that_was_away_takes_no_heartbeat_down_and_hides_none_that_is_silent(
    own: Embedded, server_dir: Path, stage: Stage
) -> None:
    database = Database(own.dsn, name="test")
    async with running(with_heartbeats(own.dsn, stage, heartbeat_service(period="1s", grace="1s"))):
        await until(lambda: begun(database))
        async with a_job(database):
            await until(lambda: is_status(database, Status.OK))
            for _ in range(2):
                await asyncio.to_thread(own.stop, True)
                await asyncio.sleep(
                    3
                )  # it is away for longer than period and grace: there is nothing to wait for
                again = await asyncio.to_thread(Embedded.start, server_dir)
                own._users = again._users  # the fixture lets go of this one now
                await until(partial(pinged_again, database))
            assert await incidents(database) == []
        await until(lambda: is_status(database, Status.FAILING))
        (opened,) = await incidents(database)
        last = await one(database, "SELECT max(at) FROM heartbeat_pings")
        assert last + 2 * SECOND <= opened <= last + 10 * SECOND
    await database.close()


async def begun(database: Database) -> bool:
    with contextlib.suppress(Exception):
        return await known(database)
    return False


async def pinged_again(database: Database) -> bool:
    """Whether a ping was booked that came after a pause, and another look followed."""
    with contextlib.suppress(Exception):
        return bool(
            await one(
                database,
                "SELECT last_ping > unheard_until AND unheard >= interval '3 s' AND looked > last_ping "
                "AND unheard_until > pg_postmaster_start_time() FROM heartbeats",
            )
        )
    return False


async def looked_since(database: Database, moment: datetime) -> bool:
    return bool(await one(database, "SELECT looked > %(at)s FROM heartbeats", at=moment))


class Desk:
    """The loop of a node, turned by hand. Time passes by moving what was booked into the past."""

    def __init__(self, database: Database, desk: StateDesk) -> None:
        self.database = database
        self._desk = desk
        self.loop = self.started()

    def started(self) -> Heartbeats:
        """A loop that has not listened yet."""
        made = Heartbeats(self._desk.node, self._desk.recorder)
        watched = self._desk.services["backup"]
        made.assign([make_watch(watched, None, heartbeat.Settings(period="1h", grace="5m"))])  # type: ignore[arg-type]
        return made

    async def turn(self) -> str:
        """What is known of the heartbeat after a turn of the loop."""
        self._desk.node.clock.measured(await one(self.database, "SELECT clock_timestamp()"), 0, 0)
        await self.loop.once(lambda: None)
        return str(await one(self.database, "SELECT status FROM heartbeats"))

    async def passes(self, minutes: float, *, heard: bool) -> None:
        """Let so much time pass, with somebody who listens or without."""
        moved = [
            f"UPDATE heartbeats SET {', '.join(f'{each} = {each} - %(by)s' for each in _BOOKED)}",
            "UPDATE heartbeat_pings SET at = at - %(by)s",
            *([] if heard else ["UPDATE hearing SET heard_at = heard_at - %(by)s"]),
        ]
        for statement in moved:
            await rows(self.database, statement, by=timedelta(minutes=minutes))

    async def down_since(self) -> float:
        """How many minutes after the last ping it went down."""
        silent = (
            "SELECT extract(epoch FROM looked - last_ping)::float8 / 60 FROM heartbeats WHERE status = 'down'"
        )
        return float(await one(self.database, silent))


_BOOKED = ("last_ping", "last_start", "looked", "down_at", "unheard_until")


@pytest.fixture
async def desk(database: Database) -> Desk:
    """A heartbeat that is told over HTTP every hour, and was just now."""
    states = StateDesk(database)
    given = {"period": 3600.0, "grace": 300.0}
    await states.watch(definition("backup", kind="heartbeat", settings=given))
    async with database.transaction() as connection:
        await heartbeats.provide(connection)
    made = Desk(database, states)
    await operations.new_token(database, OPERATOR, "backup")
    assert await made.turn() == "new"
    await ping(database)
    assert await made.turn() == "up"
    return made


async def test_silence_that_somebody_listened_through_counts(desk: Desk) -> None:
    """Without this the tests below would pass with a monitor that excuses everything."""
    await desk.passes(64, heard=True)
    assert await desk.turn() == "up"
    await desk.passes(2, heard=True)
    assert await desk.turn() == "down"


@pytest.mark.parametrize("restarted", [False, True])
async def test_silence_that_nobody_could_have_heard_does_not_count_and_what_follows_does(
    desk: Desk, restarted: bool
) -> None:
    """The clock jumped, the database was away or everything stood still; or no node ran."""
    await desk.passes(50, heard=True)
    await desk.turn()
    await desk.passes(30, heard=False)
    if restarted:
        desk.loop = desk.started()
    assert await desk.turn() == "up"
    await desk.passes(64, heard=True)
    assert await desk.turn() == "up"
    await desk.passes(2, heard=True)
    assert await desk.turn() == "down"
    lines = await rows(desk.database, "SELECT actor, after FROM audit WHERE action = 'unheard'")
    assert [(actor, after["heartbeats"]) for actor, after in lines] == [("watchfloor", 1)]


async def test_what_was_down_before_nobody_listened_is_not_excused(desk: Desk) -> None:
    await desk.passes(66, heard=True)
    await desk.passes(30, heard=False)
    assert await desk.turn() == "down"


async def test_a_node_that_stands_still_between_listening_and_judging_does_not_judge(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen, still = desk.loop._hear, True

    async def listen_and_stand_still() -> datetime:
        nonlocal still
        heard = await listen()
        if still:
            still = False
            await desk.passes(90, heard=False)
            return heard - timedelta(minutes=90)
        return heard

    monkeypatch.setattr(desk.loop, "_hear", listen_and_stand_still)
    assert await desk.turn() == "up"
    await ping(desk.database)
    assert await desk.turn() == "up"
    assert await column(desk.database, "SELECT 1 FROM incidents") == []
    assert await one(desk.database, "SELECT booked FROM heartbeats") == 2


async def test_a_monitor_that_is_restarted_all_the_time_still_finds_who_is_silent(desk: Desk) -> None:
    minutes = 0
    while await desk.turn() == "up":
        await desk.passes(9, heard=True)
        await desk.turn()
        await desk.passes(1, heard=False)
        desk.loop, minutes = desk.started(), minutes + 10
    assert 130 <= minutes <= 150


async def down_time(database: Database, dsn: str, stage: Stage) -> datetime:
    """A heartbeat that is told over HTTP is well, and then no node runs for longer than it may be silent."""
    async with running(with_heartbeats(dsn, stage, heartbeat_service(period="1s", grace="1s"))):
        await until(lambda: known(database))
        await operations.new_token(database, OPERATOR, "backup")
        await ping(database)
        await until(lambda: is_status(database, Status.OK))
    left = await one(database, "SELECT max(heard_at) FROM hearing")

    async def over() -> bool:
        now: datetime = await one(database, "SELECT clock_timestamp()")
        return now > left + timedelta(seconds=3)

    await until(over)
    return left


async def test_a_ping_after_no_node_ran_finds_it_well(database: Database, dsn: str, stage: Stage) -> None:
    await down_time(database, dsn, stage)
    async with (
        running(with_heartbeats(dsn, stage, heartbeat_service(period="1s", grace="1s"))),
        a_job(database),
    ):
        began = await one(database, "SELECT clock_timestamp()")
        await until(lambda: looked_since(database, began + SECOND))
        assert await incidents(database) == []


async def test_one_that_is_silent_after_no_node_ran_is_down_after_its_period_and_grace(
    database: Database, dsn: str, stage: Stage
) -> None:
    left = await down_time(database, dsn, stage)
    async with running(with_heartbeats(dsn, stage, heartbeat_service(period="1s", grace="1s"))):
        await until(lambda: is_status(database, Status.FAILING))
        (opened,) = await incidents(database)
        assert left + 5 * SECOND <= opened <= left + 15 * SECOND
        (cause,) = await column(database, "SELECT cause FROM incidents")
        assert "which was allowed for" in cause
        await ping(database)
        await until(lambda: closed(database))
