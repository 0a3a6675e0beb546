"""Objectives: kept as the file says, and told for every service they cover from spans and results."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.make import EPOCH, at, definition, make_days, make_services
from watchfloor.domain.objectives import BURN_WINDOWS, LEAST_SAMPLES, POLICIES, burning_policies
from watchfloor.domain.outcome import Status
from watchfloor.domain.spans import SpanState
from watchfloor.store.database import Database
from watchfloor.store.objectives import ObjectiveDefinition, apply_objectives, burns, load_objectives
from watchfloor.store.results import ResultRow, SpanStart, copy_results, switch_spans

DAY_MS = 86_400_000


def promise(name: str, target: float = 0.99, days: int = 30, **selector: list[str]) -> ObjectiveDefinition:
    return ObjectiveDefinition(name, target, days * DAY_MS, False, False, selector, "config.yaml:3")


async def test_the_file_owns_its_objectives(database: Database) -> None:
    async with database.transaction() as connection:
        await apply_objectives(connection, [promise("b"), promise("a", 0.999)])
        assert [each.name for each in await load_objectives(connection)] == ["b", "a"]
        await apply_objectives(connection, [promise("a", 0.95, 7, groups=["web*"])])
        (only,) = await load_objectives(connection)
    assert (only.name, only.target, only.window_s, only.groups) == ("a", 0.95, 7 * 86_400, ("web*",))


async def test_budgets_and_burn_rates_come_from_time_and_the_guards_from_results(database: Database) -> None:
    """Up for a day, down for the last ten minutes, checked every half minute."""
    await make_days(database)
    made = await make_services(database, definition("shop", group_name="web"), definition("other"))
    shop = made["shop"].id
    start, now = EPOCH, EPOCH + timedelta(days=1)
    down = now - timedelta(minutes=10)
    async with database.transaction() as connection:
        await apply_objectives(connection, [promise("web", groups=["web"])])
        await switch_spans(connection, [SpanStart(shop, start, SpanState.UP)])
        await switch_spans(connection, [SpanStart(shop, down, SpanState.DOWN)])
        moments = [at(second) for second in range(86_400 - 7_200 + 1, 86_400, 30)]
        await copy_results(
            connection,
            [
                ResultRow(
                    shop, ts, 1, int(Status.OK if ts < down else Status.FAILING), 1000, 0, None, None, 1000
                )
                for ts in moments
            ],
        )
        (standing,) = await burns(connection, now)
        assert await burns(connection, now, [made["other"].id]) == []
    assert (standing.service, standing.objective.name) == ("shop", "web")
    assert standing.budget.bad_s == 600
    assert standing.budget.left == pytest.approx(1 - 600 / 864)
    assert set(standing.burns) == set(BURN_WINDOWS)
    assert standing.burns[300.0].rate == pytest.approx(100)
    assert standing.burns[3600.0].rate == pytest.approx(100 / 6)
    assert (standing.burns[300.0].samples, standing.burns[300.0].failures) == (12, 12)
    assert (standing.burns[1800.0].samples, standing.burns[1800.0].failures) == (62, 20)
    assert burning_policies(standing.objective, standing.burns) == POLICIES[:1]


async def test_a_service_checked_every_minute_goes_on_burning_while_its_next_check_times_out(
    database: Database,
) -> None:
    """Down for ten minutes; each of its checks is stored ten seconds after it began."""
    await make_days(database)
    shop = (await make_services(database, definition("shop", every_ms=60_000)))["shop"].id
    start, now = EPOCH, EPOCH + timedelta(hours=2)
    down = now - timedelta(minutes=10)
    async with database.transaction() as connection:
        await apply_objectives(connection, [promise("all")])
        await switch_spans(connection, [SpanStart(shop, start, SpanState.UP)])
        await switch_spans(connection, [SpanStart(shop, down, SpanState.DOWN)])
        await copy_results(
            connection,
            [
                ResultRow(
                    shop, down + timedelta(minutes=minute), 1, int(Status.FAILING), None, 0, None, None, 10
                )
                for minute in range(10)
            ],
        )
        for late_s in (0, 1, 9, 10):  # the check of this minute is still under way
            (standing,) = await burns(connection, now + timedelta(seconds=late_s))
            assert standing.burns[300.0].samples >= LEAST_SAMPLES
            assert standing.burns[300.0].rate == pytest.approx(100)
            assert POLICIES[0] in burning_policies(standing.objective, standing.burns)
