"""A value that a real engine measured fires a rule, is told, survives a restart of the engine, and is resolved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.engines import Stage, channel, configuration, plan, running, service
from support.sql import column, rows
from support.waiting import until
from watchfloor.config.model import RuleConfig
from watchfloor.domain.conditions import Condition
from watchfloor.domain.judging import Operator, Threshold
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.unknown import ANY, Unknown
from watchfloor.engine import evaluator
from watchfloor.store.database import Database

pytestmark = pytest.mark.usefixtures("brisk")


def measured(cpu: float) -> Outcome:
    return Outcome(Status.OK, "here", 0.01, metrics={"cpu": cpu})


async def states(database: Database) -> list[str]:
    return await column(database, "SELECT state FROM alerts ORDER BY id")


async def test_a_measured_value_fires_is_told_and_is_resolved_across_a_restart(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluator, "EVERY_S", 0.1)
    threshold = Threshold(Operator.GT, (90.0,), (80.0,), for_s=0.3)
    condition = Condition(Metric("cpu"), threshold, every_s=0.1)
    busy = RuleConfig(
        "busy",
        (),
        (),
        frozenset(),
        frozenset(),
        frozenset(),
        0.3,
        None,
        ("ops",),
        True,
        1,
        condition=condition,
    )
    config = configuration(service("host"), rules=[busy], channels=[channel()])
    stage = Stage(finds={"host": measured(95.0)})
    async with running(plan(dsn, stage, config)):
        await until(lambda: _is(database, ["firing"]))
        await until(lambda: len(stage.sent) == 1)
    stage.finds["host"] = measured(85.0)  # below fire, not yet at clear
    async with running(plan(dsn, stage, config)):
        before = stage.count("host")
        await until(lambda: stage.count("host") > before + 5)
        assert await states(database) == ["firing"]
        stage.finds["host"] = measured(80.0)
        await until(lambda: _is(database, ["resolved"]))
        await until(lambda: len(stage.sent) == 2)


async def test_a_check_that_finds_nothing_out_is_told_with_what_it_says_until_one_finds_something(
    database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluator, "EVERY_S", 0.1)
    condition = Condition(Unknown(), replace(ANY, for_s=0.3), every_s=0.1)
    blind = RuleConfig(
        "blind", (), (), frozenset(), frozenset(), frozenset(), 0.3, None, ("ops",), True, 1, condition=condition
    )  # fmt: skip
    config = configuration(service("raid"), service("shop"), rules=[blind], channels=[channel()])
    stage = Stage(finds={"raid": Outcome(Status.UNKNOWN, "cannot start check_raid: permission denied")})
    async with running(plan(dsn, stage, config)):
        await until(lambda: _is(database, ["firing"]))
        await until(lambda: len(stage.sent) == 1)
    said = "SELECT title, summary, service_id IS NOT NULL FROM alerts"
    ((title, summary, named),) = await rows(database, said)
    assert (title, named) == ("raid: its checks find nothing out", True)
    assert summary.endswith("; the last one said: cannot start check_raid: permission denied")
    async with running(plan(dsn, stage, config)):
        before = stage.count("raid")
        await until(lambda: stage.count("raid") > before + 3)
        assert await states(database) == ["firing"]
        stage.finds["raid"] = Outcome(Status.FAILING, "a disk is gone")
        await until(lambda: _is_resolved(database, title))


async def _is_resolved(database: Database, title: str) -> bool:
    return await column(database, "SELECT state FROM alerts WHERE title = %(t)s", t=title) == ["resolved"]


async def _is(database: Database, wanted: list[str]) -> bool:
    return await states(database) == wanted


async def test_rules_of_the_product_are_there_unless_the_file_has_one_of_the_same_name(
    database: Database, dsn: str
) -> None:
    own = RuleConfig("slow queries", (), (), frozenset(), frozenset(), frozenset(), 0.0, None, (), True, 1)
    config = replace(
        configuration(rules=[own], channels=[channel()]), default_rules=frozenset({"cache hit rate"})
    )
    async with running(plan(dsn, Stage(), config)):
        await until(lambda: _evaluated(database, "cache hit rate"))
    assert await _of_the_product(database) == [
        ("cache hit rate", "system", True, ["ops"]),
        ("slow queries", "file", True, []),
    ]
    none = replace(config, rules=(), default_rules=frozenset())
    off = [("cache hit rate", "system", False, ["ops"]), ("slow queries", "system", False, ["ops"])]
    async with running(plan(dsn, Stage(), none)):
        await until(lambda: _are(database, off))


async def _of_the_product(database: Database) -> list[object]:
    said = "SELECT name, owner, enabled, channels FROM rules WHERE name = ANY(%(names)s) ORDER BY name"
    return await rows(database, said, names=["cache hit rate", "slow queries"])


async def _are(database: Database, wanted: list[object]) -> bool:
    return await _of_the_product(database) == wanted


async def _evaluated(database: Database, name: str) -> bool:
    found = "SELECT r.name FROM rule_health h JOIN rules r ON r.id = h.rule_id WHERE h.error = ''"
    return name in await column(database, found)
