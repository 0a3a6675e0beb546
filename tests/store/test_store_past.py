"""The past: boards of moments that were recorded while a random history was written, found again by travelling."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from support.engines import finding
from support.make import definition, make_alerts, make_rules, make_services, now, rule
from support.sql import column, one
from watchfloor.domain.boards import AlertRow, HealthRow
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine.finding import Findings
from watchfloor.engine.node import Node, steady_ns
from watchfloor.engine.recorder import Recorder
from watchfloor.operations import alerts as acts
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.ageing import age_alerts
from watchfloor.operations.retiring import end_services
from watchfloor.operations.services import set_paused
from watchfloor.store import alert_rooms, health, past, past_alerts
from watchfloor.store.database import Database, fetch_column
from watchfloor.store.partitions import ensure_partitions, leaf
from watchfloor.store.pulse import Pulse
from watchfloor.store.results import RECENT, ResultRow, copy_results
from watchfloor.store.rules import load_rules
from watchfloor.store.services import apply_definitions, load_services

ROBIN = Actor("robin", False)
NAMES = ("shop", "mail", "wiki")
LATENCIES = (None, 0.0003, 0.25, 12.0)


@dataclass(frozen=True)
class Seen:
    """What the boards of the present showed at a moment."""

    at: datetime
    health: Sequence[HealthRow]
    alerts: Sequence[AlertRow]


@dataclass
class House:
    """A random life of a few services, written by the recorder and the operations."""

    database: Database
    dice: Random
    seen: list[Seen] = field(default_factory=list)
    names: set[str] = field(default_factory=lambda: set(NAMES))

    async def begin(self) -> None:
        settings = {setting.key: setting.default for setting in SETTINGS} | {"alerts.reopen_window": 0.02}
        self.node = Node(1, "one", self.database, Pulse(self.database), settings)
        self.queue = Findings()
        self.recorder = Recorder(self.node, self.queue, lambda *_: None)
        await make_rules(
            self.database,
            rule("mail waits", selector={"names": ["mail"]}, for_ms=15),
            rule("any", severity=self.dice.choice([None, 2])),
        )
        await self.define()

    async def define(self) -> None:
        """Put the names that are wanted into force, as a config file would."""
        wanted = [
            definition(
                name,
                every_ms=100,
                timeout_ms=50,
                max_attempts=self.dice.choice([1, 2, 3]) if name == "shop" else 2,
                recover_attempts=1 if name == "shop" else 2,
            )
            for name in sorted(self.names)
        ]
        async with self.database.transaction() as connection:
            _, retired = await apply_definitions(connection, wanted)
            await end_services(connection, retired, await health.clock(connection))
            self.recorder.rules = await load_rules(connection)
            self.services = {service.name: service for service in await load_services(connection)}
        self.recorder.services = {service.id: service for service in self.services.values()}

    async def now(self) -> datetime:
        moment = await now(self.database)
        self.node.clock.measured(moment, steady_ns(), steady_ns())
        return moment

    async def check(self) -> None:
        name = self.dice.choice(sorted(self.services))
        status = self.dice.choices(list(Status), (4, 1, 4, 1))[0]
        outcome = Outcome(status, f"{status.word} {self.dice.random()}", self.dice.choice(LATENCIES))
        moment = await self.now()
        if self.dice.random() < 0.3:
            await self.look()  # what a check finds is not known before it has ended
        lasted = (await self.now() - moment).total_seconds()
        self.queue.put_nowait(finding(self.services[name].id, moment, outcome, lasted))
        await self.now()
        await self.recorder.flush()

    async def act(self) -> None:
        """Something an operator does, as far as the alerts there are allow it."""
        found = await column(self.database, "SELECT id FROM alerts ORDER BY id DESC LIMIT 3")
        kind = self.dice.randrange(6)
        try:
            if kind == 0:
                service = self.services[self.dice.choice(sorted(self.services))]
                await set_paused(self.database, ROBIN, service.id, not service.paused)
                self.services[service.name] = replace(service, paused=not service.paused)
            elif found and kind in (1, 2):
                lasts = self.dice.choice([None, timedelta(milliseconds=30), timedelta(hours=1)])
                await acts.acknowledge(self.database, ROBIN, [self.dice.choice(found)], "on it", lasts)
            elif found and kind == 3:
                await acts.unacknowledge(self.database, ROBIN, [self.dice.choice(found)])
            elif found and kind == 4:
                await acts.resolve(self.database, ROBIN, [self.dice.choice(found)], "enough")
            else:
                self.names ^= {"wiki"}
                await self.define()
        except Refused:
            return

    async def step(self) -> None:
        await age_alerts(self.database, await self.now())
        await (self.check() if self.dice.random() < 0.8 else self.act())

    async def look(self) -> None:
        async with self.database.transaction() as connection:
            at = await health.clock(connection)
            board = await health.board(connection, at, {})
            found = await alert_rooms.active(connection) + await alert_rooms.resolved(connection)
        self.seen.append(Seen(at, board, found))


def comparable(row: HealthRow) -> HealthRow:
    """Without what is not kept: the words of a good result; and without what is booked anew."""
    return replace(row, uptime_24h=None, summary="" if row.status is Status.OK else row.summary)


def differences(then: Sequence[Any], found: Sequence[Any]) -> list[Any]:
    """What one list has and the other has not, for a message that can be read."""
    return [("then", row) for row in then if row not in found] + [
        ("found", row) for row in found if row not in then
    ]


async def travelled(database: Database, at: datetime) -> tuple[list[HealthRow], list[AlertRow]]:
    """Both boards of a moment, resolved alerts too."""
    async with database.transaction() as connection:
        found = await past_alerts.open_alerts(connection, at)
        return await past.board(connection, at), [*found, *await past_alerts.resolved_alerts(connection, at)]


@pytest.mark.parametrize("seed", range(5))
async def test_travelling_to_a_moment_shows_what_the_boards_showed_then(
    database: Database, seed: int
) -> None:
    house = House(database, Random(seed))
    await house.begin()
    for _ in range(60):
        await house.step()
        if house.dice.random() < 0.4:
            await house.look()
    kept = set(await column(database, "SELECT id FROM alerts"))
    for seen in house.seen:
        board, found = await travelled(database, seen.at)
        then = [comparable(row) for row in seen.health]
        assert differences(then, [comparable(row) for row in board]) == []
        # a pending alert that ended before it fired is not kept
        assert differences([row for row in seen.alerts if row.id in kept], found) == []


async def test_the_detail_of_a_moment_knows_nothing_of_what_came_later(database: Database) -> None:
    house = House(database, Random(3))
    await house.begin()
    for _ in range(40):
        await house.step()
    async with database.transaction() as connection:
        alert_id = await one(
            database, "SELECT id FROM alerts WHERE service_id IS NOT NULL ORDER BY id LIMIT 1"
        )
        now_known = await alert_rooms.detail(connection, alert_id)
        assert now_known is not None
        assert now_known.row.service_id is not None
        at = now_known.events[0].at
        found = await past_alerts.alert_detail(connection, alert_id, at)
        before = await past_alerts.alert_detail(connection, alert_id, at - timedelta(microseconds=1))
        service = await past.service_detail(connection, now_known.row.service_id, at)
        (row,) = [each for each in await past.board(connection, at) if each.id == now_known.row.service_id]
    assert found is not None
    assert before is None
    assert found.events == tuple(each for each in now_known.events if each.at <= at)
    assert service is not None
    assert service.row == row
    assert [incident.closed_at for incident in service.incidents[:1]] == [None]
    assert all(result.at <= at for result in service.results)


async def test_a_service_is_not_shown_before_it_was_defined_nor_after_it_was_retired(
    database: Database,
) -> None:
    before = await now(database)
    await make_services(database, "a", "b")
    both = await now(database)
    await make_services(database, "b", definition("c", kind="new"))
    later = await now(database)
    await make_services(database, "a", "b")
    boards = [
        [row.name for row in (await travelled(database, at))[0]]
        for at in (before, both, later, await now(database))
    ]
    assert boards == [[], ["a", "b"], ["b", "c"], ["a", "b"]]


async def test_what_was_defined_otherwise_then_is_shown_as_it_was(database: Database) -> None:
    await make_services(database, definition("a", kind="http", group_name="old", tags=("x",), every_ms=5000))
    at = await now(database)
    await make_services(
        database, definition("a", kind="tcp", group_name="new", every_ms=9000, max_attempts=9)
    )
    ((row,), _) = await travelled(database, at)
    assert (row.kind, row.group, row.tags, row.every, row.max_attempts) == ("http", "old", ("x",), 5.0, 3)


async def test_alerts_of_a_moment_are_those_that_were_open_then(database: Database) -> None:
    made = await make_services(database, "a", "b")
    await make_rules(database)
    await make_alerts(database, made["a"])
    at = await now(database)
    await make_alerts(database, made["b"])
    board, found = await travelled(database, at)
    assert [(row.service, row.state) for row in found] == [("a", "firing")]
    assert [row.alert_id is not None for row in board] == [True, False]


async def test_what_is_kept_begins_with_the_oldest_day_of_results_and_the_retention_of_alerts(
    database: Database,
) -> None:
    async with database.transaction() as connection:
        moment = await health.clock(connection)
        assert (await past.kept(connection)).results >= moment
        await ensure_partitions(connection, (moment - timedelta(days=3)).date(), ahead=0)
        kept = await past.kept(connection)
    assert kept.results.date() == (moment - timedelta(days=4)).date()
    assert kept.story.date() == (moment - timedelta(days=365)).date()


async def test_the_board_of_a_past_day_reads_the_days_before_it_and_by_their_key(database: Database) -> None:
    made = await make_services(database, *(f"s{n}" for n in range(20)))
    moment = await now(database)
    async with database.transaction() as connection:
        await ensure_partitions(connection, (moment + timedelta(days=8)).date(), ahead=2)
        await ensure_partitions(connection, moment.date())
        day = moment.replace(hour=12, minute=0, second=0) + timedelta(days=2)
        results = [
            ResultRow(service.id, day + timedelta(seconds=n * 30), 1, 0, 1000, 0, None, None, 1000)
            for service in made.values()
            for n in range(1000)
        ]
        await copy_results(connection, results)
        await connection.execute("ANALYZE")
        at = day + timedelta(hours=3)
        ids = [service.id for service in made.values()]
        values = {"at": at, "since": at - timedelta(days=1), "ids": ids, "recent": RECENT}
        lines = await fetch_column(connection, f"EXPLAIN (ANALYZE, COSTS OFF) {past.BOARD}", values)
    plan = "\n".join(lines)
    leaves = {name for line in lines for name in re.findall(r"check_results_p\d+", line)}
    wanted = {leaf("check_results", (at - timedelta(days=n)).date()) for n in (0, 1)}
    named = {name.removesuffix("_pkey") for name in leaves}
    assert named == wanted, plan
    assert not re.search(r"Seq Scan on check_results", plan), plan
    read = [int(found) for found in re.findall(r"Index Scan.*check_results.*rows=(\d+)", plan)]
    assert max(read) <= RECENT, plan
