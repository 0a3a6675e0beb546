"""The clock of the machine is set back by an hour: nothing that waits waits for an hour more, and nothing comes early.

The database's clock cannot be moved from here, so everything that was booked is moved forward instead: to a node that
is all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from support.floor import Floor
from support.make import make_rules, now
from support.sql import column, one, rows
from watchfloor.config.model import NodeConfig
from watchfloor.config.oncall import EscalationKeys
from watchfloor.domain.silences import Wish
from watchfloor.engine.heart import Heart
from watchfloor.engine.node import Node
from watchfloor.engine.registration import NameLock, register
from watchfloor.engine.stalls import NS
from watchfloor.operations.actor import Actor
from watchfloor.operations.ageing import age_alerts
from watchfloor.operations.alerts import acknowledge
from watchfloor.operations.escalating import take_steps
from watchfloor.operations.silences import add as silence
from watchfloor.store import outbox
from watchfloor.store import set_back as clocks
from watchfloor.store.database import Database
from watchfloor.store.duty import apply_oncall

HOUR_S = 3600.0
ANN = Actor("ann")
NEXT = "SELECT extract(epoch FROM next_at - clock_timestamp())::float8 FROM escalations WHERE next_at IS NOT NULL"
CHAIN = {
    "name": "page",
    "steps": [{"tell": [{"channel": "chat"}]}, {"after": "5m", "tell": [{"channel": "page"}]}],
}


class Beating:
    """A node that beats when it is told to."""

    def __init__(self, node: Node, heart: Heart, lock: NameLock) -> None:
        self.node, self.heart, self.lock = node, heart, lock

    @classmethod
    async def named(cls, database: Database, name: str) -> Beating:
        lock = NameLock(database)
        node, entry = await register(database, NodeConfig(name, "", ()), lock)
        made = cls(node, Heart(node, entry, lock, dict, lambda: None), lock)
        await made.beat()
        return made

    async def beat(self) -> None:
        await self.heart.once("running")


@pytest.fixture
async def floor(database: Database) -> Floor:
    await make_rules(database, channels=())
    spec = {
        "people": [],
        "groups": [],
        "rotas": [],
        "escalations": [EscalationKeys.model_validate(CHAIN).spec()],
    }
    async with database.transaction() as connection:
        await apply_oncall(connection, spec)
    return Floor(database, await now(database))


@pytest.fixture
async def node(database: Database) -> AsyncIterator[Beating]:
    made = await Beating.named(database, "one")
    yield made
    await made.lock.close()


async def an_hour_back(database: Database, *nodes: Beating) -> None:
    """What happens to those who were there: all that is booked is an hour ahead, and so is what nodes believe."""
    for table, columns, _ in clocks._RUNNING:
        moved = ", ".join(f"{each} = {each} + interval '1 hour'" for each in columns)
        await rows(database, f"UPDATE {table} SET {moved}")
    for each in nodes:
        each.node.clock._ahead_ns += 3600 * NS


async def test_a_step_and_a_message_that_wait_go_on_as_before(floor: Floor, node: Beating) -> None:
    database = floor.database
    await floor.fire("a")
    await rows(database, "UPDATE outbox SET not_before = clock_timestamp() + interval '40 s'")
    await an_hour_back(database, node)
    await node.beat()
    assert await one(database, NEXT) == pytest.approx(300, abs=20)
    wait = "SELECT extract(epoch FROM not_before - clock_timestamp())::float8 FROM outbox"
    assert await one(database, wait) == pytest.approx(40, abs=20)
    assert (await take_steps(database, node.node.clock.now()))[0] == 0, "nothing comes early"
    assert (await take_steps(database, node.node.clock.now() + timedelta(minutes=6)))[0] == 1
    await node.beat()
    assert await one(database, "SELECT count(*) FROM audit WHERE action = 'clock_jumped'") == 1
    async with database.transaction() as connection:
        assert await outbox.lease(connection, 9, 60.0, room=9)


async def test_an_alert_that_waits_to_fire_fires_in_its_time(floor: Floor, node: Beating) -> None:
    database = floor.database
    await floor.fire("a")
    await rows(
        database,
        "UPDATE alerts SET state = 'pending', fired_at = NULL, fire_at = clock_timestamp() + interval '60 s'",
    )
    await an_hour_back(database, node)
    await node.beat()
    assert await age_alerts(database, node.node.clock.now()) == 0
    assert await age_alerts(database, node.node.clock.now() + timedelta(seconds=90)) == 1


async def test_what_people_named_by_the_clock_stays(floor: Floor, node: Beating) -> None:
    database = floor.database
    await floor.fire("a", "b")
    await acknowledge(database, ANN, await floor.ids("a"), "on it", timedelta(hours=4))
    await silence(database, ANN, Wish(("service=b",), "known", timedelta(hours=2)))
    named = (
        "SELECT acked_until FROM alerts WHERE acked_until IS NOT NULL UNION ALL SELECT ends_at FROM silences"
    )
    before = await column(database, named)
    await an_hour_back(database, node)
    await node.beat()
    assert await column(database, named) == before
    assert await age_alerts(database, before[0] - timedelta(minutes=1)) == 1, "it is said that it ends soon"
    assert await age_alerts(database, before[0] + timedelta(seconds=1)) >= 1
    assert await column(database, "SELECT state FROM alerts ORDER BY id") == ["firing", "firing"]


async def test_nothing_is_set_back_before_every_live_node_has_seen_it(floor: Floor, node: Beating) -> None:
    """Who still goes by the old clock would take what was set back for due."""
    database = floor.database
    other = await Beating.named(database, "two")
    await floor.fire("a")
    await an_hour_back(database, node, other)
    await node.beat()
    assert await one(database, NEXT) == pytest.approx(HOUR_S + 300, abs=20)
    assert (await take_steps(database, other.node.clock.now()))[0] == 0
    await other.beat()
    assert await one(database, NEXT) == pytest.approx(300, abs=20)
    await node.beat()
    assert await one(database, NEXT) == pytest.approx(300, abs=20)
    await other.lock.close()


async def test_a_node_that_starts_after_it_happened_sees_it(floor: Floor, node: Beating) -> None:
    database = floor.database
    await floor.fire("a")
    await an_hour_back(database)
    await node.lock.close()
    again = await Beating.named(database, "one")
    assert await one(database, NEXT) == pytest.approx(300, abs=20)
    await again.lock.close()


async def test_time_that_passes_sets_nothing_back(floor: Floor, node: Beating) -> None:
    await floor.fire("a")
    before: datetime = await one(floor.database, "SELECT next_at FROM escalations")
    await node.beat()
    assert await one(floor.database, "SELECT next_at FROM escalations") == before
