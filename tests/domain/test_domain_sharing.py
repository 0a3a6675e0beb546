"""Sharing out services: everyone agrees, loads are even, and nothing moves without need."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.sharing import owner, watchers

SERVICES = [str(UUID(int=number)) for number in range(2_000)]
nodes = st.sets(st.integers(1, 10_000), min_size=1, max_size=8)


def shares(node_ids: set[int]) -> dict[str, int | None]:
    return {uuid: owner(uuid, node_ids) for uuid in SERVICES[:200]}


def test_no_node_owns_nothing():
    assert owner("a", []) is None


def test_the_owner_is_the_same_in_every_process():
    assert [owner(uuid, [1, 2, 3]) for uuid in SERVICES[:8]] == [1, 3, 3, 2, 1, 1, 1, 3]


@given(nodes, st.randoms())
def test_the_order_of_nodes_is_irrelevant(node_ids, random):
    shuffled = list(node_ids)
    random.shuffle(shuffled)
    assert owner(SERVICES[0], shuffled) == owner(SERVICES[0], node_ids)


@given(nodes, st.data())
def test_only_the_services_of_a_dead_node_move(node_ids, data):
    dead = data.draw(st.sampled_from(sorted(node_ids)))
    before, after = shares(node_ids), shares(node_ids - {dead})
    assert {uuid for uuid in before if before[uuid] != after[uuid]} == {
        u for u in before if before[u] == dead
    }


@given(nodes, st.integers(10_001, 20_000))
def test_a_new_node_only_takes_and_leaves_the_rest_where_it_was(node_ids, new):
    before, after = shares(node_ids), shares(node_ids | {new})
    assert all(after[uuid] in (before[uuid], new) for uuid in before)


def test_loads_are_even():
    counted = Counter(owner(uuid, range(1, 6)) for uuid in SERVICES)
    assert len(counted) == 5
    assert all(320 < load < 480 for load in counted.values())


TAGS = st.dictionaries(st.integers(1, 50), st.sets(st.sampled_from(["eu", "us", "dmz"])), max_size=8)


@given(TAGS, st.sets(st.sampled_from(["eu", "us", "dmz"])), st.integers(1, 4))
def test_only_nodes_with_every_tag_check_and_a_quorum_is_a_majority_of_them(tags, wanted, quorum):
    able = {node for node, own in tags.items() if wanted <= own}
    found = watchers(SERVICES[0], tags, wanted, quorum)
    assert len(set(found)) == len(found) == min(len(able), 2 * quorum - 1)
    assert set(found) <= able
    assert (found[0] if found else None) == owner(SERVICES[0], able)


@given(TAGS, st.integers(1, 4), st.data())
def test_when_a_node_goes_only_its_own_seat_is_filled_anew(tags, quorum, data):
    before = watchers(SERVICES[1], tags, (), quorum)
    if not before:
        return
    dead = data.draw(st.sampled_from(before))
    after = watchers(SERVICES[1], {node: own for node, own in tags.items() if node != dead}, (), quorum)
    assert [node for node in before if node != dead] == list(after[: len(before) - 1])
