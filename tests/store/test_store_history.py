"""The course of a service: cut into slices by the database as a naive model does it by hand."""

from __future__ import annotations

import math
from datetime import timedelta
from random import Random

import pytest

from support.make import EPOCH, at, definition, make_days, make_services
from watchfloor.domain import histogram
from watchfloor.domain.history import SLICES, Course, Grain, Sample, grain_for
from watchfloor.domain.outcome import PHASES, Status
from watchfloor.engine.node import Node
from watchfloor.engine.roller import Roller
from watchfloor.store import history as store_history
from watchfloor.store import results
from watchfloor.store.database import Database
from watchfloor.store.history import history
from watchfloor.store.partitions import ensure_partitions
from watchfloor.store.pulse import Pulse
from watchfloor.store.results import copy_rows
from watchfloor.store.rollups import move_watermark, watermarks

LENGTH = timedelta(hours=1)
STEP = LENGTH / SLICES
BADNESS = (Status.OK, Status.UNKNOWN, Status.DEGRADED, Status.FAILING)


async def make_checks(
    database: Database, service_id: int, count: int
) -> list[tuple[float, Status, int | None]]:
    """Checks at random moments, some of them without a latency."""
    dice = Random(3)
    made = []
    for second in sorted(dice.sample(range(3600), count)):
        status = dice.choice(list(Status))
        made.append((second, status, None if status is Status.FAILING else dice.randrange(1, 90_000)))
    async with database.transaction() as connection:
        await copy_rows(
            connection,
            "COPY check_results (service_id, took_us, ts, node_id, status, latency_us, lag_us, phases) FROM STDIN",
            [
                (
                    service_id,
                    0,
                    at(second),
                    1,
                    int(status),
                    took,
                    0,
                    # A phase that was not reached is NULL; it was 0 once.
                    None if took is None else [took, 0 if took % 2 else None, None, 0, took * 2],
                )
                for second, status, took in made
            ],
        )
    return made


async def test_slices_and_figures_agree_with_a_count_by_hand(database: Database) -> None:
    await make_days(database)
    service_id = (await make_services(database, definition("shop")))["shop"].id
    made = await make_checks(database, service_id, 400)
    async with database.transaction() as connection:
        found = await history(connection, service_id, EPOCH, EPOCH + LENGTH)
    cut: dict[int, list[tuple[Status, int | None]]] = {}
    for second, status, latency in made:
        cut.setdefault(int(timedelta(seconds=second) / STEP), []).append((status, latency))
    assert [sample.at for sample in found.latency.samples] == [EPOCH + STEP * place for place in sorted(cut)]
    for sample, place in zip(found.latency.samples, sorted(cut), strict=True):
        known = [latency for _, latency in cut[place] if latency is not None]
        assert sample.status == max((status for status, _ in cut[place]), key=BADNESS.index)
        assert sample.value == (pytest.approx(sum(known) / len(known) / 1e6) if known else None)
        assert sample.peak == (pytest.approx(max(known) / 1e6) if known else None)
    values = [latency / 1e6 for _, _, latency in made if latency is not None]
    figures = found.latency.figures
    assert figures is not None
    assert (figures.least, figures.most) == pytest.approx((min(values), max(values)))
    assert figures.mean == pytest.approx(sum(values) / len(values))
    assert sorted(values)[int(len(values) * 0.93)] <= figures.p95 <= sorted(values)[int(len(values) * 0.97)]
    assert list(found.phases) == ["dns", "transfer"]
    assert found.phases["dns"].figures == figures
    assert found.phases["transfer"].figures is not None
    assert found.phases["transfer"].figures.most == pytest.approx(max(values) * 2)


async def test_metrics_come_by_name_and_what_is_no_number_is_left_out(database: Database) -> None:
    await make_days(database)
    service_id = (await make_services(database, definition("host")))["host"].id
    async with database.transaction() as connection:
        ids = await results.series_ids(connection, ["cpu_percent", "odd"])
        values = [(5.0, 10.0), (6.0, 30.0), (1800.0, 50.0)]
        await results.copy_metrics(
            connection,
            [
                *((service_id, ids["cpu_percent"], at(second), value) for second, value in values),
                (service_id, ids["odd"], at(9), float("nan")),
                (service_id, ids["odd"], at(10), float("-inf")),
            ],
        )
        found = await history(connection, service_id, EPOCH, EPOCH + LENGTH)
    assert list(found.metrics) == ["cpu_percent"]
    course = found.metrics["cpu_percent"]
    assert course.samples == (Sample(EPOCH, 20.0, peak=30.0), Sample(at(1800), 50.0, peak=50.0))
    assert course.figures is not None
    assert (course.figures.least, course.figures.mean, course.figures.most) == (10.0, 30.0, 50.0)


