"""Quiet hours hold what is for somebody who sleeps, and nothing else: not what the same channel is told for others."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from test_operations_escalating import Watch

from support.make import EPOCH, make_rules
from support.sql import column, one, rows
from watchfloor.domain import alert as life
from watchfloor.domain.alert import Alert, Suppression, Transition, change_severity, suppress
from watchfloor.domain.severity import Severity
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.alerts import acknowledge
from watchfloor.operations.oncall import hand_over
from watchfloor.store.database import Database

ANN = Actor("ann")
KIM = {
    "name": "kim",
    "channels": [{"channel": "chat"}, {"channel": "k-page", "from": "critical"}],
    "quiet_hours": [{"from": "00:00", "to": "23:00", "below": "critical"}],
}
LEE = {"name": "lee", "channels": [{"channel": "chat"}]}
STEPS = [{"after": "15m", "tell": [{"person": "kim"}]}]


@pytest.fixture
async def floor(database: Database) -> Watch:
    await make_rules(database, channels=("chat",))
    return Watch(database, EPOCH)


async def held(floor: Watch) -> list[tuple[Any, ...]]:
    """What quiet hours hold: the channel, the type of the message, and for whom it is."""
    return await rows(
        floor.database,
        "SELECT channel, kind, person FROM outbox WHERE held_until IS NOT NULL AND state = 'queued' "
        "ORDER BY channel, seq",
    )


async def morning(floor: Watch) -> list[str]:
    """The quiet hours end; what is told then."""
    await rows(
        floor.database,
        "UPDATE outbox SET held_until = now(), not_before = now() WHERE held_until IS NOT NULL",
    )
    return await told(floor)


async def told(floor: Watch) -> list[str]:
    return [said["type"] for said in await floor.deliver()]


async def asleep(floor: Watch, **labels: str) -> None:
    """A warning that the channel heard of, and that waits there for somebody who sleeps."""
    await floor.define(KIM, LEE, steps=STEPS)
    await floor.fire("a", severity=Severity.WARNING, **labels)
    await floor.tick(30)
    assert len(await told(floor)) == 1
    assert await floor.step(870) == 1
    assert await held(floor) == [("chat", "alert.firing", "kim")]


async def test_who_sleeps_hears_in_the_morning(floor: Watch) -> None:
    await asleep(floor)
    assert await told(floor) == []
    assert await morning(floor) == ["alert.firing"]


async def reminded(floor: Watch) -> None:
    await floor.change(lambda alert: life.remind(alert, floor.at), "a")


async def worse(floor: Watch) -> None:
    await floor.change(lambda alert: change_severity(alert, Severity.CRITICAL, floor.at), "a")


async def acknowledged(floor: Watch) -> None:
    await acknowledge(floor.database, ANN, await floor.ids("a"), "on it", None)


async def handed_over(floor: Watch) -> None:
    await hand_over(floor.database, ANN, await floor.ids("a"), "lee")


async def over(floor: Watch) -> None:
    await floor.end("a")


@pytest.mark.parametrize(
    ("happens", "type_"),
    [
        (reminded, "alert.firing"),
        (worse, "alert.severity_changed"),
        (acknowledged, "alert.acknowledged"),
        (handed_over, "alert.firing"),
        (over, "alert.resolved"),
    ],
)
async def test_what_a_channel_is_told_waits_for_nobody_who_sleeps(
    floor: Watch, happens: Callable[[Watch], Awaitable[None]], type_: str
) -> None:
    await asleep(floor)
    await happens(floor)
    assert await told(floor) == [type_]
    assert await held(floor) == []  # whoever sleeps finds it on that very channel
    assert await morning(floor) == []


async def test_all_that_happens_in_a_night_is_told_in_its_order(floor: Watch) -> None:
    await asleep(floor)
    for happens in (reminded, worse, handed_over, acknowledged, over):
        await happens(floor)
    said = ["alert.severity_changed", "alert.firing", "alert.acknowledged", "alert.resolved"]
    assert await told(floor) == said  # a reminder is worth nothing once somebody took charge
    assert await morning(floor) == []


async def test_an_heir_on_the_channel_of_somebody_who_sleeps_hears_at_once(database: Database) -> None:
    await make_rules(database, channels=())
    floor = Watch(database, EPOCH)
    await floor.define(KIM, LEE, steps=[{"tell": [{"person": "kim"}]}])
    await floor.fire("a", severity=Severity.WARNING)
    assert await held(floor) == [("chat", "alert.firing", "kim")]
    await handed_over(floor)
    found = await rows(database, "SELECT person, reason FROM outbox WHERE state = 'queued'")
    assert found == [("lee", "handed_over")]
    assert await told(floor) == ["alert.firing"]


async def test_a_step_taken_together_with_one_for_somebody_who_sleeps_does_not_wait_for_them(
    database: Database,
) -> None:
    await make_rules(database, channels=())
    floor = Watch(database, EPOCH)
    steps = [{"tell": [{"person": "kim"}]}, {"after": "0s", "tell": [{"person": "lee"}]}]
    await floor.define(KIM, LEE, steps=steps)
    await floor.fire("a", severity=Severity.WARNING)
    assert await told(floor) == ["alert.firing"]
    assert await held(floor) == []


async def test_the_end_of_what_nobody_heard_of_waits_for_the_morning_though_the_channel_heard_of_another_time(
    database: Database,
) -> None:
    await make_rules(database, channels=())
    floor = Watch(database, EPOCH)
    quiet = {"from": "12:02", "to": "23:00", "below": "critical"}
    await floor.define({**KIM, "quiet_hours": [quiet]}, LEE, steps=[{"tell": [{"person": "kim"}]}])
    await floor.fire("a", severity=Severity.WARNING)
    floor.later(60)
    await over(floor)
    assert await told(floor) == ["alert.firing", "alert.resolved"]
    floor.later(120)
    await floor.again("a")
    assert await held(floor) == [("chat", "alert.firing", "kim")]
    await over(floor)
    assert await told(floor) == []
    assert await morning(floor) == ["alert.resolved"]


async def test_of_what_a_group_ended_nobody_hears_in_the_morning(floor: Watch) -> None:
    await floor.routes({"match": ["group=web"], "group_by": ["group"]})
    await asleep(floor, group="web")
    await over(floor)
    await floor.tick(300)
    assert await told(floor) == ["alerts.resolved"]
    assert await morning(floor) == []


async def lowered(floor: Watch) -> None:
    """What was critical is a warning by the time that a step tells somebody who sleeps."""
    await floor.define(KIM, LEE, steps=[{"tell": [{"channel": "siren"}]}, *STEPS])
    await floor.fire("a")
    await floor.change(lambda alert: change_severity(alert, Severity.WARNING, floor.at), "a")
    await floor.step(900)
    assert await held(floor) == [("chat", "alert.firing", "kim")]
    await told(floor)


async def test_what_is_as_bad_again_as_it_was_wakes_who_was_left_to_sleep(database: Database) -> None:
    await make_rules(database, channels=())
    floor = Watch(database, EPOCH)
    await lowered(floor)
    await worse(floor)
    found = await rows(database, "SELECT channel, person FROM outbox WHERE state = 'queued' ORDER BY channel")
    assert found == [("chat", "kim"), ("k-page", "kim")]
    assert [said["data"]["severity"] for said in await floor.deliver()] == ["critical"] * 2
    assert await morning(floor) == []


async def test_what_gets_as_bad_again_in_silence_wakes_nobody_before_the_silence_ends(
    database: Database,
) -> None:
    await make_rules(database, channels=())
    floor = Watch(database, EPOCH)
    await lowered(floor)
    await floor.change(lambda alert: suppress(alert, {Suppression.SILENCE}, floor.at), "a")
    await worse(floor)
    assert await told(floor) == []
    await floor.change(lambda alert: suppress(alert, (), floor.at), "a")
    assert [said["data"]["severity"] for said in await floor.deliver()] == ["critical"] * 2


async def test_what_is_held_for_somebody_who_is_gone_goes_with_all_that_is_held_on_that_channel(
    database: Database,
) -> None:
    await make_rules(database, channels=())
    floor = Watch(database, EPOCH)
    quiet = {"from": "00:00", "to": "23:00", "below": "emergency"}
    sleepers = [{**each, "quiet_hours": [quiet]} for each in (KIM, LEE)]
    steps = [{"tell": [{"person": "lee"}]}, *STEPS]
    await floor.define(*sleepers, steps=steps)
    await floor.fire("a")
    await floor.step(900)
    assert [person for channel, _, person in await held(floor) if channel == "chat"] == ["lee", "kim"]
    await floor.define(sleepers[1], steps=steps)
    await floor.change(lambda alert: change_severity(alert, Severity.WARNING, floor.at), "a")
    assert await told(floor) == ["alert.firing"] * 3
    assert await one(database, "SELECT count(*) FROM outbox WHERE created_at > now()") == 0


def happenings(floor: Watch, chance: random.Random) -> list[Callable[[], Awaitable[object]]]:
    """What a night may bring."""

    def becomes(step: Callable[[Alert], Transition]) -> Callable[[], Awaitable[object]]:
        return lambda: floor.change(step, "a")

    return [
        *[lambda: floor.step(chance.choice([60, 120, 200]))] * 4,
        lambda: reminded(floor),
        lambda: acknowledged(floor),
        lambda: handed_over(floor),
        lambda: over(floor),
        lambda: floor.again("a"),
        lambda: morning(floor),
        becomes(lambda alert: change_severity(alert, chance.choice(list(Severity)), floor.at)),
        becomes(lambda alert: suppress(alert, {Suppression.SILENCE}, floor.at)),
        becomes(lambda alert: suppress(alert, (), floor.at)),
    ]


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_a_night_brings_nothing_waits_but_for_who_sleeps_and_every_channel_hears_of_the_end(
    database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    await make_rules(database, channels=chance.choice([(), ("chat",), ("m-chat",), ("chat", "other")]))
    quiet = {"from": "12:06", "to": "22:00", "below": "emergency"}
    mia = {"name": "mia", "channels": [{"channel": "m-chat"}, {"channel": "chat"}], "quiet_hours": [quiet]}
    whom = [*({"person": name} for name in ("kim", "lee", "mia")), {"channel": "chat"}]
    steps = [{"after": chance.choice(["0s", "2m"]), "tell": [chance.choice(whom)]} for _ in range(4)]
    floor = Watch(database, EPOCH)
    await floor.define(KIM, LEE, mia, steps=steps, repeat=3, pause="3m")
    await floor.fire("a", severity=chance.choice(list(Severity)))
    for _ in range(25):
        with contextlib.suppress(Refused):  # nobody can take charge of what is over
            await chance.choice(happenings(floor, chance))()
        if chance.random() < 0.7:
            await told(floor)
            assert {kind for _, kind, person in await held(floor) if not person} <= {"alert.resolved"}
            waiting = "SELECT count(*) FROM outbox WHERE state = 'queued' AND held_until IS NULL"
            assert await one(database, waiting) == 0
    await floor.change(lambda alert: suppress(alert, (), floor.at), "a")
    await over(floor)
    await told(floor)
    await morning(floor)
    last = (
        "SELECT DISTINCT ON (channel) kind FROM outbox WHERE state = 'delivered' ORDER BY channel, seq DESC"
    )
    assert set(await column(database, last)) <= {"alert.resolved"}
    assert await one(database, "SELECT count(*) FROM outbox WHERE state = 'queued'") == 0
