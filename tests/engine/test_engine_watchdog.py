"""The dead man's switch outside: it hears that all is well, and falls silent whichever loop is killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from support.engines import MemoryKinds, Stage, channel, configuration, plan, running, service
from support.receivers import Receiver, receiving, status
from support.sql import column, one, rows
from support.waiting import until
from watchfloor.channels import webhook
from watchfloor.config.kinds import Kind
from watchfloor.engine import alive, supervisor
from watchfloor.engine.engine import Engine, Plan, Progress
from watchfloor.engine.supervisor import Beat, Component, Supervisor
from watchfloor.operations import auditing
from watchfloor.store import watchdog
from watchfloor.store.database import Connection, Database

pytestmark = pytest.mark.usefixtures("brisk", "minute")
EVERY_S = 0.4
PATIENCE_S = 120.0


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of the watchdog takes less than half a second; loops may be slow, but not for long."""
    monkeypatch.setattr(alive, "EVERY_S", EVERY_S)
    monkeypatch.setattr(alive, "BEAT_S", 0.1)
    monkeypatch.setattr(supervisor, "TOLERANCE_S", 8.0)
    monkeypatch.setattr("watchfloor.domain.watch.SILENT_S", 12.0)
    monkeypatch.setattr("watchfloor.domain.watch.SETTLED_S", 1.0)


@dataclass
class Outside:
    """The switch, and the loops of the engine under watch; how another engine beside it would be planned."""

    switch: Receiver
    components: Sequence[Component]
    another: Plan

    async def hears(self) -> None:
        """Wait until it hears twice more that all is well."""
        before = len(self.switch.got)
        await until(lambda: len(self.switch.got) >= before + 2, PATIENCE_S)

    async def hears_nothing(self) -> None:
        """Wait until it has heard nothing for what stands for two minutes."""
        loop = asyncio.get_running_loop()
        heard, since = len(self.switch.got), loop.time()

        def silent() -> bool:
            nonlocal heard, since
            if len(self.switch.got) != heard:
                heard, since = len(self.switch.got), loop.time()
            return loop.time() - since > 2 * EVERY_S + 0.5

        await until(silent, PATIENCE_S)


@asynccontextmanager
async def watched(dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outside]:
    found: list[Component] = []
    begin = Supervisor.__init__

    def remember(self: Supervisor, node: object, components: list[Component]) -> None:
        found.extend(components)
        begin(self, node, components)  # type: ignore[arg-type]

    monkeypatch.setattr(Supervisor, "__init__", remember)
    kinds = MemoryKinds(
        *stage.channels.values(), Kind("webhook", webhook.Settings, webhook.deliver, webhook.render)
    )
    async with receiving() as switch:

        def planned(node: str) -> Plan:
            web = service("web", every_s=1.0, timeout_s=3.0)
            config = configuration(web, node=node, channels=[channel("ops")])
            return replace(
                plan(dsn, stage, replace(config, watchdog={"url": switch.url("/ping")})), channels=kinds
            )

        async with running(planned("one")):
            outside = Outside(switch, found, planned("two"))
            await outside.hears()
            yield outside


async def _dead(beat: Beat) -> None:
    await asyncio.Event().wait()


