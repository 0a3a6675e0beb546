"""Jobs that run because alerts fire or are over: once, within limits, never because of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from support.engines import configuration
from support.floor import Floor
from support.jobs import job
from support.make import EPOCH, make_rules
from support.sql import column, one, rows
from watchfloor.config.reactions import ReactionKeys
from watchfloor.domain.alert import Suppression, suppress
from watchfloor.engine import definitions
from watchfloor.operations import reacting, transitions
from watchfloor.operations.actor import Actor
from watchfloor.operations.jobs import set_paused
from watchfloor.store.database import Connection, Database
from watchfloor.store.jobs import apply_jobs
from watchfloor.store.reactions import apply_reactions
from watchfloor.store.rules import BUILT_IN

RESTART = {"name": "restart it", "match": ["service=shop"], "job": "restart"}
SHELL = "$(reboot); `id` ${WATCHFLOOR_DATABASE}"


class Watch(Floor):
    """A floor with jobs and reactions."""

    async def define(self, *reactions: dict[str, Any], jobs: tuple[str, ...] = ("restart",)) -> None:
        specs = [ReactionKeys.model_validate(each).spec() for each in reactions]
        made = definitions.jobs(configuration(jobs=[job(name) for name in jobs]))
        async with self.database.transaction() as connection:
            await apply_jobs(connection, made, self.at)
            await apply_reactions(connection, specs)

    async def runs(self) -> list[tuple[Any, ...]]:
        found = await rows(
            self.database,
            "SELECT j.name, r.origin, r.asked_by FROM runs r JOIN jobs j ON j.id = r.job_id ORDER BY r.id",
        )
        return [tuple(each) for each in found]

    async def said(self) -> list[str]:
        return await column(
            self.database, "SELECT note FROM alert_events WHERE kind = 'reacted' ORDER BY alert_id, seq"
        )


@pytest.fixture
async def watch(database: Database) -> Watch:
    await make_rules(database)
    return Watch(database, EPOCH)


async def test_an_alert_that_fires_runs_its_job_once_and_says_so(watch: Watch) -> None:
    await watch.define(RESTART)
    await watch.fire("shop", "other")
    (alert,) = await watch.ids("shop")
    assert await watch.runs() == [("restart", "reaction", f"restart it (alert #{alert})")]
    run = await one(watch.database, "SELECT id FROM runs")
    assert await watch.said() == [f"restart it: runs restart (run #{run})"]
    assert await rows(
        watch.database, "SELECT actor, action, object_id FROM audit WHERE object_kind = 'job'"
    ) == [("reaction restart it", "run", "restart")]
    watch.later(10)
    await watch.end("shop")
    watch.later(10)
    await watch.again("shop")
    assert len(await watch.runs()) == 1


async def test_an_alert_that_comes_back_runs_it_again_where_that_is_asked_for(watch: Watch) -> None:
    await watch.define({**RESTART, "again": True})
    await watch.fire("shop")
    watch.later(10)
    await watch.end("shop")
    watch.later(10)
    await watch.again("shop")
    assert len(await watch.runs()) == 2
    await watch.change(lambda alert: suppress(alert, [Suppression.SILENCE], watch.at), "shop")
    await watch.change(lambda alert: suppress(alert, [], watch.at), "shop")
    assert len(await watch.runs()) == 2  # what is told again is no other occasion


async def test_the_end_of_an_alert_runs_what_waits_for_it(watch: Watch) -> None:
    await watch.define({**RESTART, "on": "resolved"})
    await watch.fire("shop")
    assert await watch.runs() == []
    watch.later(10)
    await watch.end("shop")
    assert len(await watch.runs()) == 1


async def test_what_is_kept_quiet_runs_nothing_until_it_is_told(watch: Watch) -> None:
    await watch.define(RESTART)
    await watch.fire("shop", reasons=[Suppression.SILENCE])
    assert await watch.runs() == []
    await watch.change(lambda alert: suppress(alert, [], watch.at), "shop")
    assert len(await watch.runs()) == 1


async def test_more_than_its_limit_is_not_run_and_that_is_said(watch: Watch) -> None:
    await watch.define({**RESTART, "match": ["service=~.*shop"], "at_most": 2, "per": "10m"})
    await watch.fire("a shop", "b shop", "c shop")
    assert len(await watch.runs()) == 2
    assert (await watch.said())[2] == (
        "restart it: did not run restart: the limit of 2 runs in 10m is reached"
    )
    watch.later(601)
    await watch.fire("d shop")
    assert len(await watch.runs()) == 3


async def quiet_for_a_while(watch: Watch, *names: str) -> None:
    """A silence begins and ends: what fires is told again."""
    await watch.change(lambda alert: suppress(alert, [Suppression.SILENCE], watch.at), *names)
    await watch.change(lambda alert: suppress(alert, [], watch.at), *names)


@pytest.mark.parametrize("paused", [False, True])
async def test_an_alert_that_has_its_run_is_not_told_that_it_did_not_run(watch: Watch, paused: bool) -> None:
    await watch.define({**RESTART, "at_most": 1, "per": "1h"})
    await watch.fire("shop")
    before = await watch.said()
    if paused:
        await set_paused(watch.database, Actor("ann"), "restart", True)
    await quiet_for_a_while(watch, "shop")
    assert await watch.said() == before
    assert len(await watch.runs()) == 1


async def test_a_limit_is_for_those_that_have_no_run_yet(watch: Watch) -> None:
    await watch.define({**RESTART, "match": ["service=~.*shop"], "at_most": 3, "per": "1h"})
    await watch.fire("a shop", "b shop")
    await watch.fire("c shop", "d shop", reasons=[Suppression.SILENCE])
    await quiet_for_a_while(watch, "a shop", "b shop", "c shop", "d shop")
    (first, second, third) = await column(watch.database, "SELECT id FROM runs ORDER BY id")
    assert await watch.said() == [
        f"restart it: runs restart (run #{first})",
        f"restart it: runs restart (run #{second})",
        f"restart it: runs restart (run #{third})",
        "restart it: did not run restart: the limit of 3 runs in 1h is reached",
    ]
    noted = "SELECT n.alert_id FROM reaction_runs n JOIN runs r ON r.id = n.run_id ORDER BY n.run_id"
    assert await column(watch.database, noted) == await watch.ids("a shop", "b shop", "c shop")
    told = "SELECT (after ->> 'alert')::int FROM audit WHERE object_kind = 'job' ORDER BY id"
    assert await column(watch.database, told) == await watch.ids("a shop", "b shop", "c shop")


async def test_many_alerts_cost_a_reaction_as_many_statements_as_two(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    costs: list[int] = []
    execute = Connection.execute

    async def counted(connection: Connection, query: Any, *values: Any, **keys: Any) -> Any:
        sent.append(query)
        return await execute(connection, query, *values, **keys)

    async def react(*all_of_it: Any) -> None:
        sent.clear()
        await reacting.react(*all_of_it)
        costs.append(len(sent))

    async def fire(end: str, most: int) -> None:
        await watch.define({**RESTART, "match": ["service=~.*shop"], "at_most": most})
        await watch.fire(*(f"{n}{end} shop" for n in range(2)))
        await watch.fire(*(f"{n + 2}{end} shop" for n in range(20)))

    monkeypatch.setattr(transitions, "react", react)
    monkeypatch.setattr(Connection, "execute", counted)
    await fire("st", 30)
    assert len(await watch.runs()) == 22
    await fire("nd", 22)
    assert len(await watch.runs()) == 22
    made, many_made, refused, many_refused = costs
    assert (made, refused) == (many_made, many_refused)


async def test_a_job_that_is_paused_or_gone_is_not_run_and_that_is_said(watch: Watch) -> None:
    await watch.define(RESTART, {**RESTART, "name": "lost", "job": "gone"})
    await set_paused(watch.database, Actor("ann"), "restart", True)
    await watch.fire("shop")
    assert await watch.runs() == []
    assert await watch.said() == [
        "lost: did not run: there is no job called gone",
        "restart it: did not run: restart is paused",
    ]


async def test_an_alert_about_a_job_of_a_reaction_never_runs_one(watch: Watch) -> None:
    await watch.define(
        {**RESTART, "match": ["job=~.+"]}, {**RESTART, "name": "other", "match": ["job=~.+"], "job": "clean"},
        jobs=("restart", "clean"),
    )  # fmt: skip
    await watch.fire("about restart", job="restart")
    await watch.fire("about clean", job="clean")
    assert await watch.runs() == []
    await watch.fire("about another", job="backup")
    assert [name for name, *_ in await watch.runs()] == ["clean", "restart"]


async def test_what_stands_for_all_that_a_rule_fires_for_runs_nothing(watch: Watch) -> None:
    (name,) = await column(watch.database, "SELECT name FROM rules WHERE name = %(name)s", name=BUILT_IN)
    await watch.define({**RESTART, "match": [f'rule="{name}"']})
    await watch.fire("shop", about_rule=name)
    assert await watch.runs() == []
    await watch.fire("other")
    assert len(await watch.runs()) == 1


async def test_what_an_alert_says_is_handed_on_as_data_and_as_nothing_else(watch: Watch) -> None:
    given = {"env": {"WHAT": "{{ labels.what }}", "ID": "{{ id }}"}, "body": '{"title": {{ title|tojson }}}'}
    await watch.define({**RESTART, "parameters": given})
    await watch.fire("shop", what=SHELL)
    (alert,) = await watch.ids("shop")
    assert await one(watch.database, "SELECT parameters FROM runs") == {
        "env": {"WHAT": SHELL.replace("${", "$${"), "ID": str(alert)},
        "body": '{"title": "shop is failing"}',
    }


async def test_a_template_that_fails_runs_nothing_and_says_why(watch: Watch) -> None:
    source = "{% for name, value in labels|items %}{{ value }}{{ value }}{% endfor %}"
    await watch.define({**RESTART, "parameters": {"body": source}})
    await watch.fire("shop", **{f"l{n}": "x" * 300 for n in range(45)})
    assert await watch.runs() == []
    assert await watch.said() == [
        "restart it: did not run restart: its template fails: it makes more than 16,000 characters"
    ]
