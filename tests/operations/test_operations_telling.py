"""Who is told what, when, and together with what: groups, storms, reminders, pauses, the history of all that."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from support.floor import HOUR, Floor
from support.make import make_alerts, make_rules, make_services, now, rule
from support.sql import column, one, rows
from watchfloor.domain.alert import Suppression, change_severity, suppress
from watchfloor.domain.restore import Unseen
from watchfloor.domain.routes import STORM
from watchfloor.domain.severity import Severity
from watchfloor.operations.actor import Actor
from watchfloor.operations.ageing import age_alerts, wait_longer
from watchfloor.operations.alerts import acknowledge, resolve
from watchfloor.operations.deliveries import Failure, book_failure
from watchfloor.store import outbox
from watchfloor.store.database import Database
from watchfloor.store.deliveries import DeliveryFilter, history

ANN = Actor("ann")
GROUPED = {"match": ["group=web"], "group_by": ["group"]}


@pytest.fixture
async def floor(database: Database) -> Floor:
    await make_rules(database, rule("patient", cooldown_ms=300_000, channels=("ops",)))
    return Floor(database, await now(database))


async def test_a_group_waits_for_more_and_tells_of_all_in_one_message(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", group="web")
    await floor.fire("b", "c", group="web", severity=Severity.EMERGENCY)
    await floor.fire("d", group="db")
    assert await floor.told() == [("ops", "alert.firing", "fired")]  # only the one that no route gathers
    await floor.tick(29)
    assert len(await floor.told()) == 1
    await floor.tick(1)
    assert (await floor.told())[1:] == [("ops", "alerts.firing", "first")]
    _, group = await floor.deliver()
    assert group["data"]["title"] == "3 alerts: group web"
    titles = [each["title"] for each in group["data"]["alerts"]]
    assert titles == ["b is failing", "c is failing", "a is failing"]
    assert (group["data"]["severity"], group["data"]["firing"], group["data"]["more"]) == ("emergency", 3, 0)


async def test_a_group_of_one_reads_like_the_alert_alone(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", group="web")
    await floor.tick(30)
    (said,) = await floor.deliver()
    assert (said["data"]["title"], said["data"]["summary"]) == ("a is failing", "no answer")
    assert said["data"]["labels"]["service"] == "a"


async def test_what_was_over_before_the_wait_ended_is_never_told(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", group="web")
    floor.later(10)
    await floor.end("a")
    await floor.tick(600)
    assert await floor.told() == []
    assert await one(floor.database, "SELECT count(*) FROM notice_groups WHERE closed_at IS NULL") == 0


async def test_a_group_tells_what_is_new_what_is_over_and_its_end(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", "b", group="web")
    await floor.tick(30)
    await floor.deliver()
    floor.later(10)
    await floor.fire("c", group="web")
    await floor.tick(200)
    assert len(await floor.told()) == 1  # not before the interval is over
    await floor.tick(100)
    await floor.deliver()
    await floor.end("a")
    await floor.tick(400)
    await floor.deliver()
    await floor.end("b", "c")
    await floor.tick(400)
    (last,) = await floor.deliver()
    reasons = [reason for _, _, reason in await floor.told()]
    assert reasons == ["first", "new_alerts", "some_resolved", "all_resolved"]
    assert (last["type"], last["data"]["state"], last["data"]["resolved"]) == (
        "alerts.resolved",
        "resolved",
        2,
    )
    await floor.tick(400)
    assert await column(floor.database, "SELECT closed_at IS NULL FROM notice_groups") == [False]


async def test_all_messages_of_a_group_share_its_key_and_the_next_outage_has_another(floor: Floor) -> None:
    await floor.routes(GROUPED)
    keys = []
    for _ in range(2):
        await floor.fire("a", group="web")
        await floor.tick(30)
        keys += [said["data"]["uuid"] for said in await floor.deliver()]
        await floor.end("a")
        await floor.tick(400)
        keys += [said["data"]["uuid"] for said in await floor.deliver()]
        await floor.tick(400)
        floor.later(3600)
    assert keys[0] == keys[1] != keys[2] == keys[3]


async def test_an_unsent_message_never_counts_as_told_and_is_replaced_by_one_that_says_all(
    floor: Floor,
) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", group="web")
    await floor.tick(30)
    await floor.fire("b", group="web")
    await floor.tick(300)
    assert await column(floor.database, "SELECT state FROM outbox ORDER BY seq") == ["cancelled", "queued"]
    (said,) = await floor.deliver()
    assert (said["data"]["reason"], said["data"]["firing"]) == ("first", 2)


async def test_a_message_that_was_tried_is_never_taken_back(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", group="web")
    await floor.tick(30)
    async with floor.database.transaction() as connection:
        (leased,) = await outbox.lease(connection, 9, 60.0)
        await book_failure(connection, leased, Failure("500", 0.0), floor.at, lambda _: 0.0)
    await floor.fire("b", group="web")
    await floor.tick(300)
    assert await column(floor.database, "SELECT state FROM outbox ORDER BY seq") == ["queued"]
    assert [said["data"]["firing"] for said in await floor.deliver()] == [1]
    await floor.tick(300)
    assert [said["data"]["firing"] for said in await floor.deliver()] == [2]


async def test_a_group_that_was_over_before_its_message_could_be_sent_is_never_told(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", "b", group="web")
    await floor.tick(30)
    await floor.end("a", "b")
    await floor.tick(300)
    assert await floor.told() == []
    assert await column(floor.database, "SELECT closed_at IS NOT NULL FROM notice_groups") == [True]
    await floor.fire("c", group="web")
    await floor.tick(30)
    assert [said["data"]["title"] for said in await floor.deliver()] == ["c is failing"]


async def test_what_is_over_and_told_to_be_burdens_a_group_no_more(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", "b", group="web")
    await floor.tick(30)
    await floor.deliver()
    await floor.end("b")
    await floor.tick(300)
    assert [said["data"]["resolved"] for said in await floor.deliver()] == [1]
    await floor.fire("c", group="web")
    await floor.tick(300)
    await floor.deliver()
    a, b, c = await floor.ids("a", "b", "c")
    assert await rows(floor.database, "SELECT open, resolved FROM group_messages ORDER BY seq") == [
        ([a, b], []),
        ([a], [b]),
        ([a, c], []),
    ]


async def test_a_reminder_of_a_group_that_was_tried_is_taken_back_when_somebody_takes_care_of_all_of_it(
    floor: Floor,
) -> None:
    await floor.routes({**GROUPED, "repeat_s": 3600.0})
    await floor.fire("a", "b", group="web")
    await floor.tick(30)
    await floor.deliver()
    await floor.tick(3601)
    async with floor.database.transaction() as connection:
        (leased,) = await outbox.lease(connection, 9, 60.0)
        await book_failure(connection, leased, Failure("500", 0.0), floor.at, lambda _: 0.0)
    first, second = await floor.ids("a", "b")
    await acknowledge(floor.database, ANN, [first], "mine", None)
    assert await column(floor.database, "SELECT state FROM outbox ORDER BY seq") == ["delivered", "queued"]
    await acknowledge(floor.database, ANN, [second], "mine too", None)
    assert await column(floor.database, "SELECT state FROM outbox ORDER BY seq") == ["delivered", "cancelled"]
    await floor.tick(300)
    assert [said["data"]["reason"] for said in await floor.deliver()] == ["acknowledged"]


async def test_that_an_acknowledgement_ends_is_said_where_groups_are_told_too(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", "b", group="web")
    await floor.tick(30)
    await floor.deliver()
    await acknowledge(floor.database, ANN, await floor.ids("a", "b"), "on it", timedelta(hours=4))
    await floor.tick(300)
    await floor.deliver()
    await floor.tick(4 * 3600 - 900)
    assert [said["data"]["reason"] for said in await floor.deliver()] == ["ack_warned", "ack_warned"]
    await floor.tick(900)
    assert [said["data"]["reason"] for said in await floor.deliver()] == ["ack_ended"]


async def test_a_message_that_is_given_up_is_said_again(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", group="web")
    await floor.tick(30)
    async with floor.database.transaction() as connection:
        (leased,) = await outbox.lease(connection, 9, 60.0)
        await book_failure(connection, leased, Failure("400", None, blames=False), floor.at, lambda _: 0.0)
    await floor.tick(300)
    await floor.fire("b", group="web")
    await floor.tick(300)
    assert [reason for _, _, reason in await floor.told()] == ["first", "first"]


async def test_a_group_of_which_somebody_takes_care_is_told_once_and_never_reminded_of(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", "b", group="web")
    await floor.tick(30)
    await floor.deliver()
    ids = await floor.ids("a", "b")
    await acknowledge(floor.database, ANN, ids[:1], "mine", None)
    await floor.tick(400)
    assert len(await floor.told()) == 1
    await acknowledge(floor.database, ANN, ids[1:], "mine too", None)
    await floor.tick(400)
    (said,) = await floor.deliver()
    assert (said["type"], said["data"]["reason"]) == ("alerts.acknowledged", "acknowledged")
    await floor.tick(20 * 3600)
    assert await floor.deliver() == []


async def test_what_nobody_takes_care_of_is_said_again_alone_and_in_a_group(floor: Floor) -> None:
    await floor.routes({**GROUPED, "repeat_s": 3600.0}, {"repeat_s": 7200.0})
    await floor.fire("a", group="web")
    await floor.fire("b")
    await floor.tick(30)
    await floor.deliver()
    await floor.tick(3601)
    assert [said["data"]["title"] for said in await floor.deliver()] == ["a is failing"]
    await floor.tick(3601)
    assert sorted(said["data"]["title"] for said in await floor.deliver()) == ["a is failing", "b is failing"]
    assert [reason for _, kind, reason in await floor.told() if kind == "alert.firing"] == [
        "fired",
        "reminded",
    ]


@pytest.mark.parametrize("count", [1, 10_000])
async def test_a_storm_is_told_by_a_few_messages_and_one_about_all_the_rest(floor: Floor, count: int) -> None:
    names = [f"s{n:05}" for n in range(STORM + count)]
    await floor.fire(*names)
    assert len(await floor.told()) == STORM
    await floor.tick(10)
    said = await floor.deliver()
    (rest,) = [each for each in said if each["type"] == "alerts.firing"]
    assert len(said) == STORM + 1
    assert (rest["data"]["firing"], len(rest["data"]["alerts"])) == (count, 20 if count > 1 else 0)
    assert len(json.dumps(rest)) < 20_000
    await floor.fire("worst", severity=Severity.EMERGENCY)
    assert [each["data"]["title"] for each in await floor.deliver()] == ["worst is failing"]
    floor.later(100)
    await floor.end("worst", *names)
    await floor.tick(100)
    said = await floor.deliver()
    assert len(said) == STORM + 2
    assert {each["type"] for each in said} == {"alert.resolved", "alerts.resolved"}


async def test_a_rule_that_wants_a_pause_counts_what_it_keeps_back(floor: Floor) -> None:
    await floor.fire("a", rule="patient")
    for _ in range(2):
        floor.later(20)
        await floor.end("a")
        await floor.again("a")
    assert [reason for _, _, reason in await floor.told()] == ["fired", "resolved"]
    await floor.tick(200)
    assert len(await floor.told()) == 2
    await floor.tick(100)
    (last,) = [said for said in await floor.deliver() if said["data"]["reason"] == "reminded"]
    assert last["type"] == "alert.firing"
    assert last["data"]["note"] == "It fired 2 times without a message, because its rule wants a pause."


async def test_a_pause_counts_from_the_last_problem_and_no_reminder_of_it(floor: Floor) -> None:
    await floor.routes({"repeat_s": 3600.0})
    await floor.fire("a", rule="patient")
    await floor.tick(3601)
    await floor.end("a")
    floor.later(20)
    await floor.fire("a", rule="patient")
    assert [reason for _, _, reason in await floor.told()] == ["fired", "reminded", "resolved", "fired"]


async def test_a_pause_holds_for_what_was_told_in_a_group_too(floor: Floor) -> None:
    await floor.routes(GROUPED)
    await floor.fire("a", rule="patient", group="web")
    await floor.tick(30)
    await floor.deliver()
    await floor.end("a")
    await floor.tick(100)
    await floor.fire("a", rule="patient", group="web")
    assert await column(floor.database, "SELECT hold_until IS NOT NULL FROM alerts ORDER BY id") == [
        False,
        True,
    ]


async def test_a_pause_keeps_back_neither_the_end_nor_that_it_got_worse(floor: Floor) -> None:
    await floor.fire("a", rule="patient", severity=Severity.WARNING)
    floor.later(10)
    await floor.change(lambda alert: change_severity(alert, Severity.CRITICAL, floor.at), "a")
    floor.later(10)
    await floor.end("a")
    kinds = [kind for _, kind, _ in await floor.told()]
    assert kinds == ["alert.firing", "alert.severity_changed", "alert.resolved"]


async def test_it_is_said_that_an_acknowledgement_ends_and_that_it_ended(floor: Floor) -> None:
    await floor.fire("a")
    await acknowledge(floor.database, ANN, await floor.ids("a"), "on it", timedelta(hours=4))
    await floor.tick(3 * 3600 + 2600)
    assert len(await floor.deliver()) == 2
    await floor.tick(200)
    (warning,) = await floor.deliver()
    assert warning["type"] == "alert.acknowledged"
    assert warning["data"]["note"].startswith("The acknowledgement by ann ends at ")
    await floor.tick(600)
    assert await floor.deliver() == []
    await floor.tick(400)
    (ended,) = await floor.deliver()
    assert (ended["type"], ended["data"]["reason"]) == ("alert.firing", "ack_expired")


async def test_the_end_is_told_to_exactly_those_who_heard_of_it_wherever_routes_lead_by_then(
    floor: Floor,
) -> None:
    await floor.routes({"channels": ["old"]})
    await floor.fire("a")
    await floor.routes({"channels": ["new"]})
    await resolve(floor.database, ANN, await floor.ids("a"), "gone")
    told = [(channel, kind) for channel, kind, _ in await floor.told()]
    assert told == [("old", "alert.firing"), ("old", "alert.resolved")]


async def test_the_history_of_deliveries_is_searched_and_paged_by_key(floor: Floor) -> None:
    await floor.routes(GROUPED, {"storm": 0})
    await floor.fire(*(f"s{n}" for n in range(7)))
    await floor.fire("a", group="web")
    await floor.tick(40)
    await floor.deliver()
    await rows(
        floor.database,
        "UPDATE outbox SET state = 'dead', last_error = 'the receiver answered 400' "
        "WHERE alert_id = (SELECT id FROM alerts WHERE subject = 'thing:s3')",
    )

    async def found(limit: int = 200, before: Any = None, **wanted: Any) -> list[Any]:
        async with floor.database.transaction() as connection:
            return await history(connection, DeliveryFilter(**wanted), before, limit)

    seen, before = [], None
    while page := await found(3, before):
        seen += [row.id for row in page]
        before = (page[-1].created_at, page[-1].id)
    assert len(seen) == len(set(seen)) == 8
    assert [row.title for row in await found(state="dead")] == ["s3 is failing"]
    assert [row.title for row in await found(text="ANSWERED 400")] == ["s3 is failing"]
    assert [row.title for row in await found(kind="alerts.firing")] == ["1 alert"]
    (group,) = await found(alert_id=(await floor.ids("a"))[0])
    assert (group.kind, group.reason) == ("alerts.firing", "first")
    assert await found(channel="nobody") == await found(since=floor.at + HOUR) == []


async def test_a_wait_during_which_nobody_looked_ends_with_the_next_look_that_finds_it_true(
    database: Database,
) -> None:
    await make_rules(database)
    services = await make_services(database, "shop")
    moment = await now(database)
    await make_alerts(database, *services.values(), for_s=600)
    last, back = moment - timedelta(minutes=20), moment + timedelta(minutes=15)
    await rows(database, "UPDATE service_state SET last_started = %(at)s, last_ended = %(at)s", at=last)
    assert await age_alerts(database, back) == 0
    await rows(database, "UPDATE service_state SET last_started = %(at)s, last_ended = %(at)s", at=back)
    async with database.transaction() as connection:
        await wait_longer(connection, [Unseen(services["shop"].id, last, back, found=True)])
    assert await age_alerts(database, back + timedelta(seconds=1)) == 1
    assert await column(database, "SELECT state FROM alerts") == ["firing"]


async def test_an_acknowledgement_takes_back_reminders_that_nobody_got(floor: Floor) -> None:
    await floor.routes({"repeat_s": 3600.0})
    await floor.fire("a")
    await floor.deliver()
    await floor.tick(3601)
    await acknowledge(floor.database, ANN, await floor.ids("a"), "on it", None)
    assert [said["type"] for said in await floor.deliver()] == ["alert.acknowledged"]


async def test_what_was_told_before_a_silence_is_said_again_after_it(floor: Floor) -> None:
    await floor.routes({"repeat_s": 3600.0})
    await floor.fire("a")
    await floor.deliver()
    await floor.change(lambda alert: suppress(alert, [Suppression.MAINTENANCE], floor.at), "a")
    await floor.tick(7200)
    assert await floor.deliver() == []
    await floor.change(lambda alert: suppress(alert, [], floor.at), "a")
    assert await floor.deliver() == []
    await floor.tick(3601)
    assert [said["data"]["reason"] for said in await floor.deliver()] == ["reminded"]


async def test_what_became_worse_in_silence_is_told_when_that_ends(floor: Floor) -> None:
    await floor.fire("a")
    await floor.deliver()
    await floor.change(lambda alert: suppress(alert, [Suppression.SILENCE], floor.at), "a")
    await floor.change(lambda alert: change_severity(alert, Severity.EMERGENCY, floor.at), "a")
    assert await floor.deliver() == []
    await floor.change(lambda alert: suppress(alert, [], floor.at), "a")
    assert [(said["type"], said["data"]["severity"]) for said in await floor.deliver()] == [
        ("alert.firing", "emergency")
    ]


async def test_what_is_nobodys_any_more_after_a_window_is_told(floor: Floor) -> None:
    await floor.fire("a")
    await acknowledge(floor.database, ANN, await floor.ids("a"), "on it", timedelta(hours=1))
    await floor.deliver()
    await floor.change(lambda alert: suppress(alert, [Suppression.MAINTENANCE], floor.at), "a")
    await floor.tick(3601)
    assert await floor.deliver() == []
    await floor.change(lambda alert: suppress(alert, [], floor.at), "a")
    assert [said["type"] for said in await floor.deliver()] == ["alert.firing"]
