"""The escalator in a running engine: the second step of a chain is taken in time, and the engine delivers it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.engines import FAILING, Stage, brisk, channel, configuration, plan, running, service
from support.sql import column, one
from support.waiting import until
from watchfloor.config.oncall import EscalationKeys
from watchfloor.store.database import Database

__all__ = ["brisk"]


@pytest.mark.usefixtures("brisk")
async def test_a_chain_goes_on_in_a_running_engine_and_its_steps_are_delivered(
    dsn: str, database: Database
) -> None:
    steps = [{"tell": [{"channel": "first"}]}, {"after": "1s", "tell": [{"channel": "second"}]}]
    chain = EscalationKeys.model_validate({"name": "page", "steps": steps}).spec()
    stage = Stage(finds={"shop": FAILING})
    made = configuration(service("shop"), channels=[channel("first"), channel("second")])
    oncall = {"people": [], "groups": [], "rotas": [], "escalations": [chain]}
    async with running(plan(dsn, stage, replace(made, oncall=oncall))):

        async def delivered() -> bool:
            return await column(
                database, "SELECT channel FROM outbox WHERE reason = 'escalated' AND state = 'delivered'"
            ) == ["second"]

        await until(delivered)
    late = (
        "SELECT max(extract(epoch FROM at - (data ->> 'due')::timestamptz)) FROM alert_events "
        "WHERE kind = 'escalated'"
    )
    assert await one(database, late) < 1.0
