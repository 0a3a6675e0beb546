"""Rules between several keys and several entries: unique names, names that exist, no cycles, times that fit.

They look at whatever could be read, so that one mistake never hides another. This module must never look
at the settings of a kind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from watchfloor.config.document import Mark, Node
from watchfloor.config.problems import Mistakes, Path, quoted, suggest
from watchfloor.domain.durations import format_duration
from watchfloor.domain.rules import BUILT_IN

MAX_CYCLES = 50
"""One tangle of services can hold very many cycles; nobody reads more than this."""

MAX_SUGGESTIONS = 100
"""Searching thousands of names for a close one takes time; after this many the reader has the idea."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list of the file: its node, and its common keys with references resolved."""

    node: Node
    path: Path
    keys: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""
        name = self.keys.get("name")
        return name if isinstance(name, str) else None

    def texts(self, *path: str) -> Iterable[tuple[Mark, Path, str]]:
        """Every text of the list at a path, with its place."""
        values: Any = self.keys
        for part in path:
            values = values.get(part) if isinstance(values, dict) else None
        if isinstance(values, list):
            for at, value in enumerate(values):
                if isinstance(value, str):
                    yield self.node.mark_of((*path, at)), (*self.path, *path, at), value


def check_unique(what: str, entries: Iterable[Entry], mistakes: Mistakes) -> None:
    """No two entries of a list have the same name."""
    first: dict[str, int] = {}
    for entry in entries:
        if entry.name is None:
            continue
        mark = entry.node.mark_of(("name",))
        if entry.name in first:
            message = f"the name {quoted(entry.name)} is taken by the {what} on line {first[entry.name]}"
            mistakes.add(mark, (*entry.path, "name"), message, hint="Give each its own name.")
        first.setdefault(entry.name, mark[0])


class _Names:
    """The names that entries may refer to, and the remedy where one does not exist."""

    def __init__(self, what: str, names: Iterable[str | None], advice: str) -> None:
        """``what`` completes "there is no …"; ``advice`` is the remedy where no name is close."""
        self._what, self._advice = what, advice
        self._names = [name for name in names if name is not None]
        self._set = frozenset(self._names)
        self._suggestions = MAX_SUGGESTIONS

    def require(self, name: str, mark: Mark, path: Path, mistakes: Mistakes) -> None:
        """Note a mistake where a name does not exist."""
        if name in self._set:
            return
        question = ""
        if self._suggestions:
            self._suggestions -= 1
            question = suggest(name, self._names)
        mistakes.add(mark, path, f"there is no {self._what} {quoted(name)}", hint=question or self._advice)


def check_dependencies(services: Sequence[Entry], mistakes: Mistakes) -> None:
    """Every service that another depends on exists, and none depends on itself, however indirectly."""
    known = {entry.name: entry for entry in services if entry.name is not None}
    names = _Names("service in this file called", known, "Name a service of this file.")
    for entry in services:
        for mark, path, name in entry.texts("depends_on"):
            names.require(name, mark, path, mistakes)
    edges = {name: [to for _, _, to in entry.texts("depends_on")] for name, entry in known.items()}
    for cycle in islice(_cycles(edges), MAX_CYCLES):
        entry = known[cycle[0]]
        shown = " → ".join(map(quoted, cycle if len(cycle) <= 12 else [*cycle[:6], "…", *cycle[-5:]]))
        mistakes.add(
            entry.node.mark_of(("depends_on",)),
            (*entry.path, "depends_on"),
            f"services depend on each other in a circle: {shown}",
            hint="Remove one of these dependencies.",
        )


def _cycles(edges: Mapping[str, Sequence[str]]) -> Iterable[list[str]]:
    """One cycle for each edge that closes one, without recursion: chains may be as long as the file."""
    done: set[str] = set()
    for start in edges:
        trail: dict[str, int] = {}
        stack = [(start, iter(edges[start]))] if start not in done else []
        trail.update({start: 0} if stack else {})
        while stack:
            name, onward = stack[-1]
            following = next(onward, None)
            if following is None:
                stack.pop()
                del trail[name]
                done.add(name)
            elif following in trail:
                yield [*list(trail)[trail[following] :], following]
            elif following in edges and following not in done:
                trail[following] = len(trail)
                stack.append((following, iter(edges[following])))


def check_rules(
    rules: Iterable[Entry],
    services: Iterable[Entry],
    channels: Iterable[Entry],
    kinds: Collection[str],
    mistakes: Mistakes,
) -> None:
    """Rules name services, kinds and channels that exist, and none takes the name of the built-in rule."""
    advice = 'Name one of this file, or write a pattern such as "shop-*".'
    service_names = _Names("service in this file called", (entry.name for entry in services), advice)
    channel_names = _Names("channel in this file called", (entry.name for entry in channels), "Add it.")
    kind_names = _Names("kind of service called", kinds, f"Known kinds: {', '.join(sorted(kinds))}.")
    for rule in rules:
        if rule.name == BUILT_IN:
            message = f"the name {quoted(BUILT_IN)} belongs to the built-in rule"
            mark = rule.node.mark_of(("name",))
            mistakes.add(mark, (*rule.path, "name"), message, hint="Choose another name.")
        for mark, path, name in rule.texts("when", "services"):
            if not any(sign in name for sign in "*?["):
                service_names.require(name, mark, path, mistakes)
        for mark, path, name in rule.texts("when", "kinds"):
            kind_names.require(name, mark, path, mistakes)
        for mark, path, name in rule.texts("channels"):
            channel_names.require(name, mark, path, mistakes)


def check_times(entry: Entry, every_s: float, own: Mapping[str, float | None], mistakes: Mistakes) -> None:
    """A time-out and a retry that a service writes itself fit into its interval. Times in seconds."""
    for key, seconds in own.items():
        if seconds is not None and seconds > every_s:
            mistakes.add(
                entry.node.mark_of((key,)),
                (*entry.path, key),
                "is longer than the interval of the checks",
                found=format_duration(seconds),
                allowed=f"at most {format_duration(every_s)}",
                hint='Make it shorter, or "every" longer.',
            )
