"""Is a loop inside a node alive? Judged by whoever reads its heartbeat.

A component's own word must never be enough: one that is stuck can say nothing.
"""

from __future__ import annotations

from enum import StrEnum

LOOP = "loop"
"""The component that stands for an engine's loop itself: the watchdog of its process says that it is stuck."""


class ComponentState(StrEnum):
    """How a component does; stored as this word."""

    RUNNING = "running"
    RESTARTING = "restarting"
    STUCK = "stuck"
    STOPPED = "stopped"

    @property
    def bad(self) -> bool:
        """Somebody should look at it."""
        return self in (ComponentState.RESTARTING, ComponentState.STUCK)


def judge(
    last_beat_age_s: float | None, tolerance_s: float, failing: bool, stopped: bool = False
) -> ComponentState:
    """The state of a component whose latest heartbeat is ``last_beat_age_s`` seconds old (None: never beat).

    ``failing``: it fell and waits for its restart; ``stopped``: it was told to end. A heartbeat older than
    ``tolerance_s`` outweighs ``failing``, because then nobody is left to restart it.

    >>> judge(3, 10, failing=False), judge(30, 10, failing=True)
    (<ComponentState.RUNNING: 'running'>, <ComponentState.STUCK: 'stuck'>)
    """
    if stopped or last_beat_age_s is None:
        return ComponentState.STOPPED
    if last_beat_age_s > tolerance_s:
        return ComponentState.STUCK
    return ComponentState.RESTARTING if failing else ComponentState.RUNNING
