"""What a batch of checks leaves behind: results, states, metrics, spans, incidents, certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from random import Random
from typing import Any

import psycopg
import pytest

from support.make import EPOCH, at, make_days, make_services, state_row
from support.sql import column, one, rows
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.domain.spans import Span, SpanState, uptime
from watchfloor.store import results as store
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import uptimes
from watchfloor.store.results import IncidentChange, IncidentEnd, ResultRow, SpanStart

Work = Callable[[Connection], Coroutine[Any, Any, Any]]


async def within(database: Database, work: Work) -> Any:
    """Carry out one piece of work in a transaction of its own."""
    async with database.transaction() as connection:
        return await work(connection)


def result(service_id: int, seconds: float, **values: Any) -> ResultRow:
    wanted = {
        "node_id": 1,
        "status": 0,
        "latency_us": 1500,
        "lag_us": 20,
        "phases": None,
        "summary": None,
        "took_us": 1,
    }
    return ResultRow(service_id, at(seconds), **{**wanted, **values})


async def switch(database: Database, *starts: SpanStart) -> None:
    await within(database, lambda connection: store.switch_spans(connection, starts))


async def spans(database: Database, service_id: int) -> list[tuple[Any, ...]]:
    return await rows(
        database,
        "SELECT state, extract(epoch FROM began - %(epoch)s)::float AS began, "
        "extract(epoch FROM ended - %(epoch)s)::float AS ended "
        "FROM state_spans WHERE service_id = %(id)s ORDER BY began",
        id=service_id,
        epoch=EPOCH,
    )


@pytest.fixture
async def service_id(database: Database) -> int:
    await make_days(database)
    return (await make_services(database, "shop"))["shop"].id


async def test_results_are_stored_with_every_detail(database: Database, service_id: int) -> None:
    await within(
        database,
        lambda connection: store.copy_results(
            connection,
            [
                result(service_id, 0),
                result(
                    service_id,
                    1,
                    status=2,
                    latency_us=None,
                    phases=[1, 2, None, 4, 5],
                    summary="tab\there, \\N, größer",
                ),
            ],
        ),
    )
    found = await rows(
        database, "SELECT status, latency_us, lag_us, phases, summary FROM check_results ORDER BY ts"
    )
    assert found == [
        (0, 1500, 20, None, None),
        (2, None, 20, [1, 2, None, 4, 5], "tab\there, \\N, größer"),
    ]


async def test_a_result_that_is_there_already_is_refused_with_its_whole_batch(
    database: Database, service_id: int
) -> None:
    await within(database, lambda connection: store.copy_results(connection, [result(service_id, 0)]))
    again = [result(service_id, 1), result(service_id, 0)]
    with pytest.raises(Exception, match="duplicate key"):
        await within(database, lambda connection: store.copy_results(connection, again))
    assert await one(database, "SELECT count(*) FROM check_results") == 1


async def test_a_state_comes_back_as_it_was_saved(database: Database, service_id: int) -> None:
    state = CheckState(
        Status.DEGRADED, Status.FAILING, True, 2, 1, at(1), at(2), at(3), at(4)
    )  # fmt: skip
    row = state_row(service_id, state=state, last_ended=at(5), latency_us=2**40, summary="half")
    await within(database, lambda connection: store.save_states(connection, [row]))
    found = await within(database, lambda connection: store.lock_states(connection, [service_id, 4711]))
    assert found.keys() == {service_id}
    assert (found[service_id].state, found[service_id].last_ended) == (state, at(5))


async def test_a_service_that_was_never_checked_has_the_state_of_a_new_one(
    database: Database, service_id: int
) -> None:
    found = await within(database, lambda connection: store.lock_states(connection, [service_id]))
    assert found == {service_id: store.Stored(CheckState(), None)}


async def test_the_sparkline_keeps_the_newest_results(database: Database, service_id: int) -> None:
    for n in range(store.RECENT + 7):
        row = state_row(service_id, recent=bytes((n,)))
        await within(database, lambda connection, row=row: store.save_states(connection, [row]))
    recent = bytes(await one(database, "SELECT recent FROM service_state"))
    assert recent == bytes(range(7, store.RECENT + 7))


async def test_states_are_locked_until_the_transaction_ends(database: Database, service_id: int) -> None:
    async with database.transaction() as first:
        await store.lock_states(first, [service_id])
        second = asyncio.create_task(within(database, lambda c: store.lock_states(c, [service_id])))
        _, waiting = await asyncio.wait({second}, timeout=0.2)
        assert waiting == {second}
    assert (await second).keys() == {service_id}


async def test_metrics_are_stored_by_series(database: Database, service_id: int) -> None:
    async def write(connection: Connection) -> None:
        ids = await store.series_ids(connection, ["cpu_percent", "disk_used_percent{mount=/}"])
        assert await store.series_ids(connection, ["cpu_percent"]) == {"cpu_percent": ids["cpu_percent"]}
        await store.copy_metrics(
            connection, [(service_id, ids[name], at(0), n / 2) for n, name in enumerate(sorted(ids))]
        )

    await within(database, write)
    found = await rows(database, "SELECT name, v FROM metric_raw JOIN series ON id = series_id ORDER BY name")
    assert found == [("cpu_percent", 0.0), ("disk_used_percent{mount=/}", 0.5)]


async def test_two_nodes_that_meet_a_series_at_once_agree_on_its_number(database: Database) -> None:
    names = [f"series {n}" for n in range(50)]
    found = await asyncio.gather(
        *(within(database, lambda connection: store.series_ids(connection, names)) for _ in range(4))
    )
    assert all(ids.keys() == set(names) for ids in found)
    assert all(ids == found[0] for ids in found)


async def test_the_latest_facts_win_and_hold_whatever_came(database: Database, service_id: int) -> None:
    hostile = {
        "server": "nginx\0",
        "half": "\udcff",
        "emoji": "🦉",
        "big": float("inf"),
        "deep": [{"a": None}],
    }
    for facts, metrics in (({"old": True}, {}), (hostile, {"cpu": float("nan")})):
        await within(
            database,
            lambda c, facts=facts, metrics=metrics: store.save_facts(
                c, [(service_id, at(0), facts, metrics)]
            ),
        )
    assert await rows(database, "SELECT facts, metrics FROM service_facts") == [
        ({"server": "nginx", "half": "�", "emoji": "🦉", "big": None, "deep": [{"a": None}]}, {"cpu": None})
    ]


async def test_a_span_ends_where_the_next_one_begins(database: Database, service_id: int) -> None:
    for seconds, state in ((0, "up"), (60, "down"), (90, "up")):
        await switch(database, SpanStart(service_id, at(seconds), state))
    assert await spans(database, service_id) == [("up", 0, 60), ("down", 60, 90), ("up", 90, None)]


async def test_a_start_in_the_past_replaces_what_was_booked_since(
    database: Database, service_id: int
) -> None:
    for seconds, state in ((0, "up"), (60, "unknown"), (80, "up"), (50, "down")):
        await switch(database, SpanStart(service_id, at(seconds), state))
    assert await spans(database, service_id) == [("up", 0, 50), ("down", 50, None)]


async def test_a_start_before_everything_replaces_everything(database: Database, service_id: int) -> None:
    await switch(database, SpanStart(service_id, at(0), "up"))
    await switch(database, SpanStart(service_id, at(-5), "down"))
    assert await spans(database, service_id) == [("down", -5, None)]


async def test_a_span_that_would_end_before_it_began_is_refused(database: Database, service_id: int) -> None:
    with pytest.raises(psycopg.Error, match="state_spans"):
        await rows(
            database,
            "INSERT INTO state_spans VALUES (%(id)s, now(), now() - interval '1 s', 'up')",
            id=service_id,
        )


@pytest.mark.parametrize("seed", range(3))
async def test_spans_and_uptime_equal_a_naive_model(database: Database, seed: int) -> None:
    """Random histories of several services, with starts out of order and equal moments."""
    random = Random(seed)
    await make_days(database)
    made = await make_services(database, *(f"s{n}" for n in range(6)))
    ids = [service.id for service in made.values()]
    model: dict[int, list[tuple[int, str]]] = {service_id: [] for service_id in ids}
    for _ in range(40):
        batch = [
            SpanStart(service_id, at(random.randrange(0, 900)), random.choice(list(SpanState)))
            for service_id in random.sample(ids, random.randint(1, len(ids)))
        ]
        await switch(database, *batch)
        for start in batch:
            second = int((start.at - EPOCH).total_seconds())
            kept = [each for each in model[start.service_id] if each[0] < second]
            model[start.service_id] = [*kept, (second, start.state)]
    for service_id, history in model.items():
        ends = [second for second, _ in history[1:]] + [None]
        assert await spans(database, service_id) == [
            (state, second, end) for (second, state), end in zip(history, ends, strict=True)
        ]
    window_end, window = at(random.randrange(500, 1000)), timedelta(seconds=random.randrange(10, 700))
    found = await within(database, lambda connection: uptimes(connection, window_end, window))
    for service_id, history in model.items():
        segments = [Span(SpanState(state), at(second)) for second, state in history]
        wanted = uptime(segments, window_end - window, window_end).ratio
        assert found.get(service_id) == (None if wanted is None else pytest.approx(wanted, abs=1e-12))


async def test_uptime_of_one_service_and_of_a_window_without_spans(
    database: Database, service_id: int
) -> None:
    await switch(database, SpanStart(service_id, at(0), "up"))
    await switch(database, SpanStart(service_id, at(90), "down"))
    day = timedelta(days=1)
    assert await within(database, lambda c: uptimes(c, at(100), day, service_id)) == {service_id: 0.9}
    assert await within(database, lambda c: uptimes(c, at(-1), day, service_id)) == {}


async def incident(
    database: Database, service_id: int, status: Status, seconds: float, cause: str = "x"
) -> int:
    change = IncidentChange(service_id, status, at(seconds), at(seconds + 5), cause)
    found = await within(database, lambda connection: store.open_incidents(connection, [change]))
    return found[service_id]


async def close(database: Database, service_id: int, seconds: float) -> None:
    end = IncidentEnd(service_id, at(seconds), at(seconds + 1))
    await within(database, lambda connection: store.close_incidents(connection, [end]))


async def test_an_incident_opens_worsens_and_closes_with_its_events(
    database: Database, service_id: int
) -> None:
    first = await incident(database, service_id, Status.DEGRADED, 0, "slow")
    assert await incident(database, service_id, Status.FAILING, 10, "down") == first
    assert await incident(database, service_id, Status.DEGRADED, 20, "slow again") == first
    await close(database, service_id, 30)
    assert await rows(database, "SELECT opened_at, closed_at, worst, cause FROM incidents") == [
        (at(0), at(30), 2, "slow")
    ]
    events = await rows(database, "SELECT seq, kind, data->>'cause' FROM incident_events ORDER BY seq")
    assert events == [
        (0, "degraded", "slow"),
        (1, "failing", "down"),
        (2, "degraded", "slow again"),
        (3, "recovered", ""),
    ]


async def test_a_new_incident_within_a_day_names_the_one_before(database: Database, service_id: int) -> None:
    first = await incident(database, service_id, Status.FAILING, 0)
    await close(database, service_id, 10)
    second = await incident(database, service_id, Status.FAILING, 3600)
    await close(database, service_id, 3700)
    late = await incident(database, service_id, Status.FAILING, 3700 + 86_401)
    previous = dict(await rows(database, "SELECT id, previous_id FROM incidents"))
    assert previous == {first: None, second: first, late: None}


async def test_an_incident_never_ends_before_it_began_and_closing_none_is_harmless(
    database: Database, service_id: int
) -> None:
    await close(database, service_id, 0)
    await incident(database, service_id, Status.FAILING, 100)
    await close(database, service_id, 50)
    assert await column(database, "SELECT closed_at FROM incidents") == [at(100)]
