"""What a node finds undone with services that it takes over: nothing is forgotten, nothing is done twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from support.engines import stored_service
from watchfloor.domain.sharing import owner
from watchfloor.domain.slots import phase, slot_at
from watchfloor.engine.handover import TakenOver, left_undone
from watchfloor.engine.node import moment
from watchfloor.store.services import LastCheck
from watchfloor.store.sharing import Peer

NS = 1_000_000_000
ME = 9
SERVICE = stored_service("shop", every_ms=30_000, retry_every_ms=5_000)
NODES: dict[int, tuple[str, ...]] = {1: (), 2: (), 3: ()}
THEIRS = owner(str(SERVICE.uuid), NODES)
NOW_NS = int(datetime(2031, 5, 5, 12, tzinfo=UTC).timestamp()) * NS
SLOT_NS = slot_at(NOW_NS, 30 * NS, phase(str(SERVICE.uuid), 30 * NS))
SLOT = moment(SLOT_NS)
SECOND = timedelta(seconds=1)


def last(started: datetime, *, soft: bool = False) -> LastCheck:
    return LastCheck(started, started + SECOND, soft)


def peer(
    *, let_go_at: datetime | None = None, shares: bool = False, left: bool = False, sees: int = ME
) -> Peer:
    assert THEIRS is not None
    return Peer(THEIRS, (), frozenset({sees}), let_go_at, shares, left)


def undone(
    peers: list[Peer], found: LastCheck, before: dict[int, tuple[str, ...]] = NODES
) -> TakenOver | None:
    return left_undone(SERVICE, before, {each.id: each for each in peers}, ME, found, NOW_NS)


def test_the_slot_that_a_dead_node_did_not_book_is_used_at_once() -> None:
    assert undone([peer()], last(SLOT - 20 * SECOND)) == TakenOver(SLOT_NS, retry=False)
    assert undone([], last(SLOT - 20 * SECOND)) == TakenOver(SLOT_NS, retry=False)


def test_a_slot_that_was_booked_is_not_used_again() -> None:
    assert undone([peer()], last(SLOT)) is None


def test_what_a_node_began_before_it_let_go_is_left_to_it() -> None:
    for how in ({"left": True}, {"shares": True}):
        before = [peer(let_go_at=SLOT + SECOND / 1000, **how)]
        assert undone(before, last(SLOT - 20 * SECOND)) is None
        after = [peer(let_go_at=SLOT, **how)]
        assert undone(after, last(SLOT - 20 * SECOND)) == TakenOver(SLOT_NS, retry=False)


def test_a_node_that_has_not_let_go_yet_may_still_be_at_it() -> None:
    assert undone([peer(let_go_at=SLOT, shares=True, sees=4)], last(SLOT - 20 * SECOND)) is None
    assert undone([peer(shares=True)], last(SLOT - 20 * SECOND)) is None


def test_an_unconfirmed_problem_is_looked_at_again_when_it_would_have_been() -> None:
    found = undone([peer()], last(SLOT + SECOND, soft=True))
    assert found is not None
    assert found.retry
    assert abs(found.when_ns - SLOT_NS - 7 * NS) < 1000


def test_nothing_is_undone_where_there_was_no_other_node() -> None:
    assert undone([], last(SLOT - 20 * SECOND), {}) is None
    assert undone([], last(SLOT - 20 * SECOND), {ME: ()}) is None
