"""Maintenance on a database: checks go on, time is planned, nobody is told, and what began before still ends aloud."""

from __future__ import annotations

from datetime import timedelta
from json import dumps

import pytest

from support.desks import StateDesk
from support.make import definition
from support.sql import column, one, rows
from watchfloor.domain.windows import Spec
from watchfloor.operations import maintenance
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.planning import BY_CHANGE
from watchfloor.store.database import Database

ADA = Actor("ada")


@pytest.fixture
async def desk(database: Database) -> StateDesk:
    made = StateDesk(database)
    await made.watch(definition("shop", max_attempts=1), definition("db", max_attempts=1))
    made.began = made.began + timedelta(hours=2)  # a window of the past cannot be added
    await made.results(0, ok=["shop", "db"])
    return made


async def add(desk: StateDesk, start: float, end: float, name: str = "w", **values: object) -> int:
    begins, ends = (desk.began + timedelta(seconds=second) for second in (start, end))
    spec = Spec("once", start=begins, end=ends, **values)  # type: ignore[arg-type]
    return await maintenance.add(desk.database, ADA, name, {"services": ["shop"]}, spec, "why")


async def test_time_inside_is_planned_and_alerts_are_quiet(desk: StateDesk) -> None:
    await add(desk, 10, 100)
    await desk.tick(11)
    await desk.results(20, failing=["shop"], ok=["db"])
    assert await desk.reasons("shop") == ("firing", ["maintenance"], None)
    assert await desk.spans("shop") == [("up", 0), ("planned", 10)]
    assert await desk.spans("db") == [("up", 0)]
    assert await column(desk.database, "SELECT status FROM check_results ORDER BY ts") == [0, 0, 2, 0]
    await desk.tick(100.5)
    assert await desk.spans("shop") == [("up", 0), ("planned", 10), ("down", 100)]
    slot = desk.slot("shop", 103)
    await desk.results(slot, failing=["shop"])
    await desk.tick(slot + 0.5)
    assert await desk.reasons("shop") == ("firing", [], None)


async def test_a_problem_that_began_before_and_ends_inside_ends_aloud(desk: StateDesk) -> None:
    await desk.results(5, failing=["shop"])
    await add(desk, 10, 100)
    await desk.tick(11)
    assert await desk.reasons("shop") == ("firing", ["maintenance"], None)
    await desk.results(20, ok=["shop"])
    assert await desk.reasons("shop") == ("resolved", [], None)


async def test_a_problem_that_began_inside_and_ends_inside_stays_quiet(desk: StateDesk) -> None:
    await add(desk, 10, 100)
    await desk.tick(11)
    await desk.results(20, failing=["shop"])
    await desk.results(30, ok=["shop"])
    assert await desk.reasons("shop") == ("resolved", ["maintenance"], None)


async def test_overlapping_windows_end_with_the_last(desk: StateDesk) -> None:
    await add(desk, 10, 100)
    await add(desk, 20, 60, "inner")
    await desk.tick(30)
    assert await one(desk.database, "SELECT depth FROM service_planned") == 2
    await desk.tick(61)
    assert await one(desk.database, "SELECT depth FROM service_planned") == 1
    await desk.tick(101)
    assert await one(desk.database, "SELECT depth FROM service_planned") == 0
    assert await desk.spans("shop") == [("up", 0), ("planned", 10), ("up", 100)]


async def test_a_flexible_window_opens_with_the_failure_before_it_is_told(desk: StateDesk) -> None:
    await add(desk, 10, 100, flexible_s=300.0)
    await desk.tick(11)
    await desk.results(30, ok=["shop"])
    await desk.results(60, ok=["shop"])
    assert await desk.spans("shop") == [("up", 0)]
    await desk.results(90, failing=["shop"])
    assert await desk.reasons("shop") == ("firing", ["maintenance"], None)
    assert await desk.spans("shop") == [("up", 0), ("planned", 90)]
    await desk.tick(389)
    assert (await desk.spans("shop"))[-1] == ("planned", 90)
    await desk.tick(391)
    assert (await desk.spans("shop"))[-1] == ("down", 390)


async def test_whom_a_waiting_window_covers_is_worked_out_once(desk: StateDesk) -> None:
    window = await add(desk, 10, 100, flexible_s=300.0)
    await desk.tick(11)
    covered = desk.recorder.flexible
    assert list(covered.values()) == [[window]]
    await desk.tick(12)
    assert desk.recorder.flexible is covered
    await desk.watch(definition("shop", max_attempts=1), definition("shop 2"), definition("db"))
    await desk.tick(13)
    assert desk.recorder.flexible is not covered
    await desk.tick(101)
    assert desk.recorder.flexible == {}


