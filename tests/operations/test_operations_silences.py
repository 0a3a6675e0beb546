"""Silences, inhibition and mute times: who is not told, and what is told afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.floor import HOUR, Floor
from support.make import make_rules, now
from support.sql import column, one, rows
from watchfloor.domain.severity import Severity
from watchfloor.domain.silences import Wish
from watchfloor.operations import settings, silences
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import alert_rooms
from watchfloor.store.database import Database

ANN = Actor("ann")


@pytest.fixture
async def floor(database: Database) -> Floor:
    await make_rules(database)
    return Floor(database, await now(database))


async def test_an_alert_that_is_silenced_is_not_told_and_what_comes_after_says_by_whom(floor: Floor) -> None:
    await settings.change(floor.database, ANN, "alerts.time_zone", "Asia/Kolkata")
    await silences.add(floor.database, ANN, Wish(["service=~a|b"], "deploy", HOUR))
    floor.at = await now(floor.database)
    await floor.fire("a", "b", "c")
    assert [said["data"]["title"] for said in await floor.deliver()] == ["c is failing"]
    reasons = await column(floor.database, "SELECT suppressed FROM alerts ORDER BY id")
    assert reasons == [["silence"], ["silence"], []]
    await floor.end("b")
    await floor.tick(3700)
    (said,) = await floor.deliver()
    assert said["data"]["title"] == "a is failing"
    assert said["data"]["note"].startswith("was silenced by ann until ")
    assert said["data"]["note"].endswith(" IST: deploy")


async def test_a_silence_holds_for_what_is_open_already_and_its_end_repeats_nothing(floor: Floor) -> None:
    await floor.fire("a")
    await floor.deliver()
    made = await silences.add(floor.database, ANN, Wish(["service=a"], "known", None, until_resolved=True))
    assert await column(floor.database, "SELECT suppressed FROM alerts") == [["silence"]]
    assert (await silences.reach(floor.database, ["service=a"])).alerts == 1
    await silences.expire(floor.database, ANN, [made])
    assert await column(floor.database, "SELECT suppressed FROM alerts") == [[]]
    assert await floor.deliver() == []


async def test_alerts_that_nobody_is_told_of_stand_last_and_say_who_wants_that(floor: Floor) -> None:
    await floor.fire("a", severity=Severity.WARNING)
    await floor.fire("b", severity=Severity.CRITICAL)
    (quiet,) = await floor.ids("b")
    wish = Wish(["service=b"], "known", HOUR, until_resolved=True)
    made = await silences.add(floor.database, ANN, wish)
    async with floor.database.transaction() as connection:
        shown = [(row.title, row.quiet) for row in await alert_rooms.active(connection)]
        detail = await alert_rooms.detail(connection, quiet)
    assert shown == [("a is failing", ()), ("b is failing", ("silence",))]
    assert detail is not None
    (by,) = detail.story.silences
    assert (by.id, by.author, by.until_resolved, by.comment) == (made, "ann", True, "known")
    await silences.expire(floor.database, ANN, [made])
    async with floor.database.transaction() as connection:
        detail = await alert_rooms.detail(connection, quiet)
    assert detail is not None
    assert (detail.row.quiet, detail.story.silences) == ((), ())


async def test_a_silence_until_resolved_ends_with_what_it_silenced(floor: Floor) -> None:
    await floor.fire("a", "b")
    await floor.deliver()
    await silences.add(floor.database, ANN, Wish(["service=~a|b"], "known", None, until_resolved=True))
    floor.at = await now(floor.database)
    await floor.end("a")
    await floor.tick(60)
    assert await one(floor.database, "SELECT ends_at FROM silences") is None
    await floor.end("b")
    await floor.tick(60)
    assert await one(floor.database, "SELECT ended_by FROM silences") == "watchfloor"
    assert sorted(said["type"] for said in await floor.deliver()) == ["alert.resolved"] * 2
    floor.later(4000)
    await floor.fire("a")
    assert len(await floor.deliver()) == 1


async def test_a_silence_that_is_changed_ends_and_another_takes_its_place(floor: Floor) -> None:
    first = await silences.add(floor.database, ANN, Wish(["service=a"], "known", HOUR))
    await floor.fire("a", "b")
    second = await silences.change(
        floor.database, Actor("bob"), first, Wish(["service=b"], "the other", HOUR)
    )
    stored = await rows(
        floor.database, "SELECT id, replaces, author, ends_at > now() FROM silences ORDER BY id"
    )
    assert stored == [(first, None, "ann", False), (second, first, "bob", True)]
    actions = await column(
        floor.database, "SELECT action FROM audit WHERE object_kind = 'silence' ORDER BY id"
    )
    assert actions == ["add", "change"]
    with pytest.raises(Refused, match="no silence"):
        await silences.change(floor.database, ANN, first, Wish(["service=b"], "again", HOUR))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish([], "x", HOUR), "needs a matcher"),
        (Wish(["service=a"], " ", HOUR), "needs a comment"),
        (Wish(["service=a"], "x", None), "needs an end"),
        (Wish(["service=~.*"], "x", HOUR), "every alert there is"),
        (Wish(["service=~("], "x", HOUR), "not valid"),
        (Wish(["shop"], "x", HOUR), "label=value"),
        (Wish(["service=a"], "x", timedelta(0)), "longer than nothing"),
        (Wish(["service=a"], "x", timedelta(days=9999)), "at most a year"),
    ],
)
async def test_what_is_no_silence_is_refused_in_words(floor: Floor, wish: Wish, words: str) -> None:
    with pytest.raises(Refused, match=words):
        await silences.add(floor.database, ANN, wish)
    assert await one(floor.database, "SELECT count(*) FROM silences") == 0


async def test_several_silences_are_made_all_or_none(floor: Floor) -> None:
    wishes = [Wish([f"service={name}"], "provider is down", HOUR) for name in "ab"]
    await floor.fire("a", "b")
    with pytest.raises(Refused, match="needs a comment"):
        await silences.add_all(floor.database, ANN, [*wishes, Wish(["service=c"], "", HOUR)])
    with pytest.raises(Refused, match="read-only"):
        await silences.add_all(floor.database, Actor("ann", True), wishes)
    assert await one(floor.database, "SELECT count(*) FROM silences") == 0
    made = await silences.add_all(floor.database, ANN, wishes)
    assert await column(floor.database, "SELECT id FROM silences ORDER BY id") == made
    assert (
        await column(floor.database, "SELECT action FROM audit WHERE object_kind = 'silence'") == ["add"] * 2
    )
    assert await column(floor.database, "SELECT suppressed FROM alerts") == [["silence"]] * 2


async def test_a_silence_begins_neither_in_the_past_nor_for_who_only_looks(floor: Floor) -> None:
    with pytest.raises(Refused, match="in the past"):
        await silences.add(
            floor.database, ANN, Wish(["service=a"], "x", HOUR, starts_at=floor.at - timedelta(hours=2))
        )
    with pytest.raises(Refused, match="read-only"):
        await silences.add(floor.database, Actor("ann", True), Wish(["service=a"], "x", HOUR))
    with pytest.raises(Refused, match="no such silence"):
        await silences.expire(floor.database, ANN, [99])
    assert await silences.add(floor.database, ANN, Wish(["service=~.*"], "fire drill", HOUR, everything=True))


WORSE = {"name": "site", "source": ["service=site"], "target": ["service!=site"], "equal": ["place"]}


async def test_a_worse_alert_keeps_others_quiet_whichever_comes_first_in_a_transaction(floor: Floor) -> None:
    await floor.routes(inhibitions=[WORSE])
    await floor.fire("a", "site", "b", place="berlin")
    await floor.fire("c", place="paris")
    titles = sorted(said["data"]["title"] for said in await floor.deliver())
    assert titles == ["c is failing", "site is failing"]
    await floor.end("a")
    await floor.end("site")
    await floor.tick(60)
    said = sorted((each["type"], each["data"]["title"]) for each in await floor.deliver())
    assert said == [("alert.firing", "b is failing"), ("alert.resolved", "site is failing")]


async def test_a_mute_time_of_every_route_keeps_quiet_until_it_ends(floor: Floor) -> None:
    begin = floor.at.replace(second=0, microsecond=0)
    until = begin + timedelta(minutes=10)
    spec = {"from": f"{begin:%H:%M}", "to": f"{until:%H:%M}", "time_zone": "UTC"}
    await floor.routes({"mute_times": [spec]})
    await floor.fire("a")
    assert await column(floor.database, "SELECT suppressed FROM alerts") == [["mute_time"]]
    assert await floor.deliver() == []
    await floor.tick((until - floor.at).total_seconds())
    assert [said["data"]["title"] for said in await floor.deliver()] == ["a is failing"]


async def test_the_end_of_a_silence_can_be_taken_back(floor: Floor) -> None:
    first = await silences.add(floor.database, ANN, Wish(["service=a"], "known", HOUR))
    ends = await one(floor.database, "SELECT ends_at FROM silences")
    await floor.fire("a")
    with pytest.raises(Refused, match="is in force"):
        await silences.reinstate(floor.database, ANN, first, ends)
    await silences.expire(floor.database, ANN, [first])
    again = await silences.reinstate(floor.database, ANN, first, ends)
    found = await rows(
        floor.database, "SELECT replaces, ends_at, comment FROM silences WHERE id = %(id)s", id=again
    )
    assert found == [(first, ends, "known")]
    assert await column(floor.database, "SELECT suppressed FROM alerts") == [["silence"]]
    await silences.expire(floor.database, ANN, [again])
    with pytest.raises(Refused, match="over by now"):
        await silences.reinstate(floor.database, ANN, again, ends - timedelta(hours=2))
