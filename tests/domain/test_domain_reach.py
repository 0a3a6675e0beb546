"""Reachability, held to a second model that asks the definition again for every service after every change."""

from __future__ import annotations

import os
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.make import at
from watchfloor.domain.reach import HOLD_S, LONGEST_HOLD_S, Graph, Look, Needs, in_doubt, root_of, spread


@st.composite
def graphs(draw: st.DrawFn) -> dict[int, Needs]:
    """Services that need services with smaller numbers, under shuffled names."""
    size = draw(st.integers(1, 9))
    names = draw(st.permutations(range(1, size + 1)))
    needs = {}
    for place, name in enumerate(names):
        before = st.sampled_from(names[:place]) if place else st.nothing()
        group = st.lists(before, min_size=1, max_size=3, unique=True).map(tuple) if place else st.nothing()
        all_of = draw(st.lists(before, max_size=2, unique=True)) if place else []
        any_of = draw(st.lists(group, max_size=2)) if place else []
        needs[name] = Needs(tuple(all_of), tuple(any_of))
    return needs


def out_of_reach(needs: dict[int, Needs], bad: set[int], service: int) -> bool:
    """The definition, word for word."""

    def gone(parent: int) -> bool:
        return parent in bad or out_of_reach(needs, bad, parent)

    of = needs[service]
    return any(gone(parent) for parent in of.all_of) or any(
        all(gone(member) for member in group) for group in of.any_of
    )


@settings(max_examples=400)
@given(graphs(), st.lists(st.sets(st.integers(1, 9), min_size=1, max_size=3), max_size=12))
def test_after_every_change_everyone_is_where_the_definition_says(
    needs: dict[int, Needs], changes: list[set[int]]
) -> None:
    graph, bad, roots = Graph(needs), set[int](), dict[int, int | None]()
    for flipped in changes:
        flipped &= set(needs)
        bad ^= flipped
        known = {each: roots.get(each) for each in graph.concerned(flipped)}
        for service, root in spread(graph, flipped, bad.__contains__, known).items():
            assert roots.get(service) != root
            roots[service] = root
        for service in needs:
            root = roots.get(service)
            assert (root is not None) is out_of_reach(needs, bad, service)
            if root is not None:
                assert root in bad
                assert not out_of_reach(needs, bad, root), "a root cause stands on solid ground"
                assert root in graph.above((service,))


@given(graphs(), st.sets(st.integers(1, 9)), st.randoms())
def test_the_order_in_which_failures_come_does_not_matter(
    needs: dict[int, Needs], bad: set[int], chance: random.Random
) -> None:
    graph, ends = Graph(needs), []
    for _ in range(3):
        order = sorted(bad & set(needs))
        chance.shuffle(order)
        roots: dict[int, int | None] = {}
        seen: set[int] = set()
        for each in order:
            seen.add(each)
            roots.update(spread(graph, (each,), seen.__contains__, roots))
        ends.append({service: root for service, root in roots.items() if root is not None})
    assert ends[0] == ends[1] == ends[2]


def test_a_group_is_lost_only_with_its_last_member() -> None:
    graph = Graph({1: Needs(), 2: Needs(), 3: Needs((), ((1, 2),))})
    assert spread(graph, (1,), {1}.__contains__, {}) == {}
    assert spread(graph, (2,), {1, 2}.__contains__, {}) == {3: 1}


def test_a_service_that_answers_but_is_out_of_reach_hands_its_root_down() -> None:
    graph = Graph({1: Needs(), 2: Needs((1,)), 3: Needs((2,))})
    assert spread(graph, (1,), {1}.__contains__, {}) == {2: 1, 3: 1}


def test_a_circle_that_got_into_the_database_needs_nothing_and_ends() -> None:
    graph = Graph({1: Needs((2,)), 2: Needs((1,)), 3: Needs((2,)), 4: Needs()})
    assert graph.circular == {1, 2, 3}
    assert spread(graph, (1, 2), {1, 2}.__contains__, {}) == {}


