"""The ager: reasons for silence that end are seen whatever the clock of the database did."""

from __future__ import annotations

import pytest

from support.floor import Floor
from support.make import make_rules, now
from support.sql import column, rows
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine.ager import ALL_ANEW_S, Ager
from watchfloor.engine.node import Node
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse

WORSE = {"name": "site", "source": ["service=site"], "target": ["service!=site"], "equal": []}


@pytest.fixture
async def floor(database: Database) -> Floor:
    await make_rules(database)
    return Floor(database, await now(database))


async def quiet(floor: Floor) -> list[object]:
    return await column(floor.database, "SELECT suppressed FROM alerts WHERE subject = 'thing:a'")


async def test_what_a_worse_alert_kept_quiet_is_told_within_a_minute_after_the_clock_was_set_back(
    floor: Floor,
) -> None:
    database, elapsed = floor.database, 1000.0
    node = Node(1, "one", database, Pulse(database), {each.key: each.default for each in SETTINGS})
    ager = Ager(node, lambda: elapsed)
    await floor.routes(inhibitions=[WORSE])
    await floor.fire("site", "a", "other")
    await ager.once()
    await rows(
        database, "UPDATE alerts SET changed_at = now() + interval '1 hour' WHERE subject = 'thing:other'"
    )
    await ager.once()
    assert await quiet(floor) == [["inhibition"]]
    await floor.end("site")
    elapsed += ALL_ANEW_S - 1
    await ager.once()
    assert await quiet(floor) == [["inhibition"]]  # what changed last is still an hour ahead
    elapsed += 1
    await ager.once()
    assert await quiet(floor) == [[]]
    assert "a is failing" in [said["data"]["title"] for said in await floor.deliver()]
