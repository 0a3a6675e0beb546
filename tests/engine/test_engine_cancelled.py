"""A supervisor whose tasks are all cancelled at once, as a closing loop does it, ends and restarts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Component, Supervisor
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse

COMPONENTS = 3


@pytest.mark.parametrize("turns", range(12))
async def test_a_supervisor_ends_when_every_task_is_cancelled(turns: int) -> None:
    """``turns`` of the loop pass after the start, so that the end comes at different steps of it."""
    runs = 0

    async def component(beat: Callable[[], None]) -> None:
        nonlocal runs
        runs += 1
        await asyncio.Event().wait()

    database = Database("postgresql:///nowhere?host=/nonexistent", name="test")
    node = Node(1, "test", database, Pulse(database), {})
    components = [Component(f"component {number}", component) for number in range(COMPONENTS)]
    running = asyncio.create_task(Supervisor(node, components).run())
    for _ in range(turns):
        await asyncio.sleep(0)
    before = runs
    for task in _components_first(asyncio.all_tasks()):
        if task is not asyncio.current_task():
            task.cancel()
    done, _ = await asyncio.wait({running}, timeout=2)
    assert done
    assert runs == before
    await database.close()


def _components_first(tasks: set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """The order in which whoever keeps a component hears of the component's end before its own."""
    return sorted(tasks, key=lambda task: task.get_name().startswith("keep "))
