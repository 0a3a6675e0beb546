"""The life cycle of a node, and whether to believe what it says of itself.

A node writes its state and renews its lease; a node that died writes nothing. So its word counts only while
its lease lasts. This module must never decide what happens to the services of a node that is lost.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


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
