"""Killed before and after every exchange with the database, no step of a chain is lost, and none is taken twice.

What is killed: the firing that begins chains, each of their steps, the acknowledgement that ends them, and the courier
that carries what they say. A copy is allowed where a courier was killed between sending and booking, with the same id.
By default after every exchange; with ``--chaos-long`` before each of them as well.
"""

from __future__ import annotations

from collections import Counter

import pytest
from chaos_at_points import Points, alone, at_every_point, points
from chaos_points import ALERTS, WEBHOOKS, steps

from support.couriers import all_are, at_work, channels
from support.databases import Server, _drop_templates, database, dsn
from support.engines import brisk
from support.floor import Floor
from support.make import EPOCH, make_rules
from support.receivers import Receiver, receiving
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.config.oncall import EscalationKeys
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine.node import Node
from watchfloor.operations import chain_audit
from watchfloor.store.database import Database
from watchfloor.store.duty import apply_oncall
from watchfloor.store.embedded import Embedded
from watchfloor.store.pulse import Pulse

__all__ = ["_drop_templates", "brisk", "database", "dsn", "points"]

pytestmark = [pytest.mark.chaos, pytest.mark.usefixtures("brisk")]

CHAIN = [
    {"tell": [{"channel": "first"}]},
    {"after": "5m", "tell": [{"channel": "first"}, {"channel": "second"}]},
]
NOTES = [
    f"page, step {number} of 2{again}: {channels}"
    for again in ("", ", round 2")
    for number, channels in enumerate(("first", "first, second"), start=1)
]
SAID = Counter({"first": 8, "second": 4})
"""What two alerts say on each channel in two rounds."""

STEPS_OF_ALERTS = (
    "SELECT e.note FROM alert_events e JOIN alerts a ON a.id = e.alert_id "
    "WHERE e.kind = 'escalated' AND a.subject = %(s)s ORDER BY e.seq"
)


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


@pytest.fixture
def whens(chaos_long: bool) -> tuple[str, ...]:
    """For the database, what is killed before an exchange was killed after the one before it."""
    return ("before", "after") if chaos_long else ("after",)


@pytest.fixture
async def floor(database: Database) -> Floor:
    await make_rules(database, channels=())
    chain = EscalationKeys.model_validate({"name": "page", "steps": CHAIN, "repeat": 1, "pause": "1m"})
    spec = {"people": [], "groups": [], "rotas": [], "escalations": [chain.spec()]}
    async with database.transaction() as connection:
        await apply_oncall(connection, spec)
    return Floor(database, EPOCH)


async def swept(database: Database) -> None:
    """Nothing has fired, and nothing was said."""
    await rows(database, "TRUNCATE alerts CASCADE")


async def taken(database: Database, alert: str) -> list[str]:
    """The steps in the history of an alert."""
    return await column(database, STEPS_OF_ALERTS, s=f"thing:{alert}")


async def queued(database: Database) -> Counter[str]:
    """How many messages steps queued on each channel, each of another step."""
    found = await rows(
        database,
        "SELECT channel, count(*) AS n, count(DISTINCT (alert_id, seq)) AS different FROM outbox "
        "WHERE reason = 'escalated' GROUP BY channel",
    )
    assert all(count == different for _, count, different in found), found
    return Counter({channel: count for channel, count, _ in found})


async def test_a_chain_from_its_beginning_to_its_end(
    floor: Floor, points: Points, whens: tuple[str, ...]
) -> None:
    database = floor.database

    async def judge(at: str) -> None:
        await until(lambda: alone(database))
        begun = [await taken(database, alert) for alert in ALERTS]
        assert all(each == NOTES[: len(each)] for each in begun), (at, begun)
        fired = await floor.ids(*ALERTS)
        assert len(fired) in (0, len(ALERTS)), at
        assert await one(database, "SELECT count(*) FROM escalations") == len(fired), at
        if not fired:
            await floor.fire(*ALERTS)
        await steps(database)
        for alert in ALERTS:
            assert await taken(database, alert) == NOTES, at
        assert await queued(database) == SAID, at
        async with database.transaction() as connection:
            assert await chain_audit.find(connection, floor.at) == [], at

    assert await at_every_point(points, "escalate", lambda: swept(database), judge, whens) > 40


async def test_an_acknowledgement_in_the_middle_of_it(
    floor: Floor, points: Points, whens: tuple[str, ...]
) -> None:
    database = floor.database

    async def prepare() -> None:
        await swept(database)
        await floor.fire(*ALERTS)

    async def judge(at: str) -> None:
        await until(lambda: alone(database))
        found = await rows(
            database,
            "SELECT a.state, e.next_at IS NULL FROM alerts a JOIN escalations e ON e.alert_id = a.id",
        )
        assert found in ([("firing", False)] * 2, [("acknowledged", True)] * 2), at
        before = [await taken(database, alert) for alert in ALERTS]
        await steps(database)
        after = [await taken(database, alert) for alert in ALERTS]
        if found[0][0] == "acknowledged":
            assert after == before == [NOTES[:2]] * 2, at
        else:
            assert after == [NOTES] * 2, at

    assert await at_every_point(points, "take_charge", prepare, judge, whens) > 20


async def test_messages_of_steps_on_their_way(floor: Floor, points: Points, whens: tuple[str, ...]) -> None:
    database = floor.database
    node = Node(1, "one", database, Pulse(database), {setting.key: setting.default for setting in SETTINGS})
    async with receiving() as receiver:
        await channels(database, first=receiver, second=receiver)

        async def prepare() -> None:
            await swept(database)
            await floor.fire(*ALERTS)
            await steps(database)
            receiver.got.clear()

        async def judge(at: str) -> None:
            async with at_work(node, WEBHOOKS):
                await until(lambda: all_are(database, "delivered"))
            ids = await column(database, "SELECT id::text FROM outbox")
            assert sorted({got.headers["webhook-id"] for got in receiver.got}) == sorted(ids), at
            same = {(got.headers["webhook-id"], got.body) for got in receiver.got}
            assert len(same) == len(ids) == SAID.total(), at
            await in_order(database, receiver, at)

        assert await at_every_point(points, "send", prepare, judge, whens) > 15


async def in_order(database: Database, receiver: Receiver, at: str) -> None:
    """Each line of an alert on a channel came in its order, whatever came twice."""
    place = {
        found[0]: found[1:]
        for found in await rows(database, "SELECT id::text, alert_id, channel, seq FROM outbox")
    }
    latest: dict[tuple[int, str], int] = {}
    for got in receiver.got:
        alert, channel, seq = place[got.headers["webhook-id"]]
        assert seq >= latest.get((alert, channel), 0), at
        latest[alert, channel] = seq
