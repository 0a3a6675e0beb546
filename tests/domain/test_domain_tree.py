"""The tree of dependencies: the root cause marked, groups shown, never endless however many there are."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.reach import Needs
from watchfloor.domain.tree import DEEPEST, MOST, WIDEST, Children, Leaf, Tree, tree


def shape(found: Tree) -> list[tuple[int, str]]:
    return [(len(each.more), each.words) for each in found.up]


def test_what_is_needed_stands_below_with_its_own_needs() -> None:
    router = Leaf(1, "router", "failing")
    database = Leaf(2, "database", "failing", root=1, needs=Needs((1,)))
    shop = Leaf(3, "shop", "failing", root=1, needs=Needs((2,)))
    found = tree(shop, {1: router, 2: database, 3: shop}, {})
    assert shape(found) == [(1, "database"), (2, "router")]
    assert [(each.is_root, each.notes) for each in found.up] == [
        (False, ("out of reach",)),
        (True, ("root cause",)),
    ]
    assert (found.root, found.needs, found.needed_by) == ("router", 1, 0)


def test_a_group_says_how_many_of_it_are_within_reach() -> None:
    leaves = {1: Leaf(1, "a", "failing"), 2: Leaf(2, "b", "ok"), 3: Leaf(3, "power", "ok")}
    shop = Leaf(4, "shop", "ok", needs=Needs((3,), ((1, 2),)))
    found = tree(shop, leaves, {})
    assert shape(found) == [(1, "power"), (1, "one of 2, 1 within reach"), (2, "a"), (2, "b")]
    assert [each.more for each in found.up] == [(True,), (False,), (False, True), (False, False)]


def test_what_stands_twice_has_its_branches_once() -> None:
    leaves = {
        1: Leaf(1, "power", "ok"),
        2: Leaf(2, "switch", "ok", needs=Needs((1,))),
        3: Leaf(3, "a", "ok", needs=Needs((2,))),
        4: Leaf(4, "b", "ok", needs=Needs((2,))),
    }
    found = tree(Leaf(5, "shop", "ok", needs=Needs((3, 4))), leaves, {})
    assert shape(found) == [(1, "a"), (2, "switch"), (3, "power"), (1, "b"), (2, "switch")]
    assert found.up[-1].notes == ("drawn above",)


def test_ten_thousand_children_are_counted_and_folded() -> None:
    named = tuple(Leaf(each, f"s{each}", "failing", root=1) for each in range(2, 2 + WIDEST))
    below = Children(named, {"failing": 9_990, "ok": 10}, lost=9_990)
    found = tree(Leaf(1, "router", "failing"), {}, {1: below})
    assert len(found.down) == WIDEST + 1
    assert found.down[-1].words == "and 9 988 more: 9 978 failing, 10 ok"
    assert (found.needed_by, found.lost) == (10_000, 9_990)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.booleans()), max_size=120))
def test_whatever_needs_whatever_the_tree_ends(edges: list[tuple[int, int, bool]]) -> None:
    """Circles too: the domain refuses them on write, but what is drawn must not depend on it."""
    needs: dict[int, tuple[list[int], list[int]]] = {each: ([], []) for each in range(31)}
    for child, parent, grouped in edges:
        needs[child][grouped].append(parent)
    leaves = {
        each: Leaf(each, f"s{each}", "ok", needs=Needs(tuple(all_of), (tuple(any_of),) if any_of else ()))
        for each, (all_of, any_of) in needs.items()
    }
    children = {
        each: Children(
            tuple(leaves[child] for child in range(31) if each in leaves[child].needs.ids)[:WIDEST],
            {"ok": sum(each in leaf.needs.ids for leaf in leaves.values())},
        )
        for each in range(31)
    }
    found = tree(leaves[0], leaves, children)
    for lines in (found.up, found.down):
        assert len(lines) <= MOST + 1
        assert "s0" not in [each.words for each in lines]
        for before, after in pairwise(lines):
            assert len(after.more) <= len(before.more) + 1
    assert all(len(each.more) <= 2 * DEEPEST + 1 for each in found.up)
