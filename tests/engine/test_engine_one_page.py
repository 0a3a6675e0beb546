"""A thousand services behind one router: one page that names the router, one recovery, whatever comes first.

Ten thousand with ``WATCHFLOOR_CHILDREN=10000``.
"""

from __future__ import annotations

import json
import os
import random

import pytest

from support.desks import StateDesk
from support.make import definition
from support.sql import column, one
from watchfloor.config.oncall import EscalationKeys
from watchfloor.domain.words import count
from watchfloor.operations.ageing import age_alerts, age_silences
from watchfloor.operations.escalating import take_steps
from watchfloor.operations.grouping import tell_groups
from watchfloor.store.alert_rooms import active, detail
from watchfloor.store.database import Database
from watchfloor.store.duty import apply_oncall

CHILDREN = int(os.environ.get("WATCHFLOOR_CHILDREN", "1000"))
STEP = CHILDREN // 10
ESCALATED = "SELECT payload FROM outbox WHERE channel = 'siren' ORDER BY alert_id, seq"


async def _tick(desk: StateDesk, seconds: float) -> None:
    """What warden and ager do every second."""
    await desk.tick(seconds)
    moment = desk.at(seconds)
    await age_alerts(desk.database, moment)
    await age_silences(desk.database, moment, None)
    await tell_groups(desk.database, moment)


@pytest.mark.parametrize("first", ["router", "children", "any"])
async def test_a_thousand_services_behind_one_router_are_one_page(database: Database, first: str) -> None:
    desk = StateDesk(database)
    children = [f"child {number:05}" for number in range(CHILDREN)]
    await desk.watch(
        definition("router", max_attempts=1),
        *(definition(name, max_attempts=1, depends_on=("router",)) for name in children),
    )
    await desk.results(0, ok=["router", *children])
    chance = random.Random(first)
    chance.shuffle(children)
    order = {"router": ["router", *children], "children": [*children, "router"]}.get(
        first, ["router", *children]
    )
    if first == "any":
        chance.shuffle(order)
    for at, start in enumerate(range(0, len(order), STEP)):
        await desk.results(30 + at / 10, failing=order[start : start + STEP])
        await _tick(desk, 30.06 + at / 10)
    await desk.results(33, failing=["router"])
    for second in (34, 45, 60, 95):
        await _tick(desk, second)
    await desk.results(120, ok=["router"])
    chance.shuffle(children)
    for at, start in enumerate(range(0, CHILDREN, STEP)):
        await _tick(desk, 120.5 + at)
        await desk.results(121 + at, ok=children[start : start + STEP])
    for second in (140, 160, 200, 260):
        await _tick(desk, second)
    payloads = await column(
        database, "SELECT payload FROM outbox WHERE state <> 'cancelled' ORDER BY created_at, seq"
    )
    said = [(body["type"], body["data"]["title"]) for body in map(json.loads, map(bytes, payloads))]
    assert said == [("alert.firing", "router is failing"), ("alert.resolved", "router is failing")]
    page, recovery = (json.loads(bytes(each))["data"] for each in payloads)
    assert page["behind"] == CHILDREN
    assert page["summary"].endswith(f"; {count(CHILDREN, 'service')} are out of reach behind it")
    assert "behind" not in recovery
    assert "out of reach" not in recovery["summary"]
    assert await one(database, "SELECT count(*) FROM alerts WHERE state <> 'resolved'") == 0
    assert await one(database, "SELECT count(*) FROM alerts") == CHILDREN + 1


async def test_each_message_says_how_many_are_out_of_reach_when_it_is_made(database: Database) -> None:
    desk = StateDesk(database)
    await desk.watch(
        definition("router", max_attempts=1),
        definition("power", max_attempts=1),
        definition("line", max_attempts=1, depends_on=("power",)),
        definition("shop", max_attempts=1, depends_on=("router",)),
        definition("cart", max_attempts=1, depends_on_any=(("router", "line"),)),
    )
    steps = [{"tell": [{"channel": "siren"}]}, {"after": "5m", "tell": [{"channel": "siren"}]}]
    chain = EscalationKeys.model_validate({"name": "page", "steps": steps}).spec()
    async with database.transaction() as connection:
        await apply_oncall(connection, {"people": [], "groups": [], "rotas": [], "escalations": [chain]})
    await desk.results(0, ok=["power", "router", "line", "shop", "cart"])
    await desk.results(60, failing=["router"])
    async with database.transaction() as connection:
        listed = {row.title: row.behind for row in await active(connection)}
        found = await detail(connection, 1)
    assert listed == {"router is failing": 1}
    assert found is not None
    assert found.row.behind == 1
    await desk.results(90, ok=["power"], failing=["line"])
    await take_steps(database, desk.at(400))
    said = [
        (body["data"]["title"], body["data"].get("behind"), body["data"]["summary"].partition("; ")[2])
        for body in map(json.loads, map(bytes, await column(database, ESCALATED)))
    ]
    one, two = "1 service is out of reach behind it", "2 services are out of reach behind it"
    assert said == [
        ("router is failing", 1, one),
        ("router is failing", 2, two),
        *[("line is failing", None, "")] * 2,
    ]
