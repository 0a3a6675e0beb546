"""A check that finds nothing out is told of: since when, what it says, and when that is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from support.make import at, make_days, make_rules, make_services, state_row
from support.rules import APART, DEFAULTS, alerts_of, asking, rehearsed, stored
from support.sql import one, rows
from watchfloor.domain.check_state import NEW, advance
from watchfloor.domain.guards import CUT_OFF
from watchfloor.domain.outcome import Status
from watchfloor.domain.questions.unknown import ANY, Unknown
from watchfloor.operations.evaluating import evaluate_due
from watchfloor.store.database import Database
from watchfloor.store.results import ResultRow, copy_results, lock_states, save_states

OK, _, FAILING, UNKNOWN = Status
WHY = "cannot start check_raid: no such file"
BLIND = asking(Unknown(), replace(ANY, for_s=60.0))
Found = tuple[float, Status]


async def check(database: Database, service_id: int, second: float, status: Status, said: str = WHY) -> None:
    """One check, as the recorder stores it; its run takes a second."""
    async with database.transaction() as connection:
        before = (await lock_states(connection, [service_id]))[service_id].state
        state = advance(before, status, at(second), at(second + 1)).state
        said = "" if status is OK else said
        row = state_row(service_id, state=state, last_ended=at(second + 1), summary=said)
        await save_states(connection, [row])
        result = ResultRow(service_id, at(second), 1, int(status), None, 0, None, said or None, 1_000_000)
        await copy_results(connection, [result])


async def live(database: Database, service_id: int, found: Iterable[Found], until: int) -> list[object]:
    """Checks as they come, and what becomes of alerts when the rule is evaluated every ten seconds."""
    await make_rules(database, stored(BLIND))
    waiting = sorted(found, reverse=True)
    for second in range(0, until + 1, 10):
        while waiting and waiting[-1][0] + 1 <= second:
            await check(database, service_id, *waiting.pop())
        await evaluate_due(database, APART, at(second))
    return await rows(database, "SELECT active_at, fired_at, resolved_at FROM alerts ORDER BY id")


async def test_it_fires_when_nothing_was_found_out_for_long_enough_and_ends_with_the_first_finding(
    database: Database,
) -> None:
    """An ok check between two looks of the rule begins the wait anew, and so does one that found something bad."""
    raid = (await make_services(database, "raid"))["raid"]
    await make_days(database)
    found = [
        *((float(s), UNKNOWN) for s in range(0, 60, 5)),
        (56, OK),
        *((float(s), UNKNOWN) for s in range(57, 200, 5)),
        (201, FAILING),
        (202, UNKNOWN),
        (210, UNKNOWN),
        *((float(s), UNKNOWN) for s in range(240, 271, 10)),
        (272, OK),
    ]
    told = await live(database, raid.id, found, 300)
    assert told == [(at(57), at(120), at(210)), (at(202), at(270), at(280))]
    (title, summary, state, severity), _ = await alerts_of(database)
    assert (title, state, severity) == ("raid: its checks find nothing out", "resolved", 1)
    assert summary == f"they have found nothing out for 2m23s; the last one said: {WHY}"
    assert await rehearsed(database, BLIND, at(0), at(300)) == [
        ("raid", at(120), at(210)),
        ("raid", at(270), at(280)),
    ]


async def test_the_wait_survives_that_nobody_looks_for_a_while(database: Database) -> None:
    raid = (await make_services(database, "raid"))["raid"]
    await make_days(database)
    waits = asking(Unknown(), replace(ANY, for_s=1_800.0), 30.0)
    await make_rules(database, stored(waits))
    for second in range(0, 600, 30):
        await check(database, raid.id, second, UNKNOWN)
        await evaluate_due(database, DEFAULTS, at(second + 1))
    # the program is away for a quarter of an hour, which counts neither way
    for second in range(1_500, 2_100, 30):
        await check(database, raid.id, second, UNKNOWN)
        await evaluate_due(database, DEFAULTS, at(second + 1))
    assert await alerts_of(database) == []
    for second in range(2_100, 2_200, 30):
        await check(database, raid.id, second, UNKNOWN)
        await evaluate_due(database, DEFAULTS, at(second + 1))
    assert [row[2] for row in await alerts_of(database)] == ["firing"]


async def test_what_began_before_somebody_looked_again_makes_no_wait_shorter(database: Database) -> None:
    """Nothing was found out once, right before the program was away: that is no hour of it."""
    raid = (await make_services(database, "raid"))["raid"]
    await make_days(database)
    await make_rules(database, stored(BLIND))
    await evaluate_due(database, DEFAULTS, at(0))
    await check(database, raid.id, 5, UNKNOWN)
    await check(database, raid.id, 3_599, UNKNOWN)
    await evaluate_due(database, DEFAULTS, at(3_600))
    assert await alerts_of(database) == []
    await check(database, raid.id, 3_640, UNKNOWN)
    await evaluate_due(database, DEFAULTS, at(3_650))
    assert await alerts_of(database) == []
    await evaluate_due(database, DEFAULTS, at(3_660))
    assert [row[2] for row in await alerts_of(database)] == ["firing"]


async def test_of_a_service_that_is_paused_or_no_longer_checked_nothing_is_known(database: Database) -> None:
    raid = (await make_services(database, "raid"))["raid"]
    await make_days(database)
    await make_rules(database, stored(BLIND))
    await check(database, raid.id, 0, UNKNOWN)
    await evaluate_due(database, DEFAULTS, at(1))
    await rows(database, "UPDATE services SET paused = true RETURNING id")
    for second in range(10, 121, 10):
        await evaluate_due(database, DEFAULTS, at(second))
    await rows(database, "UPDATE services SET paused = false RETURNING id")
    for second in range(130, 201, 10):  # its last check is too old to say anything
        await evaluate_due(database, DEFAULTS, at(second))
    assert await alerts_of(database) == []
    for second in range(210, 280, 10):
        await check(database, raid.id, second - 1, UNKNOWN)
        await evaluate_due(database, DEFAULTS, at(second))
    assert [row[2] for row in await alerts_of(database)] == ["firing"]


async def test_a_node_that_was_cut_off_is_no_blindness_of_its_checks(database: Database) -> None:
    shop = (await make_services(database, "shop"))["shop"]
    await make_days(database)
    for second in range(0, 300, 10):
        state = advance(NEW, UNKNOWN, at(second), at(second + 1)).state
        async with database.transaction() as connection:
            row = state_row(shop.id, state=replace(state, unknown_since=None), last_ended=at(second + 1))
            await save_states(connection, [row])
            said = f"{CUT_OFF}; the check saw: timed out"
            result = ResultRow(shop.id, at(second), 1, int(UNKNOWN), None, 0, None, said, 1_000_000)
            await copy_results(connection, [result])
    assert await live(database, shop.id, [], 300) == []
    assert await rehearsed(database, BLIND, at(0), at(300)) == []


async def test_in_maintenance_it_is_raised_and_told_to_nobody(database: Database) -> None:
    raid = (await make_services(database, "raid"))["raid"]
    await make_days(database)
    await rows(
        database,
        "INSERT INTO service_planned (service_id, depth, windows, since) VALUES (%(id)s, 1, '{}', %(at)s) RETURNING 1",
        id=raid.id, at=at(0),
    )  # fmt: skip
    found = [(float(s), UNKNOWN) for s in range(0, 100, 10)]
    assert len(await live(database, raid.id, found, 100)) == 1
    assert await one(database, "SELECT suppressed FROM alerts") == ["maintenance"]
    assert await rows(database, "SELECT 1 FROM outbox") == []


async def test_hours_of_roll_ups_stand_for_results_that_are_no_longer_kept(database: Database) -> None:
    raid = (await make_services(database, "raid"))["raid"]
    await make_days(database, at(10 * 86_400))
    await make_days(database)
    for table in await rows(
        database,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'check_results'::regclass",
    ):
        if table[0][-8:] < "20310310":
            await rows(database, f"DROP TABLE {table[0]}; SELECT 1")
    hours: list[tuple[datetime, int]] = [(at(3_600 * n), 120 if 2 <= n < 5 else 3) for n in range(8)]
    for began, unknown in hours:
        await rows(
            database,
            "INSERT INTO result_1h (service_id, n, ts, degraded, failing, unknown, measured, total_us) "
            "VALUES (%(id)s, 120, %(at)s, 0, 0, %(unknown)s, 0, 0) RETURNING 1",
            id=raid.id, at=began, unknown=unknown,
        )  # fmt: skip
    told = await rehearsed(
        database, replace(BLIND, condition=replace(BLIND.condition, every_s=600.0)), at(0), at(8 * 3_600)
    )
    assert told == [("raid", at(3 * 3_600), at(6 * 3_600))]
