"""Whether the whole path works: what must be so before anybody outside is told that all is well.

A program that only says that it runs says nothing. So the signs are taken where the work is done: results that were
stored, messages that left, loops that beat, a write that reached the database in this very period. This module never
reads a clock, and an audit that finds nothing must have been able to find something.

Every node that runs is looked at, not only the one that looks: one that is well must not speak for one that is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from watchfloor.domain.words import count

SLOTS = 2
"""The newest result is younger than this many intervals of the service that is checked most often."""

LATE_S = 30.0
"""The result of any service may be older than so many of its intervals by this and its time-out."""

OUTBOX_S = 120.0
SILENT_S = 30.0
SETTLED_S = 15.0
"""A loop may need this long to come back before it counts."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop of a node: its state, how long it has been in it, and when it last gave a sign of life."""

    node: str
    name: str
    state: str
    for_s: float
    silent_s: float
    failing: bool = False  # it came back too often: there is an alert about it


@dataclass(frozen=True, slots=True)
class Late:
    """Services without a result for much longer than their interval: how many, and the one that waits longest."""

    count: int
    name: str
    silent_s: float


@dataclass(frozen=True, slots=True)
class Signs:
    """What was found. Durations in seconds; None where there is nothing to find.

    ``every_s`` and ``timeout_s`` are those of the service that is checked most often; ``loops`` those of every node
    that runs, node by node; ``wanted`` the loops there must be on the node that looks, ``node``; ``channels`` how many
    are switched on, ``failing`` how many of them take nothing; ``further`` what other audits found.
    """

    every_s: float | None
    timeout_s: float
    newest_result_s: float | None
    late: Late | None
    lag_p99_s: float | None
    oldest_message_s: float | None
    channels: int
    failing: int
    loops: Sequence[Loop]
    node: str
    wanted: Sequence[str]
    further: Sequence[str] = field(default=())


def findings(signs: Signs) -> list[str]:
    """What is wrong, as sentences; empty when all is well."""
    return [*_results(signs), *_messages(signs), *_loops(signs), *signs.further]


def _results(signs: Signs) -> list[str]:
    every = signs.every_s
    if every is None:
        return []  # nothing is checked, so nothing can be late
    found = []
    allowed = SLOTS * every + signs.timeout_s
    if signs.newest_result_s is None or signs.newest_result_s > allowed:
        age = "none" if signs.newest_result_s is None else f"{signs.newest_result_s:.0f} s old"
        found.append(f"the newest result is {age}; at most {allowed:.0f} s are right")
    late = signs.late
    if late is not None:
        others = f" and {count(late.count - 1, 'other service')}" if late.count > 1 else ""
        found.append(f"{late.name}{others} should have been checked: no result for {late.silent_s:.0f} s")
    if signs.lag_p99_s is not None and signs.lag_p99_s > every:
        found.append(f"checks start {signs.lag_p99_s:.1f} s late; at most {every:.0f} s are right")
    return found


def _messages(signs: Signs) -> list[str]:
    found = []
    if signs.oldest_message_s is not None and signs.oldest_message_s > OUTBOX_S:
        found.append(f"a message has been waiting for delivery for {signs.oldest_message_s:.0f} s")
    if signs.channels and signs.failing >= signs.channels:
        found.append("every channel is failing")
    return found


def _loops(signs: Signs) -> list[str]:
    seen = {loop.name for loop in signs.loops if loop.node == signs.node}
    found = [
        f"the loop {name} of node {signs.node} was never seen" for name in signs.wanted if name not in seen
    ]
    for node, loops in groupby(signs.loops, lambda loop: loop.node):
        found += _loops_of(node, list(loops))
    return found


def _loops_of(node: str, loops: Sequence[Loop]) -> Iterable[str]:
    silent_s = min(loop.silent_s for loop in loops)
    if silent_s > SILENT_S:
        return [f"no loop of node {node} has given a sign of life for {silent_s:.0f} s"]
    return filter(None, map(_loop, loops))


def _loop(loop: Loop) -> str:
    """What is wrong with a loop; empty where nothing is."""
    who = f"the loop {loop.name} of node {loop.node}"
    if loop.silent_s > SILENT_S:
        return f"{who} has given no sign of life for {loop.silent_s:.0f} s"
    if loop.failing or (loop.state != "running" and loop.for_s > SETTLED_S):
        return f"{who} is {loop.state if loop.state != 'running' else 'failing'}"
    return ""
