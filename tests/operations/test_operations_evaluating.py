"""From measured values to alerts: raised when the rule fires, resolved at the clear value, clocks kept in between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from support.make import at, definition, make_days, make_rules, make_services, rule, state_row
from support.rules import measure
from support.sql import column, one, rows
from watchfloor.channels.words import Speaking, spoken
from watchfloor.domain.conditions import Condition
from watchfloor.domain.judging import NoData, Operator, Threshold
from watchfloor.domain.notice import read
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.settings import SETTINGS
from watchfloor.domain.severity import Severity
from watchfloor.operations import evaluating
from watchfloor.operations.evaluating import evaluate_due
from watchfloor.operations.retiring import end_services
from watchfloor.store.database import Connection, Database
from watchfloor.store.evaluations import rule_health, take_turn
from watchfloor.store.results import save_facts, save_states
from watchfloor.store.rules import RuleDefinition, load_rules
from watchfloor.store.services import Service

SETTINGS_NOW = {setting.key: setting.default for setting in SETTINGS}


def metric_rule(name: str = "busy", **values: Any) -> RuleDefinition:
    """Above 90 for a minute fires, at most 80 clears."""
    selector = values.pop("selector", {"services": ["host*"]})
    wanted: dict[str, Any] = {"operator": Operator.GT, "fire": (90.0,), "clear": (80.0,)}
    for_s = values.pop("for_s", 60)
    asks = Metric(values.pop("metric", "cpu"))
    limit = values.pop("limit", 500)
    own = {key: values.pop(key) for key in list(values) if key in Threshold.__slots__}
    spec = Condition(asks, Threshold(**{**wanted, **own}), limit=limit).spec()
    values.setdefault("channels", ("ops",))
    made = rule(name, for_ms=for_s * 1000, kind="metric", condition=spec, **values)
    return RuleDefinition(**{**{f: getattr(made, f) for f in RuleDefinition.__slots__}, "selector": selector})


@dataclass
class House:
    """Services whose values are measured by hand."""

    database: Database
    services: dict[str, Service]

    async def measure(self, moment: datetime, name: str = "host-1", **metrics: float) -> None:
        async with self.database.transaction() as connection:
            await save_facts(connection, [(self.services[name].id, moment, {}, metrics)])

    async def evaluate(self, moment: datetime) -> bool:
        return (await evaluate_due(self.database, SETTINGS_NOW, moment)).changed

    async def found(self, seconds: float, **metrics: float) -> bool:
        """Measure and evaluate in the same moment."""
        if metrics:
            await self.measure(at(seconds), **metrics)
        return await self.evaluate(at(seconds))

    async def states(self) -> list[str]:
        return await column(self.database, "SELECT state FROM alerts ORDER BY id")

    async def told(self) -> list[str]:
        return await column(self.database, "SELECT kind FROM outbox ORDER BY alert_id, seq")


@pytest.fixture
async def house(database: Database) -> House:
    services = await make_services(database, "host-1", "host-2", definition("shop", kind="http"))
    return House(database, services)


async def test_above_the_threshold_for_a_while_fires_and_below_clear_resolves(house: House) -> None:
    await make_rules(house.database, metric_rule())
    await house.found(0, cpu=95)
    await house.found(50, cpu=95)
    assert await house.states() == []
    await house.found(60, cpu=97.5)
    busy = await one(house.database, "SELECT id FROM rules WHERE name = 'busy'")
    subject = f"rule:{busy}/service:{house.services['host-1'].id}"
    said = "SELECT subject, title, summary, state, severity, active_at FROM alerts"
    assert await rows(house.database, said) == [
        (subject, "host-1: cpu is above 90", "cpu is 97.5", "firing", 1, at(0))
    ]
    await house.found(70, cpu=85)
    assert await house.states() == ["firing"]
    assert await column(house.database, "SELECT summary FROM alerts") == ["cpu is 85"]
    await house.found(80, cpu=80)
    assert await house.states() == ["resolved"]
    assert await house.told() == ["alert.firing", "alert.resolved"]
    kinds = await column(house.database, "SELECT kind FROM alert_events ORDER BY seq")
    assert kinds == ["raised", "fired", "resolved"]


async def test_the_clocks_are_in_the_database(house: House) -> None:
    """Every evaluation reads what the one before stored: a restart is nothing else."""
    await make_rules(house.database, metric_rule(for_s=600))
    await house.found(0, cpu=95)
    await house.found(100, cpu=95)
    await house.found(
        400, cpu=95
    )  # for five minutes nobody looked: they do not count, but what was before does
    assert await column(house.database, "SELECT since FROM rule_standings") == [at(400)]
    await house.found(500, cpu=95)
    assert await column(house.database, "SELECT firing FROM rule_standings") == [False]


async def test_true_again_soon_is_the_same_alert(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0))
    for seconds, cpu in ((0, 95), (10, 70), (20, 95)):
        await house.found(seconds, cpu=cpu)
    assert await house.states() == ["firing"]
    assert await column(house.database, "SELECT reopen_count FROM alerts") == [1]


async def test_a_value_that_is_too_old_is_no_value(house: House) -> None:
    await make_rules(
        house.database, metric_rule("keeps", for_s=0), metric_rule("ends", for_s=0, no_data=NoData.OK)
    )
    await house.found(0, cpu=95)
    assert await house.states() == ["firing", "firing"]
    await house.found(90)
    assert await house.states() == ["firing", "firing"]
    await house.found(100)  # three intervals of 30 s are over
    said = await rows(
        house.database, "SELECT r.name, a.state FROM alerts a JOIN rules r ON r.id = a.rule_id ORDER BY a.id"
    )
    assert said == [("keeps", "firing"), ("ends", "resolved")]


async def test_lack_of_data_can_be_the_problem_even_where_there_never_was_any(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0, no_data=NoData.FIRE))
    await house.found(0, cpu=10)
    assert await column(house.database, "SELECT title FROM alerts") == ["host-2: cpu is above 90"]
    assert await column(house.database, "SELECT summary FROM alerts") == ["no value of cpu"]


async def test_a_paused_service_keeps_its_alert(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0, no_data=NoData.OK))
    await house.found(0, cpu=95)
    async with house.database.transaction() as connection:
        await connection.execute("UPDATE services SET paused = true")
    await house.found(10, cpu=10)
    assert await house.states() == ["firing"]


async def test_the_latency_of_every_service_is_a_metric_in_milliseconds(house: House) -> None:
    slow = metric_rule(selector={"kinds": ["http"]}, metric="latency", fire=(200.0,), clear=(200.0,), for_s=0)
    await make_rules(house.database, slow)
    async with house.database.transaction() as connection:
        await save_states(connection, [state_row(house.services["shop"].id, at(0), latency_us=250_000)])
    await house.found(1)
    assert await column(house.database, "SELECT summary FROM alerts") == ["latency is 250"]


@pytest.mark.parametrize("gone", ["rule", "service", "selected"])
async def test_what_is_no_longer_evaluated_is_over(house: House, gone: str) -> None:
    await make_rules(house.database, metric_rule(for_s=0))
    await house.found(0, cpu=95)
    if gone == "rule":
        await make_rules(house.database)
    elif gone == "selected":
        await make_rules(house.database, metric_rule(for_s=0, selector={"services": ["shop"]}))
    else:
        async with house.database.transaction() as connection:
            await end_services(connection, [house.services["host-1"].id], at(5))
        await make_services(house.database, "host-2")
    await house.found(10)
    assert await house.states() == ["resolved"]
    assert await one(house.database, "SELECT count(*) FROM rule_standings WHERE firing") == 0


async def test_one_node_evaluates_and_not_twice_in_a_moment(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0))
    await house.found(0, cpu=10)
    await house.measure(at(1), cpu=95)
    assert not await house.evaluate(at(1))
    busy = await one(house.database, "SELECT id FROM rules WHERE name = 'busy'")
    async with house.database.transaction() as other:
        assert await take_turn(other, busy)
        assert not await house.evaluate(at(10))
    assert await house.evaluate(at(20))
    assert await house.states() == ["firing"]


async def test_rules_on_states_do_not_see_those_on_metrics(house: House) -> None:
    await make_rules(house.database, metric_rule(), rule("state"))
    async with house.database.transaction() as connection:
        names = [each.name for each in await load_rules(connection)]
    assert names == ["state", "service is not ok"]


async def test_a_value_that_is_critical_raises_the_severity_and_never_lowers_that_of_the_rule(
    house: House,
) -> None:
    emergency = metric_rule("worst", for_s=0, critical=(98.0,), severity=3)
    await make_rules(house.database, metric_rule(for_s=0, critical=(98.0,)), emergency)
    await house.found(0, cpu=95)
    severities = "SELECT severity FROM alerts ORDER BY rule_id"
    assert await column(house.database, severities) == [1, 3]
    await house.found(10, cpu=99)
    assert await column(house.database, severities) == [2, 3]


async def test_a_value_that_wavers_about_critical_or_is_missing_does_not_raise_the_severity_again(
    house: House,
) -> None:
    await make_rules(house.database, metric_rule(for_s=0, critical=(98.0,), severity=1))
    for moment, cpu in enumerate((99.0, 97.0, 99.0)):
        await house.found(10 * moment, cpu=cpu)
    await house.found(3600)  # what was measured is too old, and such a rule keeps what it knew
    await house.found(3610, cpu=88.5)
    changed = "SELECT count(*) FROM alert_events WHERE kind = 'severity_changed'"
    assert await column(house.database, "SELECT severity FROM alerts") == [2]
    assert await one(house.database, changed) == 0
    await house.found(3620, cpu=88)  # as far below critical as clear is below fire
    assert await column(house.database, "SELECT severity FROM alerts") == [1]
    assert await one(house.database, changed) == 1


async def test_a_rule_that_cannot_be_evaluated_says_so_once_and_stops_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = metric_rule("broken", metric="broken", for_s=0)
    await make_rules(house.database, broken, metric_rule("sound", for_s=0))
    await house.found(0, cpu=10, broken=95)
    assert await house.states() == ["firing"]
    whole = evaluating.read

    async def read(connection: Connection, asks: Any, *rest: Any) -> Any:
        if asks.metric == "broken":
            await connection.execute("SELECT 1 / 0")
        return await whole(connection, asks, *rest)

    monkeypatch.setattr(evaluating, "read", read)
    await house.found(10, cpu=95, broken=10)
    await house.found(20, cpu=95, broken=10)
    said = await rows(house.database, "SELECT title, state FROM alerts ORDER BY id")
    assert said == [
        ("host-1: broken is above 90", "firing"),
        ("rule broken cannot be evaluated", "firing"),
        ("host-1: cpu is above 90", "firing"),
    ]
    async with house.database.transaction() as connection:
        health, sound = await rule_health(connection, at(20))
    assert health.error == "DivisionByZero: division by zero"
    assert (health.tried_at, health.judged_at, health.error_since) == (at(20), at(0), at(10))
    assert (health.evaluations, health.failures, health.firing) == (3, 2, 1)
    assert (sound.error, sound.evaluations, sound.failures, sound.firing) == ("", 3, 0, 1)
    monkeypatch.setattr(evaluating, "read", whole)
    await house.found(30, cpu=95, broken=10)
    assert await house.states() == ["resolved", "resolved", "firing"]


@pytest.mark.parametrize(("no_data", "after"), [(NoData.KEEP, "firing"), (NoData.OK, "resolved")])
async def test_a_series_of_a_pattern_that_is_gone_has_no_value_and_is_missed_for_a_day(
    house: House, no_data: NoData, after: str
) -> None:
    await make_rules(house.database, metric_rule(metric="lag{*}", for_s=0, no_data=no_data))
    await make_days(house.database)
    await measure(house.database, house.services["host-1"].id, "lag{row=2}", [(at(0), 95.0)])
    await house.found(0, **{"lag{row=1}": 10, "lag{row=2}": 95})
    assert await house.states() == ["firing"]
    await house.found(30, **{"lag{row=1}": 10})
    assert await house.states() == [after]
    for second in range(100, 86_500, 14_400):
        await house.found(second, **{"lag{row=1}": 10})
    assert await house.states() == [after]
    await house.found(86_401, **{"lag{row=1}": 10})
    assert await house.states() == ["resolved"]


async def test_more_than_the_limit_is_one_alert_about_the_rule(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0, limit=1))
    await house.found(0, cpu=95)
    await house.measure(at(10), "host-2", cpu=95)
    await house.found(10, cpu=95)
    said = "SELECT title, state FROM alerts ORDER BY id"
    assert await rows(house.database, said) == [
        ("host-1: cpu is above 90", "firing"),
        ("rule busy fires for too many", "firing"),
    ]
    assert await column(house.database, "SELECT summary FROM alerts WHERE title LIKE 'rule%'") == [
        "2 instances fire, more than 1: no further one is told by itself"
    ]
    await house.measure(at(20), "host-2", cpu=95)
    await house.found(20, cpu=10)  # one is over, so that the other can be told
    assert await rows(house.database, said) == [
        ("host-1: cpu is above 90", "resolved"),
        ("rule busy fires for too many", "resolved"),
        ("host-2: cpu is above 90", "firing"),
    ]


async def test_what_stands_for_all_that_fire_goes_where_they_would_and_is_as_severe(house: House) -> None:
    busy = metric_rule(for_s=0, limit=1, critical=(99.0,), labels={"team": "storage"}, channels=("pager",))
    await make_rules(house.database, busy)
    await house.measure(at(0), "host-2", cpu=95)
    await house.found(0, cpu=95)
    told = "SELECT r.name, a.severity, a.labels ->> 'team' FROM alerts a JOIN rules r ON r.id = a.rule_id"
    assert await rows(house.database, told) == [("busy", Severity.WARNING, "storage")]
    assert await column(house.database, "SELECT channel FROM outbox") == ["pager"]
    await house.measure(at(10), "host-2", cpu=100)
    await house.found(10, cpu=95)
    assert await rows(house.database, told) == [("busy", Severity.CRITICAL, "storage")]
    await house.measure(at(20), "host-2", cpu=95)
    await house.found(20, cpu=95)
    assert await rows(house.database, told) == [("busy", Severity.CRITICAL, "storage")]


async def test_nothing_is_written_about_instances_while_nothing_changes(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0))
    await house.measure(at(0), "host-2", cpu=10)
    await house.found(0, cpu=95)
    version = "SELECT xmin::text FROM rule_standings"
    (before,) = await column(house.database, version)  # what is well has no row
    await house.found(10, cpu=96)
    assert await column(house.database, version) == [before]
    await house.found(20, cpu=10)
    assert await column(house.database, version) == []


async def test_the_end_of_keep_firing_for_survives_without_a_row_for_every_look(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0, keep_firing_s=25.0))
    states = []
    for seconds, cpu in ((0, 95), (10, 95), (20, 10), (30, 10), (40, 10)):
        await house.found(seconds, cpu=cpu)
        states += await house.states()
    assert states == ["firing", "firing", "firing", "firing", "resolved"]
    ((ended, noticed),) = await rows(house.database, "SELECT ended_at, resolved_at FROM alerts")
    assert (ended, noticed) == (at(10), at(40))


async def test_what_is_kept_of_evaluations_is_bounded(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0))
    for hour in range(30):
        await house.found(hour * 3600, cpu=10)
    assert await one(house.database, "SELECT count(*) FROM rule_hours") == 26
    async with house.database.transaction() as connection:
        (health,) = await rule_health(connection, at(29 * 3600))
    assert health.evaluations == 24
    assert health.took_mean_ms is not None
    assert 0 < health.took_mean_ms <= (health.took_most_ms or 0)
    assert [each.hour for each in health.hours] == [at(hour * 3600) for hour in range(6, 30)]
    assert {(each.evaluations, each.failures, each.firing_most) for each in health.hours} == {(1, 0, 0)}
    async with house.database.transaction() as connection:
        assert await rule_health(connection, at(0), "another") == []
    await make_rules(house.database)
    await house.evaluate(at(30 * 3600))
    assert await one(house.database, "SELECT count(*) FROM rule_health") == 0


async def test_trouble_of_a_rule_that_is_gone_is_over(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0, limit=1))
    await house.measure(at(0), "host-2", cpu=95)
    await house.found(0, cpu=95)
    said = "SELECT title, state FROM alerts"
    assert await rows(house.database, said) == [("rule busy fires for too many", "firing")]
    await make_rules(house.database)
    await house.evaluate(at(10))
    assert await rows(house.database, said) == [("rule busy fires for too many", "resolved")]


async def test_the_limit_is_a_setting_where_the_rule_has_none(house: House) -> None:
    await make_rules(house.database, metric_rule(for_s=0, limit=None))
    await house.measure(at(0), "host-2", cpu=95)
    await house.measure(at(0), "host-1", cpu=95)
    await evaluate_due(house.database, {**SETTINGS_NOW, "alerts.rule_limit": 1}, at(0))
    assert await column(house.database, "SELECT title FROM alerts") == ["rule busy fires for too many"]


async def test_people_are_told_where_to_read_what_to_do_by_the_rule_or_else_by_the_service(
    database: Database,
) -> None:
    own, general = "https://wiki.example/cpu", "https://wiki.example/host-1"
    services = await make_services(database, definition("host-1", runbook=general), "host-2")
    house = House(database, services)
    await make_rules(
        database,
        metric_rule(for_s=0, selector={"services": ["host-1"]}),
        metric_rule("hot", for_s=0, labels={"runbook": own}),
    )
    await house.measure(at(0), "host-2", cpu=95)
    await house.found(0, cpu=95)
    notices = [read(bytes(payload)) for payload in await column(database, "SELECT payload FROM outbox")]
    bodies = [spoken(Speaking(), notice).body for notice in notices]
    assert sorted(line for body in bodies for line in body.splitlines() if "runbook" in line) == [
        f"runbook: {own}",
        f"runbook: {own}",
        f"runbook: {general}",
    ]


async def test_alerts_carry_the_labels_of_their_rule(house: House) -> None:
    await make_rules(
        house.database,
        metric_rule(for_s=0, labels={"team": "web", "category": "capacity"}),
        rule("down", labels={"team": "shop"}),
    )
    await house.found(0, cpu=95)
    labels = await column(house.database, "SELECT labels FROM alerts")
    async with house.database.transaction() as connection:
        rules = {each.name: each.labels for each in await load_rules(connection)}
    assert [(each["team"], each["category"], each["service"]) for each in labels] == [
        ("web", "capacity", "host-1")
    ]
    assert rules == {"down": {"team": "shop"}, "service is not ok": {}}


async def test_a_rule_that_takes_too_long_is_given_up_and_the_next_one_is_evaluated(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_rules(house.database, metric_rule("slow", metric="slow", for_s=0), metric_rule(for_s=0))
    await house.measure(at(0), cpu=95, slow=95)
    whole = evaluating.read

    async def read(connection: Connection, asks: Any, *rest: Any) -> Any:
        if asks.metric == "slow":
            monkeypatch.setattr(evaluating, "PATIENCE_S", 30.0)  # for the next one
            await asyncio.Event().wait()
        return await whole(connection, asks, *rest)

    monkeypatch.setattr(evaluating, "read", read)
    monkeypatch.setattr(evaluating, "PATIENCE_S", 0.2)
    await house.evaluate(at(0))
    assert await rows(house.database, "SELECT title, summary FROM alerts ORDER BY id") == [
        ("rule slow cannot be evaluated", "it took more than 30 s"),
        ("host-1: cpu is above 90", "cpu is 95"),
    ]
