"""What a service needs and what needs it, as a tree: the root cause marked, groups shown, nothing endless.

What stands in several places has its branches at the first of them. A circle cannot be drawn: what a branch hangs on
is never drawn again below it. This module must never look at storage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from watchfloor.domain.reach import NOTHING, Needs
from watchfloor.domain.words import count

DEEPEST = 6
"""Levels that are drawn of what a service needs."""
MOST = 60
"""Lines of one direction; what is beyond is counted."""
WIDEST = 12
"""Services that are named of those that need one; the others are counted."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A service as the tree shows it. ``root`` is the service that puts it out of reach."""

    id: int
    name: str
    state: str  # ok, degraded, failing, unknown, pending, paused
    root: int | None = None
    needs: Needs = NOTHING


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of a tree. ``more`` says of each level above it, and of its own, whether something follows there.

    ``state`` is empty for a line that is no service: the head of a group, or what is not drawn, counted.
    """

    more: tuple[bool, ...]
    words: str
    state: str = ""
    id: int | None = None
    notes: tuple[str, ...] = ()  # in words: root cause, out of reach, drawn above
    is_root: bool = False


@dataclass(frozen=True, slots=True)
class Children:
    """Those that need a service: the most urgent of them, and how many there are by state."""

    named: tuple[Leaf, ...] = ()
    states: Mapping[str, int] = field(default_factory=dict)
    lost: int = 0  # of all of them, those out of reach

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Tree:
    """Both directions. ``needs`` and ``needed_by`` count what is directly above and below."""

    up: tuple[Branch, ...] = ()
    down: tuple[Branch, ...] = ()
    needs: int = 0
    needed_by: int = 0
    lost: int = 0  # of those that need it, how many are out of reach
    root: str = ""  # the root cause, where something above is it


def tree(service: Leaf, leaves: Mapping[int, Leaf], children: Mapping[int, Children]) -> Tree:
    """The tree around ``service``. ``leaves`` holds everything above it, ``children`` what is below, by parent."""
    up = _Drawing(lambda leaf: _notes(leaf, service.root), service.root)
    up.draw_needs(service.needs, leaves, (), (service.id,))
    down = _Drawing(lambda leaf: _notes(leaf, None), None)
    down.draw_children(service.id, children, (), (service.id,))
    root = leaves.get(service.root) if service.root is not None else None
    below = children.get(service.id, Children())
    named = len(dict.fromkeys(service.needs.ids))
    return Tree(tuple(up.lines), tuple(down.lines), named, below.total, below.lost, root.name if root else "")


def _notes(leaf: Leaf, root: int | None) -> tuple[str, ...]:
    if leaf.id == root:
        return ("root cause",)
    return ("out of reach",) if leaf.root is not None and leaf.state == "failing" else ()


class _Drawing:
    """The lines of one direction, as far as there is room for them."""

    def __init__(self, notes: Callable[[Leaf], tuple[str, ...]], root: int | None) -> None:
        self.lines: list[Branch] = []
        self._notes, self._root = notes, root
        self._drawn: set[int] = set()

    def draw_needs(
        self, needs: Needs, leaves: Mapping[int, Leaf], above: tuple[bool, ...], path: tuple[int, ...]
    ) -> None:
        """What a service needs: all of some, then the groups of which one is enough."""
        known = [leaves[each] for each in dict.fromkeys(needs.all_of) if each in leaves]
        groups = [[leaves[each] for each in group if each in leaves] for group in needs.any_of]
        groups = [group for group in groups if group]
        last = len(known) + len(groups) - 1
        for place, leaf in enumerate(known):
            self._need(leaf, leaves, (*above, place < last), path)
        for place, group in enumerate(groups, len(known)):
            here = (*above, place < last)
            well = sum(not _lost(leaf) for leaf in group)
            if not self._add(Branch(here, f"one of {len(group)}, {well} within reach")):
                return
            for member, leaf in enumerate(group):
                self._need(leaf, leaves, (*here, member < len(group) - 1), path)

    def _need(
        self, leaf: Leaf, leaves: Mapping[int, Leaf], here: tuple[bool, ...], path: tuple[int, ...]
    ) -> None:
        if leaf.id in path or not self._service(leaf, here) or not leaf.needs.ids:
            return
        if len(here) < DEEPEST:
            self.draw_needs(leaf.needs, leaves, here, (*path, leaf.id))
        else:
            self._add(Branch((*here, False), f"and {count(len(leaf.needs.ids), 'service')} that it needs"))

    def draw_children(
        self, parent: int, children: Mapping[int, Children], above: tuple[bool, ...], path: tuple[int, ...]
    ) -> None:
        """Those that need a service, the most urgent of them by name."""
        found = children.get(parent)
        if found is None:
            return
        named = [leaf for leaf in found.named[:WIDEST] if leaf.id not in path]
        left = found.total - len(named)
        for place, leaf in enumerate(named):
            here = (*above, place < len(named) - 1 or left > 0)
            if self._service(leaf, here):
                self.draw_children(leaf.id, children, here, (*path, leaf.id))
        if left > 0:
            self._add(Branch((*above, False), _folded(found, named, left)))

    def _service(self, leaf: Leaf, here: tuple[bool, ...]) -> bool:
        """Draw a service; whether what hangs on it is to be drawn, too."""
        again = leaf.id in self._drawn and bool(leaf.needs.ids)
        notes = (*self._notes(leaf), *(("drawn above",) if again else ()))
        drawn = self._add(Branch(here, leaf.name, leaf.state, leaf.id, notes, leaf.id == self._root))
        self._drawn.add(leaf.id)
        return drawn and not again

    def _add(self, line: Branch) -> bool:
        if len(self.lines) < MOST:
            self.lines.append(line)
            return True
        if self.lines[-1].words != "and more that is not drawn":
            self.lines.append(Branch((False,), "and more that is not drawn"))
        return False


def _lost(leaf: Leaf) -> bool:
    return leaf.state == "failing" or leaf.root is not None


def _folded(found: Children, named: Sequence[Leaf], left: int) -> str:
    """Those that are not named, counted by state.

    >>> _folded(Children(states={"ok": 9000, "failing": 3}), [Leaf(1, "a", "failing")], 9002)
    'and 9 002 more: 2 failing, 9 000 ok'
    """
    states = dict(found.states)
    for leaf in named:
        states[leaf.state] = states.get(leaf.state, 0) - 1
    order = ("failing", "degraded", "unknown", "pending", "ok", "paused")
    words = [f"{states[word]:,} {word}".replace(",", " ") for word in order if states.get(word, 0) > 0]
    return f"and {left:,} more: ".replace(",", " ") + ", ".join(words)
