"""Rules that are defined in the console: by the rules of the file, on a version, audited, in force at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.make import make_days, make_rules, make_services, now, rule, state_row
from support.sql import column, one, rows
from watchfloor.config.kinds import probe_kinds
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.domain.rules import BUILT_IN
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import Invalid, Overtaken
from watchfloor.operations.judge import Judge
from watchfloor.operations.raising import raise_and_resolve
from watchfloor.operations.rule_edits import _Standing, delete_rule, save_rule, set_rule_enabled
from watchfloor.store import results, settings
from watchfloor.store.database import Database
from watchfloor.store.evaluations import load_evaluated, watched
from watchfloor.store.rules import ChannelDefinition, apply_channels, load_rules
from watchfloor.store.written import Written, find_written

ANN, KIM = Actor("ann"), Actor("kim")
JUDGE = Judge(probe_kinds().models, {}, Path("/nowhere"))
DOWN: Mapping[str, Any] = {"name": "shop is down", "when": {"services": ["shop*"]}, "severity": "critical"}
SLOW: Mapping[str, Any] = {"name": "slow", "kind": "metric", "metric": "latency", "fire": 500, "for": "5m"}


async def held(database: Database, name: str) -> Written:
    async with database.transaction() as connection:
        found = await find_written(connection, "rules", name)
    assert found is not None
    return found


async def fail(database: Database, *names: str) -> None:
    """Services fail for good, and rules say what they say about that."""
    moment = await now(database)
    async with database.transaction() as connection:
        known = [each for each in await watched(connection) if each.subject.name in names]
        failing = CheckState(Status.FAILING, Status.FAILING, since=moment)
        await results.save_states(
            connection, [replace(state_row(each.id, moment), state=failing) for each in known]
        )
        standing = [_Standing(each.id, each.subject, Status.FAILING, moment, "no answer") for each in known]
        in_force = await load_rules(connection)
        await raise_and_resolve(connection, standing, {}, in_force, await settings.values(connection), moment)


async def alerts(database: Database) -> list[tuple[str, str, str]]:
    found = await rows(
        database,
        "SELECT s.name AS service, r.name AS rule, a.state FROM alerts a JOIN rules r ON r.id = a.rule_id "
        "JOIN services s ON s.id = a.service_id ORDER BY a.id",
    )
    return [tuple(row) for row in found]


async def test_a_new_rule_is_the_consoles_and_is_asked_before_the_built_in_one(database: Database) -> None:
    await make_rules(database, rule("of the file"))
    assert await save_rule(database, ANN, JUDGE, {**DOWN, "when": {"groups": ["shop"]}}) == "shop is down"
    found = await held(database, "shop is down")
    assert (found.owner, found.changed_by, found.version) == ("console", "ann", 1)
    async with database.transaction() as connection:
        asked = [each.name for each in await load_rules(connection)]
    assert asked == ["of the file", "shop is down", BUILT_IN]


async def test_a_change_is_audited_with_before_and_after_and_keeps_its_id(database: Database) -> None:
    await make_rules(database)
    await save_rule(database, ANN, JUDGE, SLOW)
    after = {**SLOW, "name": "very slow", "fire": 900}
    await save_rule(database, KIM, JUDGE, after, "slow", 1)
    found = await rows(database, "SELECT actor, action, object_id, before, after FROM audit ORDER BY id")
    assert [tuple(row) for row in found] == [
        ("ann", "add", "slow", None, SLOW),
        ("kim", "change", "very slow", SLOW, after),
    ]
    async with database.transaction() as connection:
        (evaluated,) = await load_evaluated(connection)
    assert (evaluated.rule.name, evaluated.condition.threshold.fire) == ("very slow", (900.0,))


async def test_of_two_changes_to_one_version_the_second_is_told(database: Database) -> None:
    await make_rules(database)
    await save_rule(database, ANN, JUDGE, SLOW)
    saving = [save_rule(database, Actor(f"p{n}"), JUDGE, {**SLOW, "fire": n}, "slow", 1) for n in range(1, 5)]
    ends = await asyncio.gather(*saving, return_exceptions=True)
    assert sum(end == "slow" for end in ends) == 1
    assert sum(isinstance(end, Overtaken) for end in ends) == 3


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({**SLOW, "fire": "much"}, "fire"),
        ({**SLOW, "operator": "lt", "clear": 100}, "clear"),
        ({**DOWN, "channels": ["nowhere"]}, "channels"),
        ({**DOWN, "when": {"services": ["shpo"]}}, "when.services"),
        ({**DOWN, "when": {"kinds": ["htpp"]}}, "when.kinds"),
        ({"name": "j", "kind": "jobs", "jobs": ["nothing"], "failures": 2}, "jobs"),
        ({"name": "b", "kind": "burn", "objectives": ["none"]}, "objectives"),
        ({**SLOW, "name": BUILT_IN}, "name"),
        ({**SLOW, "name": "of the file"}, "name"),
        ({**SLOW, "text": "x"}, "text"),
    ],
)
async def test_what_a_file_would_be_refused_is_refused_here(
    database: Database, raw: Mapping[str, Any], path: str
) -> None:
    await make_services(database, "shop")
    await make_rules(database, rule("of the file"))
    with pytest.raises(Invalid) as refused:
        await save_rule(database, ANN, JUDGE, raw)
    assert refused.value.problems[0].path == path
    assert await one(database, "SELECT count(*) FROM audit") == 0


async def test_what_is_of_the_file_or_the_program_is_changed_there(database: Database) -> None:
    await make_rules(database, rule("of the file"))
    for name, words in (("of the file", "is defined in config.yaml:9"), (BUILT_IN, "belongs to the program")):
        with pytest.raises(Refused, match=words):
            await save_rule(database, ANN, JUDGE, {**SLOW, "name": name}, name, 1)
        with pytest.raises(Refused, match=words):
            await delete_rule(database, ANN, name)


async def test_a_problem_goes_to_the_rule_that_is_about_it_once_its_own_is_gone(database: Database) -> None:
    await make_days(database)
    await make_services(database, "shop", "mail")
    await make_rules(database)
    await save_rule(database, ANN, JUDGE, DOWN)
    await fail(database, "shop", "mail")
    assert sorted(await alerts(database)) == [
        ("mail", BUILT_IN, "firing"),
        ("shop", "shop is down", "firing"),
    ]
    await delete_rule(database, KIM, "shop is down", 1)
    assert ("shop", "shop is down", "resolved") in await alerts(database)
    assert ("shop", BUILT_IN, "firing") in await alerts(database)
    assert len(await alerts(database)) == 3
    assert await column(database, "SELECT action FROM audit WHERE object_kind = 'rule'") == ["add", "delete"]


async def test_a_change_of_a_rule_changes_what_is_open_by_it(database: Database) -> None:
    await make_days(database)
    await make_services(database, "shop")
    await make_rules(database)
    await save_rule(database, ANN, JUDGE, DOWN)
    await fail(database, "shop")
    await save_rule(database, ANN, JUDGE, {**DOWN, "severity": "emergency"}, "shop is down", 1)
    assert await column(database, "SELECT severity FROM alerts") == [3]
    await save_rule(database, ANN, JUDGE, {**DOWN, "when": {"groups": ["else"]}}, "shop is down", 2)
    assert ("shop", BUILT_IN, "firing") in await alerts(database)


async def test_a_rule_that_is_switched_off_stays_so_through_a_reload(database: Database) -> None:
    await make_rules(database, rule("of the file"))
    assert await set_rule_enabled(database, ANN, "of the file", False)
    assert not await set_rule_enabled(database, ANN, "of the file", False)
    await make_rules(database, rule("of the file", severity=2))
    off = "SELECT enabled FROM rules WHERE name = 'of the file'"
    assert not await one(database, off)
    await make_rules(database, rule("of the file", enabled=False))
    await make_rules(database, rule("of the file"))
    assert await one(database, off), "what the file says anew holds"
    with pytest.raises(Refused, match="never off"):
        await set_rule_enabled(database, ANN, BUILT_IN, False)
    with pytest.raises(Refused, match="no rule called"):
        await set_rule_enabled(database, ANN, "nothing", False)


async def test_switching_a_rule_of_the_console_is_a_change_of_what_is_written(database: Database) -> None:
    await make_rules(database)
    await save_rule(database, ANN, JUDGE, SLOW)
    await set_rule_enabled(database, KIM, "slow", False)
    found = await held(database, "slow")
    assert (found.written, found.version) == ({**SLOW, "enabled": False}, 2)
    with pytest.raises(Overtaken, match="kim changed slow"):
        await save_rule(database, ANN, JUDGE, {**SLOW, "fire": 1}, "slow", 1)
    await set_rule_enabled(database, ANN, "slow", True)
    assert (await held(database, "slow")).written == SLOW


async def test_a_rule_of_the_console_outlives_a_reload_and_a_file_takes_its_name(database: Database) -> None:
    await make_rules(database)
    async with database.transaction() as connection:
        await apply_channels(connection, [ChannelDefinition("ops", "webhook", {}, True, "config.yaml:2")])
    await save_rule(database, ANN, JUDGE, {**SLOW, "channels": ["ops"]})
    await make_rules(database, rule("other"))
    assert (await held(database, "slow")).owner == "console"
    await make_rules(database, rule("slow"))
    assert (await held(database, "slow")).owner == "file"
