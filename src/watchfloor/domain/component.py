"""Is a loop inside a node alive? Judged by whoever reads its heartbeat.

A component's own word must never be enough: one that is stuck can say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
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


WITHOUT: Mapping[str, str] = {
    LOOP: "nothing on this node goes on: no check, no alert, no message, no run of a job",
    "heart": "the node does not renew its lease: others take its services over, and its figures stand still",
    "prober": "no service of this node is checked; states and latencies on the screens grow old",
    "recorder": "checks go on, but their results wait: no state changes, no incident opens, no alert is raised",
    "heartbeats": "a ping that stays away is not noticed; pings that come in are not booked",
    "evaluator": "rules are not judged: thresholds, rates, forecasts and absences raise no alert",
    "escalator": "alerts that nobody acknowledges are not passed on to the next step; reminders stay away",
    "courier": "messages wait: nobody outside this console is told of anything",
    "warden": "maintenance windows do not begin or end, and what is out of reach is not told from what is down",
    "sentry": "a cut of this node's own link is not noticed, so it takes every service for down",
    "stalls": "checks that failed because this node stood still are believed",
    "ager": "alerts that wait do not fire, acknowledgements and silences do not run out, groups are not told of",
    "firer": "no job starts by its schedule; missed fires are caught up when it runs again",
    "runner": "no run of a job starts on this node; those that are ready wait for another node",
    "reaper": "runs of nodes that died are not taken over, and hang as if they went on",
    "steward": "changes of the config file are not noticed; what is in force stays in force",
    "share": "services of nodes that come and go are not shared out anew; new services are not taken on",
    "listener": "requests for a check at once, and news of other nodes, wait for the next turn",
    "pulse": "screens learn of changes seconds late instead of at once",
    "intake": "this program's own log does not reach the Logs screen",
    "housekeeper": "no partitions are made ahead and nothing old is deleted; after some days results cannot be stored",
    "roller": "charts of long stretches and uptimes stop growing until it runs again, which makes up for it",
    "trier": "checks that are tried out from a form get no answer",
    "watchdog": "nobody outside is told that all is well, so the watchdog there raises its alarm",
    "vitals": "the figures of this node over time have a gap",
}
"""What does not work while a component does not run, for somebody who was woken by it."""

SHARED = frozenset(
    {
        "evaluator",
        "escalator",
        "courier",
        "warden",
        "ager",
        "firer",
        "reaper",
        "housekeeper",
        "roller",
        "trier",
    }
)
"""Components whose work any live node does: it stands still only where they stand still on every node."""


def without(component: str) -> str:
    """What does not work without a component; empty for one that this version does not know."""
    return WITHOUT.get(component, "")
