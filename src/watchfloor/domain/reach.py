"""What depends on what, and which failure puts which services out of reach.

A service is *out of reach* when one of those it needs has a confirmed failure or is out of reach itself, or when all
members of one redundancy group are. Unconfirmed failures count for nothing, and neither do degraded services (they
answer) or paused ones (nobody looks). The *root cause* is the failing service at the far end: one that fails while
everything it needs is well. Of several the one nearest to the ground is named, of equals the one with the smallest id,
so that every node names the same whatever came first.

Work is per change, not per result: `spread` follows a change down and stops where nothing changes any more.
This module must never look at a clock, at alerts or at storage.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

HOLD_S = 30.0
"""A failure is held back so long while those it needs have not been looked at since."""

LONGEST_HOLD_S = 300.0
"""And so long while one of them has an unconfirmed failure of its own."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a service needs: all of some, and one of each group."""

    all_of: tuple[int, ...] = ()
    any_of: tuple[tuple[int, ...], ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Every service named."""
        return (*self.all_of, *(member for group in self.any_of for member in group))


NOTHING = Needs()


class Graph:
    """The needs of all services. What a circle holds needs nothing: a circle has no ground to stand on."""

    def __init__(self, needs: Mapping[int, Needs]) -> None:
        """Needs that name no service of the graph are left out; a group without members is none."""
        self._needs = {each: _known(of, needs) for each, of in needs.items()}
        self.circular = self._break_circles()
        self._children: dict[int, list[int]] = defaultdict(list)
        for each, of in self._needs.items():
            for parent in dict.fromkeys(of.ids):
                self._children[parent].append(each)
        self._rank = _ranks(self._needs, self._children)

    def _break_circles(self) -> frozenset[int]:
        left = {each: set(of.ids) for each, of in self._needs.items()}
        children: dict[int, list[int]] = defaultdict(list)
        for each, parents in left.items():
            for parent in parents:
                children[parent].append(each)
        ready = deque(each for each, parents in left.items() if not parents)
        while ready:
            done = ready.popleft()
            del left[done]
            for child in children[done]:
                left[child].discard(done)
                if not left[child]:
                    ready.append(child)
        for each in left:
            self._needs[each] = NOTHING
        return frozenset(left)

    def needs(self, service: int) -> Needs:
        """What a service needs."""
        return self._needs.get(service, NOTHING)

    def children(self, service: int) -> Iterable[int]:
        """Those that need a service."""
        return self._children.get(service, ())

    def rank(self, service: int) -> int:
        """How far from the ground a service stands: 0 where it needs nothing."""
        return self._rank.get(service, 0)

    def below(self, services: Iterable[int]) -> set[int]:
        """Everything that needs one of ``services``, however indirectly."""
        found: set[int] = set()
        line = deque(services)
        while line:
            for child in self.children(line.popleft()):
                if child not in found:
                    found.add(child)
                    line.append(child)
        return found

    def above(self, services: Iterable[int]) -> set[int]:
        """Everything that ``services`` need, however indirectly."""
        found: set[int] = set()
        line = deque(services)
        while line:
            for parent in self.needs(line.popleft()).ids:
                if parent not in found:
                    found.add(parent)
                    line.append(parent)
        return found

    def concerned(self, services: Collection[int]) -> set[int]:
        """Whose state must be known to follow a change of ``services`` down."""
        moving = self.below(services).union(services)
        return moving.union(*(self.needs(each).ids for each in moving))


def _known(needs: Needs, all_needs: Mapping[int, Needs]) -> Needs:
    if all(each in all_needs for each in needs.ids) and all(needs.any_of):
        return needs
    groups = (tuple(each for each in group if each in all_needs) for group in needs.any_of)
    return Needs(
        tuple(each for each in needs.all_of if each in all_needs), tuple(group for group in groups if group)
    )


def _ranks(needs: Mapping[int, Needs], children: Mapping[int, Iterable[int]]) -> dict[int, int]:
    left = {each: len(set(of.ids)) for each, of in needs.items()}
    rank = dict.fromkeys(needs, 0)
    ready = deque(each for each, count in left.items() if not count)
    while ready:
        done = ready.popleft()
        for child in children.get(done, ()):
            rank[child] = max(rank[child], rank[done] + 1)
            left[child] -= 1
            if not left[child]:
                ready.append(child)
    return rank


Roots = Mapping[int, int | None]
Failing = Callable[[int], bool]


def root_of(graph: Graph, service: int, failing: Failing, roots: Roots) -> int | None:
    """The root cause that puts a service out of reach, given those of what it needs; None: it is within reach."""
    needs = graph.needs(service)
    lost = [_lost(parent, failing, roots) for parent in needs.all_of]
    for group in needs.any_of:
        members = [_lost(member, failing, roots) for member in group]
        if None not in members:
            lost += members
    causes = [cause for cause in lost if cause is not None]
    return min(causes, key=lambda each: (graph.rank(each), each)) if causes else None


def _lost(parent: int, failing: Failing, roots: Roots) -> int | None:
    root = roots.get(parent)
    if root is not None:
        return root
    return parent if failing(parent) else None


def spread(graph: Graph, changed: Iterable[int], failing: Failing, roots: Roots) -> dict[int, int | None]:
    """What follows from a change of ``changed``: the new root of every service whose root is another than before.

    ``roots`` holds those out of reach so far, ``failing`` what is true now, of everything `Graph.concerned` names.
    """
    after = dict(roots)
    moved: dict[int, int | None] = {}
    heap: list[tuple[int, int]] = []
    queued: set[int] = set()

    def queue(services: Iterable[int]) -> None:
        for each in services:
            if each not in queued:
                queued.add(each)
                heapq.heappush(heap, (graph.rank(each), each))

    for each in changed:
        queue((each,))
        queue(graph.children(each))
    while heap:
        _, each = heapq.heappop(heap)
        root = root_of(graph, each, failing, after)
        if root != after.get(each):
            after[each] = moved[each] = root
            queue(graph.children(each))
    return moved


@dataclass(frozen=True, slots=True)
class Look:
    """The latest look at a service: whether it fails for sure, whether perhaps, and when it was."""

    failing: bool
    soft: bool
    last_started: datetime | None


def in_doubt(
    graph: Graph,
    service: int,
    first_bad: datetime,
    held_since: datetime,
    looks: Mapping[int, Look],
    now: datetime,
) -> bool:
    """Whether a failure since ``first_bad`` may yet turn out to have its cause further up.

    That is so while something above has an unconfirmed failure, or has not been looked at since the failure began;
    neither is waited for without end. ``looks`` holds what is watched of everything above.
    """
    if now >= held_since + timedelta(seconds=LONGEST_HOLD_S):
        return False
    patient = now < held_since + timedelta(seconds=HOLD_S)
    roots: dict[int, int | None] = {}

    def suspect(each: int) -> bool:
        look = looks.get(each)
        if look is None:
            return False
        unseen = look.last_started is None or look.last_started < first_bad
        return look.failing or look.soft or (patient and unseen)

    for each in sorted(graph.above((service,)), key=graph.rank):
        roots[each] = root_of(graph, each, suspect, roots)
    return root_of(graph, service, suspect, roots) is not None