async def test_the_switch_hears_every_minute_that_all_is_well(
    dsn: str, database: Database, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(dsn, stage, monkeypatch) as outside:
        body = json.loads(outside.switch.got[0].body)
        assert (body["type"], body["data"]["node"]) == ("watchdog.alive", "one")
        assert outside.switch.got[0].path == "/ping"
        assert await rows(database, "SELECT outside, passed, findings FROM watchdog") == [(True, True, [])]
        assert await column(database, "SELECT name FROM channels ORDER BY name") == ["ops", "watchdog"]
        assert await column(database, "SELECT DISTINCT channels FROM rules") == [["ops"]]


async def test_whichever_loop_is_killed_the_switch_falls_silent(
    dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(dsn, stage, monkeypatch) as outside:
        killed = []
        for component in outside.components:
            alive_again, component.run = component.run, _dead
            await _restarted(component)
            component.beat_at -= supervisor.TOLERANCE_S  # it has been silent for as long as is borne
            await outside.hears_nothing()
            killed.append(component.name)
            component.run = alive_again
            await _restarted(component)
            await outside.hears()
        assert len(set(killed)) == len(killed) > 20
        await _kill("report components")
        await outside.hears_nothing()


async def test_a_node_that_is_well_does_not_speak_for_one_with_a_dead_loop(
    database: Database, dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(dsn, stage, monkeypatch) as outside:
        first = len(outside.components)
        async with running(outside.another):
            await until(lambda: len(outside.components) == 2 * first)
            await until(lambda: _both_are_looked_at(database))
            await outside.hears()
            monkeypatch.setattr(
                supervisor, "HEALTHY_AFTER_S", PATIENCE_S
            )  # what is dead is not well after a second
            (prober,) = [each for each in outside.components[first:] if each.name == "prober"]
            alive_again, prober.run = prober.run, _dead
            await _restarted(prober)
            prober.beat_at -= supervisor.TOLERANCE_S
            await outside.hears_nothing()
            (told,) = await column(database, "SELECT title FROM alerts WHERE subject LIKE 'component:%%'")
            assert told.startswith("prober of node two is ")
            found = await column(database, "SELECT findings[1] FROM watchdog")
            assert [each.startswith("the loop prober of node two ") for each in found] == [True, True]
            monkeypatch.setattr(supervisor, "HEALTHY_AFTER_S", 1.0)
            prober.run = alive_again
            await _restarted(prober)
            await outside.hears()


async def _both_are_looked_at(database: Database) -> bool:
    return await column(database, "SELECT passed FROM watchdog") == [True, True]


async def test_a_node_that_died_with_a_dead_loop_silences_nobody(
    database: Database, dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(dsn, stage, monkeypatch) as outside:
        first = len(outside.components)
        dying = Engine(outside.another, Progress(), lambda: None)
        task = asyncio.create_task(dying.run())
        await until(lambda: len(outside.components) == 2 * first)
        await until(lambda: _both_are_looked_at(database))
        monkeypatch.setattr(supervisor, "HEALTHY_AFTER_S", PATIENCE_S)
        (recorder,) = [each for each in outside.components[first:] if each.name == "recorder"]
        recorder.run = _dead
        await _restarted(recorder)
        recorder.beat_at -= supervisor.TOLERANCE_S
        await outside.hears_nothing()
        dying.abandon()  # its connections end as those of a dead process do
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outside.hears()


AROUND = frozenset({"Engine.run", "Engine._tick", "Supervisor.run", "Event.wait"})
"""What runs the components; the watchdog of the process sees them stop (tests/chaos/test_chaos_loop.py)."""


async def test_there_is_no_loop_beside_those_that_are_killed_here(
    dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that somebody adds is a component, or this says that nobody would notice its end."""
    async with watched(dsn, stage, monkeypatch) as outside:
        components = {each.task for each in outside.components}
        named = {
            "watch components",
            "report components",
            *(f"keep {each.name}" for each in outside.components),
        }
        others = {
            task
            for task in asyncio.all_tasks() - components - {asyncio.current_task()}
            if task.get_name() not in named and getattr(task.get_coro(), "__qualname__", "") not in AROUND
        }
        await until(lambda: not (others & asyncio.all_tasks()))
        await _kill("keep courier")
        await outside.hears_nothing()


async def test_who_watches_the_loops_may_die_too(
    dsn: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(dsn, stage, monkeypatch) as outside:
        await _kill("watch components")
        (intake,) = [each for each in outside.components if each.name == "intake"]
        intake.run = _dead
        assert intake.task is not None
        intake.task.cancel()
        await outside.hears_nothing()


async def _restarted(component: Component) -> None:
    """Have the supervisor run a component anew, with what its `run` is now."""
    before = component.task
    assert before is not None
    before.cancel()
    await until(lambda: component.task is not before and component.state == "running")


async def _kill(name: str) -> None:
    (task,) = [each for each in asyncio.all_tasks() if each.get_name() == name]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_another_audit_can_silence_it_and_says_why(
    dsn: str, database: Database, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(connection: Connection, now: object) -> list[str]:
        return ["a step of an escalation is late"]

    async with watched(dsn, stage, monkeypatch) as outside:
        monkeypatch.setattr(auditing, "AUDITS", [late])
        await outside.hears_nothing()
        assert await one(database, "SELECT findings FROM watchdog") == ["a step of an escalation is late"]
        monkeypatch.setattr(auditing, "AUDITS", [])
        await outside.hears()


async def test_a_switch_that_does_not_answer_leaves_one_message_and_blames_no_channel(
    dsn: str, database: Database, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(dsn, stage, monkeypatch) as outside:
        outside.switch.answers = [status(500)]
        before = len(outside.switch.got)
        await until(lambda: len(outside.switch.got) > before + 7)
        waiting = await column(
            database, "SELECT state FROM outbox WHERE channel = %(c)s AND state IN ('queued', 'leased')",
            c=watchdog.CHANNEL,
        )  # fmt: skip
        assert len(waiting) <= 2
        assert await column(database, "SELECT channel FROM channel_health") == []
        outside.switch.answers = [status(204)]
        await outside.hears()
        told = await column(database, "SELECT title FROM alerts WHERE subject LIKE 'channel:%%'")
        assert told == []
