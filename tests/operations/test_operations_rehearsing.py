"""Rules tried on stored history: when they would have fired, and that this is what happens when it comes to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from support.make import at, definition, make_days, make_rules, make_services, rule
from support.rules import measure
from support.sql import rows
from watchfloor.domain.conditions import Condition, EvaluatedRule
from watchfloor.domain.judging import NoData, Operator, Threshold
from watchfloor.domain.outcome import Status
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.question import Question
from watchfloor.domain.questions.rate import Rate
from watchfloor.domain.rule_boards import UNHEARD
from watchfloor.domain.rules import Rule
from watchfloor.domain.settings import SETTINGS
from watchfloor.domain.severity import Severity
from watchfloor.operations.evaluating import evaluate_due
from watchfloor.operations.rehearsing import SERVICES, rehearse
from watchfloor.store.database import Database
from watchfloor.store.policy import apply_routing
from watchfloor.store.results import save_facts
from watchfloor.store.rules import RuleDefinition

NOW = {setting.key: setting.default for setting in SETTINGS}


def asking(asks: Question, threshold: Threshold, every_s: float = 10.0) -> EvaluatedRule:
    plain = Rule(0, "tried", frozenset(), services=("host*",), channels=("ops",))
    return EvaluatedRule(plain, Condition(asks, threshold, every_s))


async def spans(database: Database, service: int, *pieces: tuple[float, float | None, str]) -> None:
    async with database.transaction() as connection:
        for began, ended, state in pieces:
            await connection.execute(
                "INSERT INTO state_spans (service_id, began, ended, state) VALUES (%s, %s, %s, %s)",
                (service, at(began), None if ended is None else at(ended), state),
            )


async def test_a_rule_on_states_fires_for_every_stretch_that_lasts(database: Database) -> None:
    host = (await make_services(database, "host-1", "other"))["host-1"]
    await spans(
        database,
        host.id,
        (-100, 100, "up"),
        (100, 150, "down"),
        (150, 200, "up"),
        (200, 250, "degraded"),
        (250, 400, "down"),
        (400, 900, "planned"),
        (900, None, "down"),
    )
    both = frozenset({Status.FAILING, Status.DEGRADED})
    tried = Rule(0, "tried", both, services=("host*",), for_s=60.0)
    found = await rehearse(database, tried, at(0), at(1000))
    assert [(each.since, each.fired_at, each.ended_at, each.severity) for each in found.fired] == [
        (at(200), at(260), at(400), Severity.CRITICAL),
        (at(900), at(960), None, Severity.CRITICAL),
    ]
    assert found.fired[0].title == "host-1 is failing"
    assert (found.instances, found.left_out) == (1, 0)
    shorter = await rehearse(database, tried, at(0), at(959))
    assert len(shorter.fired) == 1


async def test_a_rehearsal_finds_what_the_rule_then_does(database: Database) -> None:
    """The same values, once looked at afterwards and once as they come."""
    host = (await make_services(database, "host-1"))["host-1"]
    await make_days(database)
    threshold = Threshold(Operator.GT, (90.0,), (80.0,), critical=(97.0,), for_s=20, keep_firing_s=15)
    measured = [50, 95, 95, 95, 98, 85, 70, 70, 95, 70, 95, 95, 95, 95, 70, 50, 50, 50]
    values = [(at(10 * n), float(v)) for n, v in enumerate(measured)]
    await measure(database, host.id, "cpu", values)
    tried = asking(Metric("cpu"), threshold)
    found = await rehearse(database, tried, at(0), values[-1][0])
    selector: dict[str, list[str]] = {"services": ["host*"]}
    made = rule("tried", for_ms=20_000, kind="metric", condition=tried.condition.spec())
    made = RuleDefinition(**{**{f: getattr(made, f) for f in RuleDefinition.__slots__}, "selector": selector})
    await make_rules(database, made)
    for moment, value in values:
        async with database.transaction() as connection:
            await save_facts(connection, [(host.id, moment, {}, {"cpu": value})])
        await evaluate_due(database, {**NOW, "alerts.reopen_window": 0.0}, moment)
    happened = await rows(
        database, "SELECT active_at, fired_at, resolved_at, title, severity FROM alerts ORDER BY id"
    )
    assert [
        (each.since, each.fired_at, each.ended_at, each.title, int(each.severity)) for each in found.fired
    ] == happened
    assert len(happened) == 2


async def test_values_are_told_apart_by_service_and_silence_is_no_data(database: Database) -> None:
    services = await make_services(database, "host-1", "host-2", "host-3")
    await make_days(database)
    await measure(database, services["host-1"].id, "cpu", [(at(0), 95.0), (at(300), 95.0)])
    await measure(database, services["host-2"].id, "cpu", [(at(10 * n), 10.0) for n in range(40)])
    ends = Threshold(Operator.GT, (90.0,), (90.0,), no_data=NoData.OK)
    found = await rehearse(database, asking(Metric("cpu"), ends), at(0), at(350))
    assert [(each.instance.name, each.fired_at, each.ended_at) for each in found.fired] == [
        ("host-1", at(0), at(100)),  # three intervals of 30 s later there is no value any more
        ("host-1", at(300), None),
    ]
    assert found.instances == 2


async def test_a_rate_is_looked_at_over_its_window(database: Database) -> None:
    host = (await make_services(database, "host-1"))["host-1"]
    await make_days(database)
    grows = [(at(10 * n), float(max(0, n - 30) * 100)) for n in range(61)]
    await measure(database, host.id, "sent", grows)
    fast = Threshold(Operator.GTE, (5.0,), (5.0,))
    found = await rehearse(database, asking(Rate("sent", 100.0), fast), at(0), at(600))
    (fired,) = found.fired
    assert (fired.fired_at, fired.ended_at) == (at(350), None)  # half of the window grew by 10 a second
    assert fired.summary == "sent changed by 5 per second in the last 1m40s"


async def test_long_stretches_are_looked_at_in_steps_and_that_is_said(database: Database) -> None:
    await make_services(database, "host-1")
    asked = asking(Metric("cpu"), Threshold(Operator.GT, (90.0,), (90.0,)))
    found = await rehearse(database, asked, at(-7 * 86_400), at(0))
    assert found.step == timedelta(seconds=303)
    assert found.notes == (
        "What it looks at had no value in this time.",
        "Looked at every 5m3s instead of every 10s: what was over sooner is not seen.",
    )
    assert (found.fired, found.instances) == ((), 0)


async def test_it_looks_at_so_many_services_and_says_how_many_are_left_out(database: Database) -> None:
    await make_services(database, *(definition(f"host-{n}") for n in range(SERVICES + 3)))
    asked = asking(Metric("cpu"), Threshold(Operator.GT, (90.0,), (90.0,)))
    assert (await rehearse(database, asked, at(0), at(60))).left_out == 3


async def test_a_rehearsal_ends_after_it_begins(database: Database) -> None:
    with pytest.raises(ValueError, match="must end after it begins"):
        await rehearse(database, Rule(0, "tried", frozenset()), at(0), at(0))


async def test_a_rule_of_which_nobody_would_ever_hear_says_so_before_it_is_needed(database: Database) -> None:
    await make_services(database, "host-1")
    asked = asking(Metric("cpu"), Threshold(Operator.GT, (90.0,), (90.0,)))
    mute = replace(asked, rule=replace(asked.rule, channels=()))
    on_states = Rule(0, "tried", frozenset({Status.FAILING}))
    for tried in (mute, on_states):
        assert f"It tells {UNHEARD}." in (await rehearse(database, tried, at(0), at(60))).notes
    async with database.transaction() as connection:
        await apply_routing(connection, [{"match": ["service=x"], "channels": ["ops"]}], [])
    for tried in (mute, on_states):
        assert f"It tells {UNHEARD}." not in (await rehearse(database, tried, at(0), at(60))).notes


async def test_a_rule_that_finds_nothing_says_why(database: Database) -> None:
    host = (await make_services(database, "host-1"))["host-1"]
    await make_days(database)
    await measure(database, host.id, "cpu_percent", [(at(0), 10.0)])
    high = Threshold(Operator.GT, (90.0,), (90.0,))
    nothing = EvaluatedRule(
        Rule(0, "tried", frozenset(), services=("x*",), channels=("ops",)), Condition(Metric("cpu"), high)
    )
    for tried, words in (
        (nothing, "It selects no service."),
        (
            asking(Metric("cpu_precent"), high),
            'No check has ever reported cpu_precent. Did you mean "cpu_percent"?',
        ),
    ):
        assert (await rehearse(database, tried, at(0), at(60))).notes == (words,)
    assert (await rehearse(database, asking(Metric("cpu_percent"), high), at(0), at(60))).notes == ()
