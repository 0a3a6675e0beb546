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
from watchfloor.operations.ageing import age_alerts, age_silences
from watchfloor.operations.grouping import tell_groups
from watchfloor.store.database import Database

CHILDREN = int(os.environ.get("WATCHFLOOR_CHILDREN", "1000"))
STEP = CHILDREN // 10


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
    assert await one(database, "SELECT count(*) FROM alerts WHERE state <> 'resolved'") == 0
    assert await one(database, "SELECT count(*) FROM alerts") == CHILDREN + 1
