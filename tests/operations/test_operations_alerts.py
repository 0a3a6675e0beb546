"""What people do to alerts, services and settings: done once, with its whole trace, or refused with a reason."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from support.make import make_alerts, make_rules, make_services
from support.sql import column, one, rows
from watchfloor.operations import alerts, services, settings
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store.alerts import StoredAlert
from watchfloor.store.database import Database

KIM, ALEX = Actor("kim"), Actor("alex")
HOUR = timedelta(hours=1)


@pytest.fixture
async def firing(database: Database) -> list[StoredAlert]:
    """Three firing alerts, each about a service."""
    made = await make_services(database, "shop", "login", "mail")
    await make_rules(database)
    return await make_alerts(database, *made.values())


async def states(database: Database) -> list[str]:
    return await column(database, "SELECT state FROM alerts ORDER BY id")


async def test_an_acknowledgement_leaves_its_whole_trace(
    database: Database, firing: list[StoredAlert]
) -> None:
    first = firing[0].id
    assert await alerts.acknowledge(database, KIM, [first], "on it", HOUR) == [first]
    assert await states(database) == ["acknowledged", "firing", "firing"]
    assert await rows(
        database,
        "SELECT acked_by, note, acked_until > now() + '59 min' FROM alerts WHERE id = %(id)s",
        id=first,
    ) == [("kim", "on it", True)]
    assert await one(
        database, "SELECT kind FROM alert_events WHERE alert_id = %(id)s ORDER BY seq DESC", id=first
    ) == ("acknowledged")
    assert await rows(database, "SELECT actor, action, object_id FROM audit WHERE actor = 'kim'") == [
        ("kim", "acknowledge", str(first))
    ]


async def test_of_two_operators_one_takes_charge_and_the_other_is_told_who(
    database: Database, firing: list[StoredAlert]
) -> None:
    done = await asyncio.gather(
        *(alerts.acknowledge(database, who, [firing[0].id], "", HOUR) for who in (KIM, ALEX)),
        return_exceptions=True,
    )
    refused = [each for each in done if isinstance(each, Refused)]
    winner = await one(database, "SELECT acked_by FROM alerts WHERE id = %(id)s", id=firing[0].id)
    assert [str(each) for each in refused if f"already acknowledged by {winner}" in str(each)]
    assert len(refused) == 1
    assert await one(database, "SELECT count(*) FROM alert_events WHERE kind = 'acknowledged'") == 1


async def test_what_is_possible_is_done_and_only_that_is_claimed(
    database: Database, firing: list[StoredAlert]
) -> None:
    first, second, _ = (each.id for each in firing)
    await alerts.acknowledge(database, KIM, [first], "", HOUR)
    assert await alerts.acknowledge(database, ALEX, [first, second, 99_999], "", HOUR) == [second]


@pytest.mark.parametrize("operation", ["acknowledge", "unacknowledge", "resolve"])
async def test_an_alert_that_does_not_exist_is_refused(database: Database, operation: str) -> None:
    work = {
        "acknowledge": lambda: alerts.acknowledge(database, KIM, [7], "", HOUR),
        "unacknowledge": lambda: alerts.unacknowledge(database, KIM, [7]),
        "resolve": lambda: alerts.resolve(database, KIM, [7], ""),
    }
    with pytest.raises(Refused, match="#7: there is no such alert"):
        await work[operation]()


async def test_undo_makes_it_fire_again(database: Database, firing: list[StoredAlert]) -> None:
    first = firing[0].id
    await alerts.acknowledge(database, KIM, [first], "", None)
    await alerts.unacknowledge(database, KIM, [first])
    assert await states(database) == ["firing"] * 3


async def test_an_alert_resolved_by_hand_is_held_until_its_condition_was_false_once(
    database: Database, firing: list[StoredAlert]
) -> None:
    await alerts.resolve(database, KIM, [firing[0].id], "replaced the disk")
    assert await rows(database, "SELECT state, held FROM alerts WHERE id = %(id)s", id=firing[0].id) == [
        ("resolved", True)
    ]


async def test_a_read_only_actor_changes_nothing(database: Database, firing: list[StoredAlert]) -> None:
    looker = Actor("guest", read_only=True)
    for work in (
        alerts.acknowledge(database, looker, [firing[0].id], "", HOUR),
        services.set_paused(database, looker, 1, True),
        settings.change(database, looker, "retention.logs", 3),
    ):
        with pytest.raises(Refused, match="read-only"):
            await work
    assert await states(database) == ["firing"] * 3
    assert await one(database, "SELECT count(*) FROM audit WHERE actor = 'guest'") == 0


async def test_a_note_is_asked_for_where_the_house_wants_one(
    database: Database, firing: list[StoredAlert]
) -> None:
    await settings.change(database, KIM, "alerts.ack_note_required", True)
    with pytest.raises(Refused, match="needs a note"):
        await alerts.acknowledge(database, KIM, [firing[0].id], "  ", HOUR)
    await alerts.acknowledge(database, KIM, [firing[0].id], "on it", HOUR)


async def test_a_thousand_alerts_are_acknowledged_in_one_transaction(database: Database) -> None:
    made = await make_services(database, *(f"s{n:04}" for n in range(1000)))
    await make_rules(database)
    ids = [each.id for each in await make_alerts(database, *made.values())]
    assert len(await alerts.acknowledge(database, KIM, ids, "all of it", HOUR)) == 1000
    assert await one(database, "SELECT count(DISTINCT xmin::text) FROM alerts") == 1


async def test_of_very_many_alerts_it_is_said_how_many_were_done_when_the_rest_fails(
    database: Database, firing: list[StoredAlert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "AT_ONCE", 1)
    ids = [each.id for each in firing]
    assert await alerts.acknowledge(database, KIM, [*ids[:2], 99_999], "", HOUR) == ids[:2]
    assert await alerts.unacknowledge(database, KIM, ids) == ids[:2]
    work, turns = alerts.carry_out, iter([True, True, False])

    async def breaks(*given: Any) -> bool:
        if not next(turns):
            raise OSError("the server closed the connection")
        return await work(*given)

    monkeypatch.setattr(alerts, "carry_out", breaks)
    with pytest.raises(Refused, match=r"2 of 3 were done, then: OSError: the server closed the connection"):
        await alerts.acknowledge(database, KIM, ids, "", HOUR)
    assert await states(database) == ["acknowledged", "acknowledged", "firing"]


async def test_a_pause_is_done_once_and_can_be_lifted(database: Database) -> None:
    shop = (await make_services(database, "shop"))["shop"].id
    assert await services.set_paused(database, KIM, shop, True)
    assert not await services.set_paused(database, ALEX, shop, True)
    with pytest.raises(Refused, match="is paused"):
        await services.check_now(database, KIM, shop)
    assert await services.set_paused(database, KIM, shop, False)
    await services.check_now(database, KIM, shop)
    assert await column(database, "SELECT service_id FROM check_requests") == [shop]


async def test_a_setting_takes_only_what_it_may_be(database: Database) -> None:
    for key, value in (("retention.logs", 0), ("retention.logs", "x"), ("no.such", 1)):
        with pytest.raises(Refused):
            await settings.change(database, KIM, key, value)
    with pytest.raises(Refused, match="the warning must come first"):
        await settings.change(database, KIM, "thresholds.cpu.warning", 99.0)
    await settings.change(database, KIM, "retention.logs", 3)
    await settings.reset(database, KIM, "retention.logs")
    assert await column(database, "SELECT action FROM audit ORDER BY id") == ["change", "reset"]
    assert await one(database, "SELECT count(*) FROM settings") == 0


async def test_a_note_stands_in_the_history_changes_nothing_else_and_is_told_to_nobody(
    database: Database, firing: list[StoredAlert]
) -> None:
    first = firing[0].id
    told = await one(database, "SELECT count(*) FROM outbox")
    await alerts.add_note(database, KIM, [first], "asked the provider")
    assert await states(database) == ["firing", "firing", "firing"]
    assert await rows(
        database,
        "SELECT kind, actor, note FROM alert_events WHERE alert_id = %(id)s ORDER BY seq DESC LIMIT 1",
        id=first,
    ) == [("noted", "kim", "asked the provider")]
    assert await one(database, "SELECT count(*) FROM outbox") == told
    assert await one(database, "SELECT action FROM audit WHERE actor = 'kim'") == "note"
    await alerts.resolve(database, KIM, [first], "")
    await alerts.add_note(database, ALEX, [first], "it was a cable")
    with pytest.raises(Refused, match="needs words"):
        await alerts.add_note(database, KIM, [first], " ")
    with pytest.raises(Refused, match="no such alert"):
        await alerts.add_note(database, KIM, [4711], "lost")
