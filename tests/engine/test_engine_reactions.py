"""From a failing check to the run of a job, and to the sight of it, in one engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.engines import FAILING, Stage, channel, configuration, plan, running, service
from support.jobs import Labour, job
from support.sql import one, rows
from support.waiting import until
from watchfloor.config.reactions import ReactionKeys
from watchfloor.store.database import Database

pytestmark = pytest.mark.usefixtures("brisk")


async def test_a_service_that_fails_has_its_job_run(database: Database, dsn: str, stage: Stage) -> None:
    labour = Labour()
    keys = ReactionKeys(name="restart it", match=("service=shop",), job="restart")
    config = replace(
        configuration(service("shop"), service("other"), channels=[channel()], jobs=[job("restart")]),
        reactions=(keys.spec(),),
    )
    async with running(plan(dsn, stage, config, payloads=labour.kinds)):
        await until(lambda: stage.count("shop"))
        stage.finds.update(shop=FAILING, other=FAILING)
        await until(lambda: one(database, "SELECT count(*) = 1 FROM runs WHERE state = 'succeeded'"))
        await until(lambda: one(database, "SELECT count(*) = 2 FROM alerts WHERE state = 'firing'"))
    assert [attempt.job for attempt in labour.attempts["restart"]] == ["restart"]
    assert await rows(
        database,
        "SELECT a.title, e.note FROM alert_events e JOIN alerts a ON a.id = e.alert_id WHERE e.kind = 'reacted'",
    ) == [
        ("shop is failing", f"restart it: runs restart (run #{await one(database, 'SELECT id FROM runs')})")
    ]