async def test_what_fails_already_opens_a_flexible_window_at_its_start(desk: StateDesk) -> None:
    await desk.results(5, failing=["shop"])
    await add(desk, 10, 100, flexible_s=300.0)
    await desk.tick(11)
    await desk.tick(12)
    assert await desk.spans("shop") == [("up", 0), ("down", 5), ("planned", 10)]


async def test_a_window_is_ended_early_and_does_not_open_again(desk: StateDesk) -> None:
    window = await add(desk, -3600, 3000)
    await desk.tick(5)
    await rows(desk.database, "UPDATE maintenance_runs SET began = began - interval '1 h'")
    await maintenance.end_now(desk.database, ADA, window)
    ended = await one(
        desk.database, "SELECT extract(epoch FROM ends - %(at)s)::float8 FROM maintenance_runs", at=desk.began
    )
    assert ended < 3000
    with pytest.raises(Refused, match="is not open"):
        await maintenance.end_now(desk.database, ADA, window)
    assert await column(
        desk.database, "SELECT action FROM audit WHERE object_kind = 'maintenance' ORDER BY id"
    ) == ["add", "end"]


async def respec(desk: StateDesk, window: int, start: float, end: float) -> None:
    begins, ends = (desk.began + timedelta(seconds=second) for second in (start, end))
    await rows(
        desk.database,
        "UPDATE maintenance SET spec = %(spec)s::jsonb WHERE id = %(id)s",
        spec=dumps(Spec("once", start=begins, end=ends).stored()),
        id=window,
    )


async def test_an_open_window_lasts_as_long_as_is_written_now(desk: StateDesk) -> None:
    window = await add(desk, 10, 100)
    await desk.tick(20)
    await respec(desk, window, 10, 300)
    await desk.tick(101)
    assert await desk.spans("shop") == [("up", 0), ("planned", 10)]
    await respec(desk, window, 10, 150)
    await desk.tick(110)
    await desk.tick(151)
    assert await desk.spans("shop") == [("up", 0), ("planned", 10), ("up", 150)]
    await respec(desk, window, 10, 200)
    await desk.tick(160)
    assert await desk.spans("shop") == [("up", 0), ("planned", 10)]


async def test_an_open_window_whose_opening_is_no_more_closes(desk: StateDesk) -> None:
    window = await add(desk, 10, 1000)
    await desk.tick(20)
    await respec(desk, window, 10, 25)
    await desk.tick(30)
    assert await desk.spans("shop") == [("up", 0), ("planned", 10), ("up", 30)]
    assert await column(desk.database, "SELECT ended_by FROM maintenance_runs") == [BY_CHANGE]
    await respec(desk, window, 35, 1000)
    await desk.tick(40)
    assert (await desk.spans("shop"))[-1] == ("planned", 35)


async def test_a_window_that_is_deleted_closes(desk: StateDesk) -> None:
    window = await add(desk, 10, 1000)
    await desk.tick(20)
    await maintenance.delete(desk.database, ADA, window)
    await desk.tick(30)
    assert (await desk.spans("shop"))[-1] == ("up", 30)
    with pytest.raises(Refused, match="no window"):
        await maintenance.delete(desk.database, ADA, window)


async def test_what_opens_with_another_opens_with_it(desk: StateDesk) -> None:
    first = await add(desk, 10, 100)
    spec = Spec("triggered", duration_s=200.0)
    await maintenance.add(desk.database, ADA, "second", {"services": ["db"]}, spec, "", first)
    await desk.tick(11)
    assert (await desk.spans("db"))[-1] == ("planned", 10)
    await desk.tick(211)
    assert (await desk.spans("db"))[-1] == ("up", 210)


async def test_alerts_kept_quiet_are_counted(desk: StateDesk) -> None:
    await add(desk, 10, 7000)
    await desk.results(5, failing=["shop"])
    await desk.tick(11)
    assert (await desk.reasons("shop"))[1] == ["maintenance"]


@pytest.mark.parametrize(
    ("name", "covers", "words"),
    [
        ("", {"services": ["a"]}, "needs a name"),
        ("x", {"services": []}, "must cover"),
        ("w", {"groups": ["a"]}, "already"),
    ],
)
async def test_what_cannot_be_a_window_is_refused(
    desk: StateDesk, name: str, covers: dict[str, list[str]], words: str
) -> None:
    await add(desk, 10, 7000)
    with pytest.raises(Refused, match=words):
        await maintenance.add(desk.database, ADA, name, covers, Spec("cron", "UTC", 60.0, "0 0 * * *"), "")


async def test_who_only_looks_changes_nothing(desk: StateDesk) -> None:
    with pytest.raises(Refused, match="read-only"):
        await maintenance.delete(desk.database, Actor("eve", read_only=True), 1)
