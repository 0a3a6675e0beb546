"""Many dead letters at once: what is chosen, at which rate it runs again, that a look changes nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from test_operations_jobs import ANN, EVE, define, die

from support.jobs import job
from support.sql import column, one, rows
from watchfloor.operations import jobs as operations
from watchfloor.operations.actor import Refused
from watchfloor.operations.dead_letters import discard_many, requeue_many
from watchfloor.store.database import Database
from watchfloor.store.dead_letters import Selection


async def dead(database: Database, name: str, count: int, error_class: str = "io") -> list[int]:
    made = [await operations.run_now(database, ANN, name, uuid4()) for _ in range(count)]
    for run in made:
        await die(database, run)
    await rows(
        database,
        f"UPDATE runs SET error_class = '{error_class}' WHERE id = ANY('{{{','.join(map(str, made))}}}')",
    )
    return made


async def test_at_a_rate_they_run_again_one_after_the_other(database: Database) -> None:
    await define(database, job("a"), job("b"))
    chosen = await dead(database, "a", 5)
    await dead(database, "b", 2)
    found = await requeue_many(database, ANN, Selection(job="a"), rate=2.0)
    assert [letter.run_id for letter in found.letters] == chosen
    assert found.lasts_s == 2.0
    starts = await column(database, "SELECT available_at FROM runs WHERE origin = 'requeue' ORDER BY id")
    assert [late - starts[0] for late in starts] == [timedelta(seconds=n / 2) for n in range(5)]
    settled = await column(
        database, "SELECT requeued_as FROM dead_letters WHERE settled_by = 'ann' ORDER BY run_id"
    )
    assert settled == list(found.runs)
    assert await one(database, "SELECT count(*) FROM audit WHERE action = 'requeue'") == 5
    assert (await requeue_many(database, ANN, Selection(job="a"))).letters == ()


async def test_a_dry_run_says_what_would_be_and_changes_nothing(database: Database) -> None:
    await define(database, job("a"))
    await dead(database, "a", 3)
    before = await one(database, "SELECT count(*) FROM audit")
    found = await requeue_many(database, ANN, Selection(), rate=1.0, dry_run=True)
    assert (len(found.letters), found.runs, found.lasts_s) == (3, (), 2.0)
    assert len((await discard_many(database, ANN, Selection(), dry_run=True)).letters) == 3
    assert await one(database, "SELECT count(*) FROM dead_letters WHERE settled_at IS NULL") == 3
    assert await one(database, "SELECT count(*) FROM audit") == before


async def test_they_are_chosen_by_class_of_error_by_time_and_by_number(database: Database) -> None:
    await define(database, job("a"))
    bad = await dead(database, "a", 2, "http.status.503")
    other = await dead(database, "a", 2, "http_status.503")
    await rows(
        database, f"UPDATE dead_letters SET died_at = now() - interval '1 day' WHERE run_id = {bad[0]}"
    )
    yesterday = await one(database, "SELECT now() - interval '1 hour'")

    async def chosen(selection: Selection) -> list[int]:
        found = await requeue_many(database, ANN, selection, dry_run=True)
        return [letter.run_id for letter in found.letters]

    assert await chosen(Selection(error_class="http.status.*")) == bad
    assert await chosen(Selection(error_class="http_status.*")) == other
    assert await chosen(Selection(until=yesterday)) == bad[:1]
    assert await chosen(Selection(since=yesterday, error_class="http.*")) == bad[1:]
    assert await chosen(Selection(run_ids=(other[0],))) == other[:1]


async def test_two_people_at_once_settle_each_of_them_once(database: Database) -> None:
    await define(database, job("a"))
    await dead(database, "a", 20)
    asked = [requeue_many(database, ANN, Selection()) for _ in range(4)]
    asked += [discard_many(database, ANN, Selection()) for _ in range(2)]
    found = await asyncio.gather(*asked)
    assert sum(len(each.letters) for each in found) == 20
    requeued = sum(len(each.runs) for each in found)
    assert await one(database, "SELECT count(*) FROM runs WHERE origin = 'requeue'") == requeued


async def test_who_only_looks_and_a_rate_that_is_none_are_refused(database: Database) -> None:
    with pytest.raises(Refused, match="read-only"):
        await requeue_many(database, EVE, Selection())
    with pytest.raises(Refused, match="read-only"):
        await discard_many(database, EVE, Selection())
    with pytest.raises(Refused, match="rate"):
        await requeue_many(database, ANN, Selection(), rate=-1.0)


async def test_dead_letters_of_a_job_that_is_gone_can_only_be_discarded(database: Database) -> None:
    await define(database, job("a"))
    await dead(database, "a", 2)
    await define(database)
    found = await requeue_many(database, ANN, Selection())
    assert (found.letters, found.left_out) == ((), 2)
    assert len((await discard_many(database, ANN, Selection())).letters) == 2