def test_names_that_are_not_watched_are_left_out() -> None:
    graph = Graph({1: Needs((9,), ((8, 7),)), 2: Needs((), ((9, 1),))})
    assert graph.needs(1) == Needs()
    assert graph.needs(2) == Needs((), ((1,),))


def test_a_chain_as_long_as_a_file_is_followed_without_recursion() -> None:
    graph = Graph({n: Needs((n - 1,)) if n else Needs() for n in range(20_000)})
    assert len(spread(graph, (0,), {0}.__contains__, {})) == 19_999
    assert root_of(graph, 19_999, {0}.__contains__, {19_998: 0}) == 0


def test_work_is_what_changes_not_what_is_watched() -> None:
    asked = 0
    needs = {0: Needs(), 1: Needs(), 2: Needs((1,))} | {n: Needs((0,)) for n in range(3, 10_003)}

    def failing(service: int) -> bool:
        nonlocal asked
        asked += 1
        return service == 1

    assert spread(Graph(needs), (1,), failing, {}) == {2: 1}
    assert asked <= 2


ONE_ABOVE = Graph({1: Needs(), 2: Needs((1,))})


@pytest.mark.parametrize(
    ("look", "waited", "wanted"),
    [
        (Look(False, False, at(-1)), 0.0, True),
        (Look(False, False, None), 0.0, True),
        (Look(False, False, at(0)), 0.0, False),
        (Look(False, False, at(-1)), HOLD_S, False),
        (Look(False, True, at(1)), HOLD_S, True),
        (Look(False, True, at(1)), LONGEST_HOLD_S, False),
        (Look(True, False, at(1)), HOLD_S, True),
    ],
)
def test_a_failure_is_doubted_while_something_above_was_not_seen_or_is_not_sure(
    look: Look, waited: float, wanted: bool
) -> None:
    now = at(1) + timedelta(seconds=waited)
    assert in_doubt(ONE_ABOVE, 2, at(0), at(1), {1: look}, now) is wanted


def test_what_is_not_watched_above_is_not_waited_for() -> None:
    assert not in_doubt(ONE_ABOVE, 2, at(0), at(1), {}, at(1))


def test_of_a_group_one_good_member_ends_the_doubt() -> None:
    graph = Graph({1: Needs(), 2: Needs(), 3: Needs((), ((1, 2),))})
    looks = {1: Look(False, True, at(1)), 2: Look(False, False, at(1))}
    assert not in_doubt(graph, 3, at(0), at(1), looks, at(2))


def orders(count: int) -> int:
    """How many orders are tried; WATCHFLOOR_ORDERS says otherwise."""
    return int(os.environ.get("WATCHFLOOR_ORDERS", count))


def test_a_thousand_children_in_a_thousand_orders_have_one_root() -> None:
    """Children before, after and around their parent: every one ends out of reach, and none is spoken of before."""
    children = range(1, 1001)
    graph = Graph({0: Needs(), **{child: Needs((0,)) for child in children}})
    for seed in range(orders(1000)):
        order = [0, *children]
        random.Random(seed).shuffle(order)
        failing: set[int] = set()
        roots: dict[int, int | None] = {}
        unseen = {0: Look(False, False, at(-30))}
        at_parent = order.index(0)
        for each in order[:at_parent]:
            failing.add(each)
        assert all(
            in_doubt(graph, each, at(0), at(1), unseen, at(2)) for each in order[: min(at_parent, 3)]
        ), "what failed before its parent did is held back"
        failing.add(0)
        roots.update(spread(graph, (0,), failing.__contains__, roots))
        failing.update(order)
        assert {root for child in children if (root := roots[child]) is not None} == {0}
        assert [each for each in order if roots.get(each) is None] == [0]


def test_ten_thousand_services_behind_one_router_have_one_root() -> None:
    graph = Graph({0: Needs(), **{child: Needs((0,)) for child in range(1, 10_001)}})
    roots = spread(graph, (0,), {0}.__contains__, {})
    assert set(roots.values()) == {0}
    assert len(roots) == 10_000
    assert spread(graph, (0,), set[int]().__contains__, roots) == dict.fromkeys(range(1, 10_001))
