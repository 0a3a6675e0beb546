"""Rules with a wait: only time in which somebody saw the problem counts, so that no outage of the monitor pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from support.desks import StateDesk
from support.make import definition, make_rules, rule
from support.sql import rows
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.operations.ageing import age_alerts
from watchfloor.store.database import Database
from watchfloor.store.rules import load_rules

CUT_OFF = Outcome(Status.UNKNOWN, "the monitor was cut off from its sentinels", None)


@pytest.fixture
async def desk(database: Database) -> StateDesk:
    """A service that is checked every 30 seconds, and a rule that waits for five minutes."""
    made = StateDesk(database)
    await made.watch(definition("shop", max_attempts=1))
    await make_rules(database, rule("slow", for_ms=300_000, channels=("ops",)))
    async with database.transaction() as connection:
        made.recorder.rules = await load_rules(connection)
    return made


async def fails(desk: StateDesk, seconds: Iterable[int]) -> None:
    for second in seconds:
        await desk.results(second, failing=["shop"])


async def is_unknown(desk: StateDesk, seconds: Iterable[int]) -> None:
    for second in seconds:
        await desk.results(second, shop=CUT_OFF)
        assert await state(desk, second + 29) == "pending"


async def state(desk: StateDesk, second: float) -> str:
    """The state of the alert when time has passed up to here; empty where there is none."""
    await age_alerts(desk.database, desk.at(second))
    return "".join(found for _, _, found, _, _ in await desk.alerts())


async def test_a_problem_that_is_seen_all_the_time_fires_when_its_wait_is_over(desk: StateDesk) -> None:
    await fails(desk, range(0, 300, 30))
    assert await state(desk, 299) == "pending"
    assert await state(desk, 301) == "firing"


async def test_results_that_found_nothing_out_advance_no_wait(desk: StateDesk) -> None:
    await fails(desk, (0, 30, 60))
    await is_unknown(desk, range(90, 630, 30))
    await fails(desk, range(630, 840, 30))
    assert await state(desk, 839) == "pending", "of five minutes one was seen before, three and a half since"
    assert await state(desk, 841) == "firing"


async def test_after_results_that_found_nothing_out_a_good_one_ends_it_unheard(desk: StateDesk) -> None:
    await fails(desk, range(0, 300, 30))
    await is_unknown(desk, range(300, 600, 30))
    await desk.results(600, ok=["shop"])
    assert await state(desk, 4000) == ""
    assert await rows(desk.database, "SELECT FROM outbox") == []


async def test_what_is_due_waits_for_the_next_finding_where_the_last_look_was_in_vain(
    desk: StateDesk,
) -> None:
    await fails(desk, range(0, 300, 30))
    await is_unknown(desk, (299,))
    assert await state(desk, 350) == "pending"
    await fails(desk, (351,))
    assert await state(desk, 352) == "firing"


async def test_the_same_result_twice_puts_nothing_off_twice(desk: StateDesk) -> None:
    await fails(desk, (0,))
    await desk.results(30, shop=CUT_OFF)
    await desk.results(30, shop=CUT_OFF)
    await fails(desk, range(60, 330, 30))
    assert await state(desk, 329) == "pending"
    assert await state(desk, 331) == "firing"


async def test_nothing_fires_while_nobody_looks(desk: StateDesk) -> None:
    """As after a process that was stopped and goes on: its ager must not be faster than its checks."""
    await fails(desk, range(0, 240, 30))
    assert await state(desk, 600) == "pending"
    await fails(desk, (601,))
    assert await state(desk, 602) == "firing"


async def test_what_is_found_well_after_a_gap_is_never_heard_of(desk: StateDesk) -> None:
    await fails(desk, range(0, 240, 30))
    assert await state(desk, 600) == "pending"
    await desk.results(601, ok=["shop"])
    assert await state(desk, 4000) == ""


async def test_what_had_not_waited_long_enough_before_a_gap_is_given_its_grace(desk: StateDesk) -> None:
    await fails(desk, (0, 30, *range(200, 500, 30)))
    assert await state(desk, 499) == "pending"
    assert await state(desk, 501) == "firing"


async def test_a_result_that_is_late_is_no_gap(desk: StateDesk) -> None:
    await fails(desk, (*range(0, 240, 30), 280))
    assert await state(desk, 301) == "firing"


async def test_a_pause_holds_up_a_wait(desk: StateDesk) -> None:
    await fails(desk, range(0, 240, 30))
    await rows(desk.database, "UPDATE services SET paused = true")
    assert await state(desk, timedelta(hours=3).total_seconds()) == "pending"
