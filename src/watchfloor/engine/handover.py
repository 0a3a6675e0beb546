"""What a node finds undone with services that it takes over from others. No I/O.

A node that died took with it what it had begun; one that lives, or went in good order, still books it. So after the
first whatever was not booked is done again, after the second only what was due after it let go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from watchfloor.domain.sharing import owner
from watchfloor.domain.slots import phase, slot_at
from watchfloor.engine.node import nanoseconds
from watchfloor.store.services import LastCheck, Service
from watchfloor.store.sharing import Peer

Nodes = Mapping[int, Collection[str]]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What was left undone with a service by the node that checked it before."""

    when_ns: int  # due at this moment, of UTC since 1970: a slot that passed, or when to look again
    retry: bool  # it is the next look at an unconfirmed problem


def left_undone(
    service: Service, before: Nodes, peers: Mapping[int, Peer], me: int, last: LastCheck, now_ns: int
) -> TakenOver | None:
    """What to do with a service that node ``me`` gains, besides going on in its rhythm; None: nothing.

    ``before`` are the nodes, with their tags, among which services were shared out before. One with a quorum has
    other watchers, who went on meanwhile.
    """
    able = [each for each, tags in before.items() if all(tag in tags for tag in service.on_nodes)]
    previous = owner(str(service.uuid), able)
    if previous is None or previous == me or service.quorum > 1 or last.started is None:
        return None
    done_ns = nanoseconds(last.started)
    peer = peers.get(previous)
    if peer is not None and (peer.shares or peer.left):
        if peer.let_go_at is None or (peer.shares and me not in peer.sees):
            return None  # it may be at it
        done_ns = max(done_ns, nanoseconds(peer.let_go_at) - 1)
    interval_ns = service.every_ms * 1_000_000
    slot_ns = slot_at(now_ns, interval_ns, phase(str(service.uuid), interval_ns))
    missed = slot_ns // 1000 > done_ns // 1000  # what is stored is cut to microseconds
    if last.soft and last.ended is not None:
        again_ns = nanoseconds(last.ended) + service.retry_every_ms * 1_000_000
        return TakenOver(slot_ns if missed else max(again_ns, done_ns), retry=True)
    return TakenOver(slot_ns, retry=False) if missed else None
