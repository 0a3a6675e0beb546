"""The life cycle of a node, and whether to believe what it says of itself.

A node writes its state and renews its lease; a node that died writes nothing. So its word counts only while
its lease lasts. This module must never decide what happens to the services of a node that is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from watchfloor.domain.boards import NodeRow
from watchfloor.domain.history import Course
from watchfloor.domain.job_boards import WorkerRow


class NodeState(StrEnum):
    """What a node says of itself; stored as this word."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ERROR = "error"


class Liveness(StrEnum):
    """What others hold of it."""

    LIVE = "live"
    LOST = "lost"
    STOPPED = "stopped"
    FAILED = "failed"


_NEXT = {
    NodeState.STARTING: {NodeState.RUNNING, NodeState.STOPPING, NodeState.ERROR},
    NodeState.RUNNING: {NodeState.STOPPING, NodeState.ERROR},
    NodeState.STOPPING: {NodeState.STOPPED, NodeState.ERROR},
    NodeState.STOPPED: set(),
    NodeState.ERROR: {NodeState.STOPPING, NodeState.STOPPED},
}


def may_become(state: NodeState, wanted: NodeState) -> bool:
    """Whether a node in ``state`` may become ``wanted``. One that died starts anew from any state."""
    return wanted in _NEXT[state] or wanted is NodeState.STARTING


def liveness(state: NodeState, lease_until: datetime, now: datetime) -> Liveness:
    """Whether a node is there. ``lost``: it neither said goodbye nor renewed its lease in time."""
    if state is NodeState.STOPPED:
        return Liveness.STOPPED
    if state is NodeState.ERROR:
        return Liveness.FAILED
    return Liveness.LIVE if now < lease_until else Liveness.LOST


def takes_services(state: NodeState, lease_until: datetime, now: datetime) -> bool:
    """Whether services are shared out to a node: only while it runs under a valid lease."""
    return state is NodeState.RUNNING and now < lease_until


@dataclass(frozen=True, slots=True)
class Measured:
    """One quantity that a node measures of itself each minute, as it is stored and as it is shown."""

    column: str
    peak: str  # the column with the most of the minute
    title: str
    label: str  # the ending by which `console.views.charts.unit` knows how its figures are written
    factor: float = 1.0
    limit: float | None = None


MEASURED: Mapping[str, Measured] = {
    "checks_per_second": Measured("checks", "checks", "CHECKS PER SECOND", "", factor=1 / 60),
    "lag": Measured("lag_p50_ms", "lag_p99_ms", "LAG OF CHECKS", "_ms"),
    "lag_most": Measured("lag_max_ms", "lag_max_ms", "LONGEST LAG OF A CHECK", "_ms"),
    "missed": Measured("missed", "missed", "MISSED SLOTS PER MINUTE", ""),
    "waiting": Measured("waiting", "waiting", "RESULTS THAT WAIT", ""),
    "loop": Measured("loop_ms", "loop_ms", "LOOP LATE BY", "_ms"),
    "cpu": Measured("cpu_pct", "cpu_pct", "CPU OF ONE CORE", "_percent"),
    "rss": Measured("rss_bytes", "rss_bytes", "MEMORY", "_bytes"),
    "database": Measured("database_ms", "database_ms", "DATABASE, THERE AND BACK", "_ms"),
    "runs": Measured("runs", "runs", "RUNS OF JOBS", ""),
    "services": Measured("services", "services", "SERVICES WATCHED", ""),
}
"""What is kept of a node over time, in the order in which it is shown."""


@dataclass(frozen=True, slots=True)
class NodeCourse:
    """How a node fared between two moments; ``since``: of what is kept, the oldest. Quantities by their names."""

    start: datetime
    end: datetime
    since: datetime | None
    minutes: int  # so many are kept of this stretch
    courses: Mapping[str, Course]

    @property
    def covered(self) -> timedelta:
        """The part of the stretch of which anything can be known: from the oldest minute that is kept."""
        if self.since is None:
            return timedelta(0)
        return max(timedelta(0), self.end - max(self.start, self.since))

    @property
    def uptime(self) -> float | None:
        """The share of the minutes that are over in which the node was alive; None where none is known."""
        over = self.covered // timedelta(minutes=1)
        return None if not over else min(1.0, self.minutes / over)


def with_work(row: NodeRow, worker: WorkerRow | None, total: float) -> NodeRow:
    """A node with what it does for jobs, and its share of the ``total`` of services; without, where it is not live."""
    if not row.live:
        return row
    stats = dict(row.stats)
    if total:
        stats["share"] = row.stats.get("services", 0.0) / total
    if worker is not None:
        stats |= {"running": float(worker.running), "queued": float(worker.queued)}
    return replace(row, stats=stats)
