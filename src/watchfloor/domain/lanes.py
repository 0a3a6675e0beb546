"""Which runs a node takes: a job names a queue and tags, a node says which queues it serves and which tags it has.

Runs of one queue that ask for the same tags form a lane. A node knows the lanes it serves, so that taking a run never
looks at one that others have to take.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_QUEUE = "default"
"""The queue of jobs that name none."""

_APART = "\x1f"  # no name holds a control character


@dataclass(frozen=True, slots=True)
class Serves:
    """What a node takes: runs of ``queues`` (every queue where empty) that ask for no tag but its own."""

    queues: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def takes(self, lane: str) -> bool:
        """Whether runs of a lane are for this node.

        >>> Serves(tags=frozenset({"gpu"})).takes(lane_of("default", ["gpu"])), Serves().takes("default\\x1fgpu")
        (True, False)
        """
        queue, tags = parts_of(lane)
        return (not self.queues or queue in self.queues) and self.tags.issuperset(tags)


def lane_of(queue: str, tags: Iterable[str]) -> str:
    """The lane of a job."""
    return _APART.join((queue, *sorted(set(tags))))


def parts_of(lane: str) -> tuple[str, tuple[str, ...]]:
    """Queue and tags of a lane.

    >>> parts_of(lane_of("nightly", ["ssd", "gpu"]))
    ('nightly', ('gpu', 'ssd'))
    """
    queue, *tags = lane.split(_APART)
    return queue, tuple(tags)
