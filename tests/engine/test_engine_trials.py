"""Trials: a service is checked once by a real engine before it is saved, and nothing of it is kept as a result."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from support.engines import FAILING, FakeSettings, Stage, configuration, plan, running
from support.sql import one, rows
from support.waiting import until
from watchfloor.domain.trial import TAKEN_WITHIN, Trial, standing
from watchfloor.domain.trial import Stage as TrialStage
from watchfloor.domain.trial import stage as stage_of
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import Invalid
from watchfloor.operations.judge import Judge
from watchfloor.operations.trials import try_service
from watchfloor.store import trials
from watchfloor.store.database import Database
from watchfloor.store.health import clock

pytestmark = pytest.mark.usefixtures("brisk")

ANN = Actor("ann")
JUDGE = Judge({"fake": FakeSettings}, {}, Path("/nowhere"))
SHOP: Mapping[str, Any] = {"name": "shop", "kind": "fake", "target": "shop", "timeout": "1s"}


async def trial(database: Database, trial_id: UUID) -> Trial:
    async with database.transaction() as connection:
        found = await trials.find(connection, trial_id)
    assert found is not None
    return found


async def answered(database: Database, trial_id: UUID) -> Trial:
    async def done() -> Trial | None:
        found = await trial(database, trial_id)
        return found if found.outcome is not None else None

    found = await until(done)
    assert found is not None
    return found


async def test_an_engine_answers_and_nothing_is_recorded(database: Database, dsn: str, stage: Stage) -> None:
    stage.finds["shop"] = FAILING
    async with running(plan(dsn, stage, configuration())):
        asked = await try_service(database, ANN, JUDGE, SHOP)
        found = await answered(database, asked)
    assert (found.node, found.outcome) == ("one", FAILING)
    assert stage.count("shop") == 1
    assert await one(database, "SELECT count(*) FROM services WHERE name = 'shop'") == 0
    assert await one(database, "SELECT count(*) FROM alerts") == 0


async def test_references_are_resolved_by_the_engine_alone(
    database: Database, dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "s3cr3t")
    async with running(plan(dsn, stage, configuration())):
        asked = await try_service(database, ANN, JUDGE, {**SHOP, "token": "${SHOP_PASSWORD}"})
        await answered(database, asked)
    assert stage.calls["shop"][0].token == "s3cr3t"
    assert "s3cr3t" not in str(await rows(database, "SELECT settings, outcome FROM trials"))


async def test_a_probe_that_never_ends_is_stopped_and_said_so(
    database: Database, dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchfloor.engine.trier.OVERTIME_S", 0.1)

    async def hang() -> object:
        await asyncio.Event().wait()
        return None

    stage.finds["shop"] = hang
    async with running(plan(dsn, stage, configuration())):
        asked = await try_service(database, ANN, JUDGE, {**SHOP, "timeout": "200ms"})
        found = await answered(database, asked)
    assert found.outcome is not None
    assert found.outcome.summary == "the fake probe did not end in time and was stopped"


async def test_a_probe_that_raises_and_a_kind_that_is_not_there_are_answers_too(
    database: Database, dsn: str, stage: Stage
) -> None:
    async def burst() -> object:
        raise ZeroDivisionError

    stage.finds["shop"] = burst
    others = Judge({"fake": FakeSettings, "odd": FakeSettings}, {}, Path("/nowhere"))
    async with running(plan(dsn, stage, configuration())):
        one_ = await answered(database, await try_service(database, ANN, JUDGE, SHOP))
        two = await answered(database, await try_service(database, ANN, others, {**SHOP, "kind": "odd"}))
    assert one_.outcome is not None
    assert two.outcome is not None
    assert one_.outcome.summary == "the fake probe failed: ZeroDivisionError"
    assert two.outcome.summary == "this node has no probe of kind odd"


async def test_where_no_engine_runs_that_is_said_and_a_late_engine_leaves_it_alone(
    database: Database,
) -> None:
    asked = await try_service(database, ANN, JUDGE, SHOP)
    found = await trial(database, asked)
    async with database.transaction() as connection:
        moment = await clock(connection)
    assert stage_of(found, moment) is TrialStage.WAITING
    late = found.asked_at + TAKEN_WITHIN + timedelta(milliseconds=1)
    assert standing(found, late).startswith("no engine took it within 5 s")
    async with database.transaction() as connection:
        await connection.execute("UPDATE trials SET asked_at = asked_at - interval '6 s'")
        assert await trials.take(connection, 1) is None


async def test_an_engine_that_says_nothing_is_not_waited_for(database: Database) -> None:
    found = await trial(database, await try_service(database, ANN, JUDGE, SHOP))
    began = found.asked_at
    taken = Trial(found.id, "fake", 1.0, found.asked_at, "one", began)
    assert standing(taken, began + timedelta(seconds=5)) == "one is checking"
    assert standing(taken, began + timedelta(seconds=7)) == "one took it and did not answer in time"


async def test_what_has_mistakes_is_not_tried_and_neither_for_who_may_only_look(database: Database) -> None:
    with pytest.raises(Invalid):
        await try_service(database, ANN, JUDGE, {**SHOP, "every": "2"})
    with pytest.raises(Refused):
        await try_service(database, Actor("ann", read_only=True), JUDGE, SHOP)
    assert await one(database, "SELECT count(*) FROM trials") == 0
