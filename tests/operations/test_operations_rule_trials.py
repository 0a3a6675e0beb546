"""A test of a rule goes where its alerts would go: by routes that match what they carry, and to the first people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from support.make import definition, make_rules, make_services, now, rule
from support.rules import make_job
from support.sql import column, rows
from watchfloor.config.oncall import EscalationKeys, PersonKeys
from watchfloor.domain.conditions import Condition
from watchfloor.domain.judging import Operator, Threshold
from watchfloor.domain.questions.jobs import Jobs
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.question import Question
from watchfloor.domain.rules import BUILT_IN
from watchfloor.domain.told import Told
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.rule_trials import fire_test
from watchfloor.store.database import Database
from watchfloor.store.duty import apply_oncall
from watchfloor.store.policy import apply_routing
from watchfloor.store.rules import ChannelDefinition, RuleDefinition, apply_channels

ANN = Actor("ann")
CHANNELS = ("chat", "pager", "web", "phone")
KIM = {"name": "kim", "channels": [{"channel": "phone"}]}


async def channels(database: Database, *off: str) -> None:
    async with database.transaction() as connection:
        made = [ChannelDefinition(name, "webhook", {}, name not in off, "") for name in CHANNELS]
        await apply_channels(connection, made)


async def routes(database: Database, *specs: Mapping[str, Any]) -> None:
    async with database.transaction() as connection:
        await apply_routing(connection, specs, ())


async def chain(
    database: Database, *steps: Mapping[str, Any], person: Mapping[str, Any] = KIM, **keys: Any
) -> None:
    spec = {
        "people": [PersonKeys.model_validate(person).spec()],
        "escalations": [EscalationKeys.model_validate({"name": "nights", "steps": steps, **keys}).spec()],
    }
    async with database.transaction() as connection:
        await apply_oncall(connection, spec)


def asking(name: str, asks: Question, *critical: float, **values: Any) -> RuleDefinition:
    threshold = Threshold(Operator.GT, (90.0,), (90.0,), critical)
    spec = Condition(asks, threshold).spec()
    made = rule(name, kind=asks.kind, condition=spec, **values)
    return RuleDefinition(
        **{
            **{each: getattr(made, each) for each in RuleDefinition.__slots__},
            "selector": {"services": ["shop*"]},
        }
    )


async def labels(database: Database) -> dict[str, str]:
    """What the messages that wait carry: all the same."""
    found = [json.loads(bytes(each)) for each in await column(database, "SELECT payload FROM outbox")]
    assert {each["type"] for each in found} == {"channel.test"}
    carried: dict[str, str] = found[0]["data"]["labels"]
    assert all(each["data"]["labels"] == carried for each in found)
    return {name: value for name, value in carried.items() if name != "since"}


async def test_routes_by_group_and_category_take_a_test_as_they_take_an_alert(database: Database) -> None:
    await channels(database)
    await make_services(database, definition("mail", group_name="mail"), definition("shop", group_name="web"))
    await make_rules(
        database,
        rule(
            "shop is down",
            selector={"services": ["sh*"]},
            channels=("chat",),
            labels={"category": "sales", "team": "till"},
        ),
    )
    await routes(
        database,
        {"match": ["group=web"], "channels": ["web"], "continue": True},
        {"match": ["category=sales", "team=till"], "channels": ["pager"]},
    )
    assert await fire_test(database, ANN, "shop is down") == Told(("pager", "web"), (), "shop")
    assert await labels(database) == {
        "service": "shop", "kind": "fake", "group": "web", "category": "sales", "team": "till", "rule": "shop is down",
    }  # fmt: skip


async def test_a_rule_that_covers_nothing_is_tested_with_what_it_sets_itself(database: Database) -> None:
    await channels(database)
    await make_rules(database, rule("later", selector={"services": ["new*"]}, labels={"category": "sales"}))
    await routes(database, {"match": ["category=sales", "service=test"], "channels": ["web"]})
    assert await fire_test(database, ANN, "later") == Told(("web",))


async def test_a_rule_is_tested_on_a_service_that_no_rule_before_it_takes(database: Database) -> None:
    await channels(database)
    await make_services(
        database,
        definition("a", group_name="web"),
        definition("b", paused=True),
        definition("c", group_name="mail"),
    )
    await make_rules(database, rule("web", selector={"groups": ["web"]}), channels=["chat"])
    await routes(database, {"match": ["group=mail"], "channels": ["pager"]})
    assert await fire_test(database, ANN, BUILT_IN) == Told(("pager",), (), "c")


@pytest.mark.parametrize(
    ("made", "severity"),
    [
        (rule("tried", selector={"statuses": ["degraded"]}), "warning"),
        (rule("tried"), "critical"),
        (asking("tried", Metric("cpu")), "warning"),
        (asking("tried", Metric("cpu"), 95.0), "critical"),
        (asking("tried", Metric("cpu"), 95.0, severity=3), "emergency"),
    ],
)
async def test_routes_by_severity_see_the_worst_that_an_alert_of_the_rule_has(
    database: Database, made: RuleDefinition, severity: str
) -> None:
    await channels(database)
    await make_services(database, "shop")
    await make_rules(database, made)
    await routes(
        database,
        {"match": [f"severity={severity}"], "channels": ["web"]},
        {"channels": ["chat"]},
    )
    assert (await fire_test(database, ANN, "tried")).told == ("web",)


@pytest.mark.parametrize(
    ("asks", "about", "also"),
    [
        (Metric("cpu"), "shop-2", {"service": "shop-2", "kind": "fake", "group": "web", "metric": "cpu"}),
        (
            Metric("cpu_*"),
            "shop-2",
            {"service": "shop-2", "kind": "fake", "group": "web", "metric": "cpu_user"},
        ),
        (Metric("nothing*"), "shop-1", {"service": "shop-1", "kind": "fake", "group": "web"}),
        (Jobs("failures", ("night*",)), "nightly", {"job": "nightly", "queue": "default"}),
        (Jobs("failures", ("none",)), "", {"job": "test"}),
    ],
)
async def test_a_rule_that_is_evaluated_is_tested_on_an_instance_of_it(
    database: Database, asks: Question, about: str, also: Mapping[str, str]
) -> None:
    await channels(database)
    made = await make_services(
        database, definition("shop-1", group_name="web"), definition("shop-2", group_name="web")
    )
    await make_job(database, "nightly")
    await rows(
        database,
        "INSERT INTO service_facts (service_id, at, facts, metrics) VALUES "
        "(%(id)s, clock_timestamp(), '{}', '{\"cpu\": 5, \"cpu_user\": 3}')",
        id=made["shop-2"].id,
    )
    await make_rules(database, asking("busy", asks, channels=("chat",)))
    assert await fire_test(database, ANN, "busy") == Told(("chat",), (), about)
    assert await labels(database) == {"rule": "busy", **also}


async def test_a_rule_that_cannot_be_evaluated_is_tested_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(connection: Any, *_: Any) -> Sequence[Any]:
        await connection.execute("SELECT 1 / 0")
        return ()

    monkeypatch.setattr("watchfloor.operations.sampling.read", read)
    await channels(database)
    await make_services(database, "shop")
    await make_rules(database, asking("busy", Metric("cpu"), channels=("chat",)))
    assert await fire_test(database, ANN, "busy") == Told(("chat",), (), "shop")


async def test_whom_the_chain_tells_first_is_told_of_a_test_without_waiting(database: Database) -> None:
    await channels(database)
    await make_rules(database, rule("down", channels=("chat",)))
    await chain(
        database,
        {"after": "5m", "tell": [{"person": "kim"}, {"channel": "chat"}]},
        {"after": "5m", "tell": [{"channel": "pager"}]},
        match=["rule=down"],
    )
    assert (await fire_test(database, ANN, "down")).told == ("chat", "kim on phone")
    said = "SELECT channel, kind, person, alert_id, held_until FROM outbox ORDER BY channel"
    assert [tuple(each) for each in await rows(database, said)] == [
        ("chat", "channel.test", "", None, None),
        ("phone", "channel.test", "kim", None, None),
    ]


async def test_a_step_that_finds_nobody_is_passed_over_as_it_would_be(database: Database) -> None:
    await channels(database, "phone")
    await make_rules(database, rule("down", channels=("chat",)))
    await chain(database, {"tell": [{"person": "kim"}]}, {"after": "5m", "tell": [{"channel": "pager"}]})
    assert await fire_test(database, ANN, "down") == Told(("chat", "pager"), ("phone is switched off",))


async def around(database: Database) -> dict[str, str]:
    """Hours in which it is now."""
    moment, hour = await now(database), timedelta(hours=1)
    return {"from": f"{moment - hour:%H:%M}", "to": f"{moment + hour:%H:%M}", "time_zone": "UTC"}


async def test_a_mute_time_is_respected_and_said(database: Database) -> None:
    await channels(database)
    await make_rules(database, rule("down", channels=("chat", "web")))
    await chain(database, {"tell": [{"person": "kim"}]})
    mute = {"channels": ["web"], "mute_times": [await around(database)]}
    await routes(database, {**mute, "continue": True}, {"channels": ["chat"]})
    told = Told(("chat", "kim on phone"), ("web has a mute time now",))
    assert await fire_test(database, ANN, "down") == told
    await routes(database, mute)  # where all routes are mute, chains stand still
    with pytest.raises(Refused, match="would be told on no channel now: web has a mute time now"):
        await fire_test(database, ANN, "down")


async def test_people_in_quiet_hours_are_left_out_and_said(database: Database) -> None:
    await channels(database)
    await make_rules(database, rule("down", channels=("chat",)))
    hours = await around(database)
    quiet = {"from": hours["from"], "to": hours["to"], "below": "emergency"}
    await chain(database, {"tell": [{"person": "kim"}]}, person={**KIM, "quiet_hours": [quiet]})
    assert await fire_test(database, ANN, "down") == Told(("chat",), ("kim has quiet hours",))


async def test_a_rule_that_tells_nobody_is_not_tested(database: Database) -> None:
    await make_rules(database, rule("down"))
    with pytest.raises(Refused, match="would be told on no channel now, for it has none, and no route"):
        await fire_test(database, ANN, "down")
    assert await rows(database, "SELECT 1 FROM outbox") == []
