"""The roller: what it makes is what counting by hand makes, whatever comes late, twice, or is cut off."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from random import Random

import pytest

from support.make import definition, make_services
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.domain import histogram, packed
from watchfloor.domain.outcome import Status
from watchfloor.domain.settings import SETTINGS
from watchfloor.domain.spans import Span, SpanState, uptime
from watchfloor.engine import roller
from watchfloor.engine.node import Node
from watchfloor.engine.roller import Roller
from watchfloor.store import past
from watchfloor.store import uptime as uptimes
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.packing import packed_results
from watchfloor.store.partitions import drop_partition, ensure_partitions, leaf
from watchfloor.store.pulse import Pulse
from watchfloor.store.results import (
    ResultRow,
    SpanStart,
    copy_metrics,
    copy_results,
    series_ids,
    switch_spans,
)
from watchfloor.store.rollups import DAY, HOUR, MINUTE, SETTLE, mark_late

US = timedelta(microseconds=1)


class World:
    """A database with results, a roller, and a clock that the test turns."""

    def __init__(self, database: Database, connection: Connection, start: datetime) -> None:
        settings = {setting.key: setting.default for setting in SETTINGS}
        self.database, self.connection, self.start = database, connection, start
        self.node = Node(1, "one", database, Pulse(database), settings)
        self.roller = Roller(self.node)
        self.ids: list[int] = []

    async def watch(self, *every_ms: int) -> None:
        made = await make_services(
            self.database, *(definition(f"s{n:03}", every_ms=ms) for n, ms in enumerate(every_ms))
        )
        self.ids = [made[name].id for name in sorted(made)]

    async def results(self, results: Iterable[ResultRow], *, late: bool = False) -> None:
        results = list(results)
        async with self.database.transaction() as connection:
            for day in {row.ts.date() for row in results}:
                await ensure_partitions(connection, day, ahead=1)
            await copy_results(connection, results)
            if late:
                await mark_late(connection, [(row.service_id, row.ts) for row in results])

    async def roll(self, now: datetime) -> roller.Done:
        return await self.roller.once(self.connection, now + SETTLE)


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """At least three whole days ago: roll-ups begin where partitions begin."""
    monkeypatch.setattr(roller, "PAUSE_S", 0.0)
    connection = await database.connect()
    async with database.transaction() as reading:
        now = await clock(reading)
        start = now.replace(hour=0, minute=0, second=0, microsecond=0) - 3 * DAY
        await ensure_partitions(reading, (start + DAY).date(), ahead=1)
    yield World(database, connection, start)
    await connection.close()


def result(
    service_id: int, ts: datetime, status: Status = Status.OK, latency: int | None = 1000
) -> ResultRow:
    summary = None if status is Status.OK else f"it is {status.word}"
    phases = None if latency is None else [0, latency // 2, 0, latency, 7]
    return ResultRow(service_id, ts, 1, int(status), latency, 0, phases, summary, latency or 0)


def random_results(
    dice: Random, service_id: int, start: datetime, count: int, length: timedelta
) -> list[ResultRow]:
    moments = sorted({start + US * dice.randrange(length // US) for _ in range(count)})
    return [
        result(
            service_id,
            moment,
            status := dice.choice(list(Status)),
            None if status is Status.FAILING else min(10**9, int(dice.lognormvariate(10, 2))),
        )
        for moment in moments
    ]


GRAINS = {"1m": MINUTE, "1h": HOUR, "1d": DAY}


async def compare(world: World, made: list[ResultRow], until: datetime) -> None:
    """Every bucket of every grain up to ``until`` against counting by hand."""
    for grain, length in GRAINS.items():
        want: dict[tuple[int, datetime], list[ResultRow]] = defaultdict(list)
        for each in made:
            bucket = world.start + (each.ts - world.start) // length * length
            if bucket + length <= until:
                want[each.service_id, bucket].append(each)
        found = await rows(
            world.database,
            "SELECT service_id, ts, n, degraded, failing, unknown, measured, total_us, least_us, most_us, hist "
            f"FROM result_{grain}",
        )
        assert {(row[0], row[1]) for row in found} == set(want)
        for service_id, ts, n, *counts, measured, total, least, most, hist in found:
            inside = want[service_id, ts]
            values = sorted(each.latency_us for each in inside if each.latency_us is not None)
            assert (n, measured) == (len(inside), len(values))
            assert counts == [sum(each.status == status for each in inside) for status in (1, 2, 3)]
            if not values:
                assert (total, least, most, hist) == (None, None, None, None)
                continue
            assert (total, least, most) == (pytest.approx(sum(values)), values[0], values[-1])
            shares = (0.5, 0.95, 0.99)
            answers = histogram.percentiles(histogram.unpacked(hist), shares, values[0], values[-1])
            for share, answer in zip(shares, answers, strict=True):
                exact = values[max(0, math.ceil(share * len(values)) - 1)]
                assert abs(answer - exact) <= histogram.ERROR * exact * (1 + 1e-9) + 1e-9


async def test_every_grain_is_what_counting_by_hand_makes(world: World) -> None:
    await world.watch(30_000, 30_000, 30_000)
    dice = Random(5)
    made = [
        each
        for service_id in world.ids
        for each in random_results(dice, service_id, world.start, 900, timedelta(hours=30))
    ]
    await world.results(made)
    until = world.start + timedelta(hours=30)
    done = await world.roll(until)
    assert done.buckets > 100
    await compare(world, made, until)
    assert not await world.roll(until), "nothing is left to do"


async def test_what_comes_late_is_rolled_up_again_in_every_grain_and_packed_again(world: World) -> None:
    await world.watch(30_000, 600_000)
    dice = Random(6)
    made = [each for s in world.ids for each in random_results(dice, s, world.start, 300, 2 * DAY)]
    early, late = made[::2], made[1::2]
    until = world.start + 2 * DAY
    await world.results(early)
    await world.roll(until)
    await world.results(late, late=True)
    done = await world.roll(until)
    assert done.late > 0
    await compare(world, made, until)
    assert await one(world.database, "SELECT count(*) FROM rollup_late") == 0
    async with world.database.transaction() as connection:
        for service_id in world.ids:
            found = [each async for each in packed_results(connection, service_id, world.start, until)]
            assert len(found) == sum(each.service_id == service_id for each in made)


async def test_a_round_that_is_cut_off_anywhere_is_made_good_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roller, "CHUNK", 2)
    await world.watch(*[30_000] * 5)
    dice = Random(7)
    made = [
        each for s in world.ids for each in random_results(dice, s, world.start, 200, timedelta(hours=26))
    ]
    await world.results(made)
    until = world.start + timedelta(hours=26)
    real, left = roller.rollups.roll, 0

    async def failing(*arguments: object) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise ZeroDivisionError
        return await real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(roller.rollups, "roll", failing)
    for cut in (0, 1, 2, 4, 5, 7):
        left = cut
        with pytest.raises(ZeroDivisionError):
            await world.roll(until)
    left = 10**6
    await world.roll(until)
    await compare(world, made, until)


async def test_metrics_keep_their_last_value_and_what_is_no_number_is_left_out(world: World) -> None:
    await world.watch(30_000)
    (service_id,) = world.ids
    values = [3.5, -2.0, math.nan, 0.0, math.inf, 1e12]
    async with world.database.transaction() as connection:
        (series,) = (await series_ids(connection, ["load"])).values()
        await copy_metrics(
            connection,
            [(service_id, series, world.start + MINUTE * n * 10, value) for n, value in enumerate(values)],
        )
    await world.roll(world.start + DAY)
    for grain in ("1h", "1d"):
        (found,) = await rows(world.database, f"SELECT n, total, least, most, last, hist FROM metric_{grain}")
        assert found[:5] == (4, 1e12 + 1.5, -2.0, 1e12, 1e12)
        buckets = histogram.unpacked(found[5])
        assert buckets == {histogram.bucket(value): 1 for value in (3.5, -2.0, 0.0, 1e12)}


async def test_the_database_and_the_domain_agree_on_the_bucket_of_any_number(database: Database) -> None:
    dice = Random(1)
    numbers = [dice.choice((-1, 1)) * 10 ** dice.uniform(-12, 30) for _ in range(3000)] + [
        0.0,
        1e-9,
        -1e-9,
        1e300,
    ]
    found = await column(
        database,
        "SELECT histogram_bucket(v) FROM unnest(%(v)s::float8[]) WITH ORDINALITY u(v, n) ORDER BY n",
        v=numbers,
    )
    assert found == [histogram.bucket(number) for number in numbers]


@pytest.mark.parametrize("every_ms", [1_000, 30_000, 300_000, 3_600_000])
async def test_packed_results_are_the_stored_ones_within_the_stated_precision(
    world: World, every_ms: int
) -> None:
    await world.watch(every_ms)
    (service_id,) = world.ids
    dice = Random(every_ms)
    made: list[ResultRow] = []
    slots: list[datetime] = []
    slot = world.start + timedelta(milliseconds=7, microseconds=123)
    while slot < world.start + timedelta(hours=24 if every_ms > 60_000 else 2):
        status = dice.choices(list(Status), (90, 3, 5, 2))[0]
        latency = None if status is Status.FAILING else min(10**9, int(dice.lognormvariate(10, 3)))
        lag_us = dice.randrange(0, 900)
        row = result(service_id, slot + US * lag_us, status, latency)
        made.append(ResultRow(*(getattr(row, n) if n != "lag_us" else lag_us for n in ResultRow.__slots__)))
        slots.append(slot)
        if status is Status.FAILING:  # a retry out of turn
            slots.append(slot + timedelta(milliseconds=every_ms // 3, microseconds=dice.randrange(1000)))
            made.append(result(service_id, slots[-1], Status.OK, 5))
        slot += timedelta(milliseconds=every_ms * dice.choice((1, 1, 1, 1, 2)))
    await world.results(made)
    await world.roll(world.start + DAY)
    async with world.database.transaction() as connection:
        found = [
            each async for each in packed_results(connection, service_id, world.start, world.start + DAY)
        ]
    assert [each.status for each in found] == [Status(each.status) for each in made]
    for each, row, slot in zip(found, made, slots, strict=True):
        assert abs(each.slot - slot) <= 500 * US
        assert (each.latency_us is None) == (row.latency_us is None)
        if row.latency_us is not None and each.latency_us is not None:
            assert abs(each.latency_us - row.latency_us) <= packed.ERROR * (1 + row.latency_us) + 0.5
        assert each.summary == (row.summary or "") or (each.summary == "" and every_ms == 1000)
    assert len({each.summary for each in found}) > 1


async def test_a_block_of_a_slow_service_holds_more_hours(world: World) -> None:
    await world.watch(30_000, 300_000, 3_600_000)
    for service_id, step in zip(world.ids, (30, 300, 3600), strict=True):
        moments = range(0, 86_400, step)
        await world.results(result(service_id, world.start + timedelta(seconds=second)) for second in moments)
    await world.roll(world.start + DAY)
    for service_id, blocks in zip(world.ids, (24, 2, 1), strict=True):
        assert (
            await one(
                world.database, "SELECT count(*) FROM check_packed WHERE service_id = %(id)s", id=service_id
            )
            == blocks
        )


async def test_the_board_of_a_past_beyond_the_full_results_is_told_from_packed_ones(world: World) -> None:
    await world.watch(30_000, 300_000)
    at = world.start + 5 * HOUR + MINUTE * 7
    for service_id, step in zip(world.ids, (30, 300), strict=True):
        moments = range(0, 86_400, step)
        await world.results(
            result(service_id, world.start + timedelta(seconds=second), latency=4000 + second % 7 * 100)
            for second in moments
        )
    await rows(world.database, "UPDATE service_versions SET began = %(at)s", at=world.start - DAY)
    await world.roll(world.start + DAY)
    async with world.database.transaction() as connection:
        full = await past.board(connection, at)
        detail = await past.service_detail(connection, world.ids[0], at)
    for offset in range(-7, 1):
        day = (world.start + offset * DAY).date()
        await drop_partition(world.database, "check_results", leaf("check_results", day))
    async with world.database.transaction() as connection:
        packed_board = await past.board(connection, at)
        packed_detail = await past.service_detail(connection, world.ids[0], at)
        kept = await past.kept(connection)
    assert kept.results == world.start
    assert detail is not None
    assert packed_detail is not None
    for known, found in zip(full, packed_board, strict=True):
        assert (found.name, found.status, found.hard, found.recent) == (
            known.name,
            known.status,
            known.hard,
            known.recent,
        )
        assert known.latency is not None
        assert found.latency == pytest.approx(known.latency, rel=packed.ERROR * 1.1)
    assert [each.at for each in packed_detail.results] == [each.at for each in detail.results]


def spans_of(stored: list[tuple[datetime, datetime | None, str]]) -> list[Span]:
    return [Span(SpanState(state), began, ended) for began, ended, state in stored]


async def test_totals_by_day_and_spans_at_the_edges_are_what_the_spans_say(world: World) -> None:
    await world.watch(30_000, 30_000)
    dice = Random(9)
    until = world.start + 3 * DAY - HOUR
    moments = sorted(world.start + US * dice.randrange((until - world.start) // US) for _ in range(60))
    for moment in moments:
        start = SpanStart(dice.choice(world.ids), moment, dice.choice(list(SpanState)))
        async with world.database.transaction() as connection:
            await switch_spans(connection, [start])
        if dice.random() < 0.3:
            await world.roll(moment)
    await world.roll(until)
    for service_id in world.ids:
        stored = await rows(
            world.database,
            "SELECT began, ended, state FROM state_spans WHERE service_id = %(id)s",
            id=service_id,
        )
        windows = []
        for _ in range(60):
            low, high = sorted(world.start + US * dice.randrange(3 * DAY // US) for _ in range(2))
            windows.append((low, high))
        async with world.database.transaction() as connection:
            found = await uptimes.uptime_between(connection, service_id, windows)
        assert found == [uptime(spans_of(stored), *window) for window in windows]
        for now in (until, until - HOUR * 7, until + MINUTE):
            async with world.database.transaction() as connection:
                board = await uptimes.uptime_board(connection, now)
            for (ratio, observed), length in zip(board[service_id], uptimes.WINDOWS.values(), strict=True):
                want = uptime(spans_of(stored), now - length, now)
                assert ratio == pytest.approx(want.ratio)
                assert observed == pytest.approx(want.up_s + want.down_s)


async def test_a_past_that_is_booked_anew_changes_its_totals(world: World) -> None:
    await world.watch(30_000)
    (service_id,) = world.ids
    async with world.database.transaction() as connection:
        await switch_spans(connection, [SpanStart(service_id, world.start, SpanState.UP)])
    until = world.start + 3 * DAY
    await world.roll(until)
    async with world.database.transaction() as connection:
        await switch_spans(connection, [SpanStart(service_id, world.start + 30 * HOUR, SpanState.DOWN)])
    assert (await world.roll(until)).days == 2
    async with world.database.transaction() as connection:
        (found,) = await uptimes.uptime_between(connection, service_id, [(world.start, until)])
        board = await uptimes.uptime_board(connection, until)
    assert (found.up_s, found.down_s) == (30 * 3600, 42 * 3600)
    assert board[service_id][2] == (pytest.approx(30 / 72), pytest.approx(72 * 3600))


async def test_one_node_rolls_up_at_a_time_and_another_takes_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roller, "STANDBY_S", 0.01)
    leading: list[Roller] = []

    async def lead(self: Roller, connection: Connection) -> None:
        leading.append(self)
        await asyncio.Event().wait()

    monkeypatch.setattr(Roller, "_lead", lead)
    beats = [0, 0]

    async def run(number: int) -> None:
        def beat() -> None:
            beats[number] += 1

        await Roller(world.node).run(beat)

    tasks = [asyncio.create_task(run(number)) for number in (0, 1)]
    await until(lambda: leading and max(beats) > 5)
    assert len(leading) == 1
    tasks[beats.index(min(beats))].cancel()
    await until(lambda: len(leading) == 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