async def test_a_service_without_a_past_has_an_empty_course(database: Database) -> None:
    await make_days(database)
    service_id = (await make_services(database, definition("new")))["new"].id
    async with database.transaction() as connection:
        found = await history(connection, service_id, EPOCH, EPOCH + LENGTH)
    assert (found.latency, found.phases, found.metrics) == (Course(), {}, {})


@pytest.mark.parametrize(
    ("days", "every_s", "wanted"),
    [
        (0.01, 30.0, Grain.RAW),
        (1, 30.0, Grain.RAW),
        (1, 1.0, Grain.MINUTE),
        (7, 30.0, Grain.HOUR),
        (90, 30.0, Grain.HOUR),
        (365, 30.0, Grain.DAY),
    ],
)
def test_a_long_chart_is_made_of_roll_ups(days: float, every_s: float, wanted: Grain) -> None:
    end = EPOCH + timedelta(days=400)
    assert grain_for(end - timedelta(days=days), end, every_s, EPOCH) is wanted


def test_a_short_chart_of_the_far_past_is_made_of_packed_results() -> None:
    assert grain_for(EPOCH, EPOCH + LENGTH, 30.0, EPOCH + timedelta(days=9)) is Grain.PACKED
    assert grain_for(EPOCH, EPOCH + LENGTH, 0.1, EPOCH + timedelta(days=9)) is Grain.HOUR


async def test_the_same_stretch_says_the_same_from_every_grain(database: Database) -> None:
    """Rolled up to somewhere in the middle, so that coarse, finer and single values have to meet."""
    service_id = (await make_services(database, definition("shop")))["shop"].id
    async with database.transaction() as connection:
        for day in range(4):
            await ensure_partitions(connection, (EPOCH + timedelta(days=day)).date(), ahead=1)
    dice = Random(8)
    length = timedelta(days=3)
    rows = []
    for second in range(0, 3 * 86_400, 120):
        status = dice.choices(list(Status), (95, 2, 2, 1))[0]
        latency = None if status is Status.FAILING else int(dice.lognormvariate(10, 1))
        # The later in the day, the more of them reach TLS; a few name servers are asked, in the way of old with 0.
        reaches = dice.random() < second % 86_400 / 86_400
        asks = latency if dice.random() < 0.1 else 0
        phases = None if latency is None else [asks, latency, latency * 3 if reaches else None, None, 5]
        rows.append((service_id, 0, at(second), 1, int(status), latency, 0, phases))
    async with database.transaction() as connection:
        await copy_rows(
            connection,
            "COPY check_results (service_id, took_us, ts, node_id, status, latency_us, lag_us, phases) FROM STDIN",
            rows,
        )
        series = (await results.series_ids(connection, ["cpu_percent"]))["cpu_percent"]
        await results.copy_metrics(
            connection, [(service_id, series, row[2], float(row[5] or 0)) for row in rows]
        )
    connection = await database.connect()
    roller = Roller(Node(1, "one", database, Pulse(database), {}))
    async with database.transaction() as marking:
        for name in ("minute", "hour", "day", "pack"):
            await move_watermark(marking, name, EPOCH.replace(hour=0))
    rolled_to = EPOCH + length - timedelta(minutes=40, seconds=30)
    await roller.once(connection, rolled_to)
    values = sorted(row[5] / 1e6 for row in rows if row[5] is not None)
    for grain in (Grain.HOUR, Grain.DAY):
        step = max(length / SLICES, grain.length)
        asked = {"id": service_id, "start": EPOCH, "end": EPOCH + length, "step": step}
        marks = await watermarks(connection)
        if grain is Grain.DAY:  # the day in which it begins is not whole
            asked["start"] = EPOCH.replace(hour=0)
        latency = await store_history._rolled_latency(connection, asked, grain, marks)
        metrics = await store_history._rolled_metrics(connection, asked, grain, marks)
        phases = await store_history._rolled_phases(connection, asked, grain, marks)
        figures = latency.figures
        assert figures is not None
        assert (figures.least, figures.most) == pytest.approx((values[0], values[-1]))
        assert figures.mean == pytest.approx(sum(values) / len(values))
        for found, share in ((figures.p50, 0.5), (figures.p95, 0.95), (figures.p99, 0.99)):
            assert found == pytest.approx(
                values[math.ceil(share * len(values)) - 1], rel=histogram.ERROR * 1.001
            )
        assert metrics["cpu_percent"].figures is not None
        assert metrics["cpu_percent"].figures.mean == pytest.approx(sum(values) * 1e6 / len(rows))
        assert list(phases) == ["dns", "connect", "tls", "transfer"]
        for place, name in enumerate(PHASES):
            if name in phases:
                reached = [row[7][place] / 1e6 for row in rows if row[7] and row[7][place]]
                assert phases[name].figures is not None
                assert phases[name].figures.mean == pytest.approx(sum(reached) / len(reached), rel=1e-4)
        assert any(sample.status is Status.FAILING for sample in latency.samples)
    await connection.close()
