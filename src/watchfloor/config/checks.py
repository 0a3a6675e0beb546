"""Rules between several keys and several entries: unique names, names that exist, no cycles, times that fit.

They look at whatever could be read, so that one mistake never hides another. This module must never look
at the settings of a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from watchfloor.config.document import Mark, Node
from watchfloor.config.problems import Mistakes, Path, quoted, suggest
from watchfloor.domain.circles import cycles
from watchfloor.domain.durations import format_duration
from watchfloor.domain.rules import BUILT_IN, OWN_RULES

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


class Names:
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
    names = Names("service in this file called", known, "Name a service of this file.")
    for entry in services:
        for mark, path, name in _dependencies(entry):
            names.require(name, mark, path, mistakes)
    edges = {name: [to for _, _, to in _dependencies(entry)] for name, entry in known.items()}
    for cycle in islice(cycles(edges), MAX_CYCLES):
        entry = known[cycle[0]]
        mistakes.add(
            entry.node.mark_of(("depends_on",)),
            (*entry.path, "depends_on"),
            f"services depend on each other in a circle: {shown(cycle)}",
            hint="Remove one of these dependencies.",
        )


def _dependencies(entry: Entry) -> Iterable[tuple[Mark, Path, str]]:
    """Every service that another needs, alone or in a group, with its place."""
    yield from entry.texts("depends_on")
    needs = entry.keys.get("depends_on")
    for at, group in enumerate(needs if isinstance(needs, list) else ()):
        members = group.get("any_of") if isinstance(group, dict) else None
        for number, name in enumerate(members if isinstance(members, list) else ()):
            if isinstance(name, str):
                place = ("depends_on", at, "any_of", number)
                yield entry.node.mark_of(place), (*entry.path, *place), name


def check_windows(windows: Sequence[Entry], mistakes: Mistakes) -> None:
    """Windows open with windows that exist and open by themselves."""
    by_themselves = (entry.name for entry in windows if "opens_with" not in entry.keys)
    names = Names("window in this file that opens by itself called", by_themselves, "Add it.")
    for entry in windows:
        opens_with = entry.keys.get("opens_with")
        if isinstance(opens_with, str):
            mark = entry.node.mark_of(("opens_with",))
            names.require(opens_with, mark, (*entry.path, "opens_with"), mistakes)


def check_chains(
    jobs: Sequence[Entry], settings_of: Callable[[str], Collection[str]], mistakes: Mistakes
) -> None:
    """Every job that another starts exists, takes the parameters it is given, and never leads back to itself.

    ``settings_of`` gives the settings of a kind of job; none where there is no such kind.
    """
    known = {entry.name: entry for entry in jobs if entry.name is not None}
    names = Names("job in this file called", known, "Name a job of this file.")
    edges: dict[str, list[str]] = {}
    for entry in jobs:
        for at, link in enumerate(_mappings(entry.keys.get("then"))):
            name = link.get("job")
            if isinstance(name, str):
                place = ("then", at, "job")
                names.require(name, entry.node.mark_of(place), (*entry.path, *place), mistakes)
                edges.setdefault(entry.name or "", []).append(name)
                if name in known:
                    place = ("then", at, "parameters")
                    check_parameters(entry, place, link.get("parameters"), known[name], settings_of, mistakes)
    for cycle in islice(cycles(edges), MAX_CYCLES):
        entry = known[cycle[0]]
        mistakes.add(
            entry.node.mark_of(("then",)),
            (*entry.path, "then"),
            f"jobs start each other in a circle: {shown(cycle)}",
            hint="Remove one of these links.",
        )


def check_parameters(
    entry: Entry,
    place: Path,
    given: object,
    job: Entry,
    settings_of: Callable[[str], Collection[str]],
    mistakes: Mistakes,
) -> None:
    """What is ``given`` to a run at ``place`` in an entry are settings of the kind of that job."""
    kind = job.keys.get("kind")
    names = settings_of(kind) if isinstance(kind, str) else ()
    for key in given if isinstance(given, dict) and names else ():
        if key not in names:
            hint = suggest(key, list(names)) or f"Known ones: {', '.join(sorted(names))}."
            mistakes.add(
                entry.node.mark_of((*place, key)),
                (*entry.path, *place, key),
                f"is not a setting of the kind {kind}",
                hint=hint,
            )


def check_calendars(jobs: Iterable[Entry], calendars: Iterable[Entry], mistakes: Mistakes) -> None:
    """Schedules name calendars that exist."""
    names = Names(
        "calendar in this file called", (entry.name for entry in calendars), "Add it under calendars."
    )
    for entry in jobs:
        for at, schedule in enumerate(_mappings(entry.keys.get("schedules"))):
            named = schedule.get("calendars")
            for number, name in enumerate(named if isinstance(named, list) else ()):
                place = ("schedules", at, "calendars", number)
                if isinstance(name, str):
                    names.require(name, entry.node.mark_of(place), (*entry.path, *place), mistakes)


def _mappings(value: Any) -> list[dict[str, Any]]:
    """The mappings in what should be a list of mappings; what is not one is noted elsewhere."""
    return [each if isinstance(each, dict) else {} for each in value] if isinstance(value, list) else []


def shown(cycle: list[str]) -> str:
    """A circle of names, shortened where it is long."""
    return " → ".join(map(quoted, cycle if len(cycle) <= 12 else [*cycle[:6], "…", *cycle[-5:]]))


def check_rules(
    rules: Iterable[Entry],
    services: Iterable[Entry],
    channels: Iterable[Entry],
    kinds: Collection[str],
    mistakes: Mistakes,
) -> None:
    """Rules name services, kinds and channels that exist, and none takes the name of the built-in rule."""
    channel_names = Names("channel in this file called", (entry.name for entry in channels), "Add it.")
    rules = list(rules)
    for rule in rules:
        if rule.name in (BUILT_IN, *OWN_RULES):
            message = f"the name {quoted(rule.name)} belongs to the built-in rule"
            mark = rule.node.mark_of(("name",))
            mistakes.add(mark, (*rule.path, "name"), message, hint="Choose another name.")
        for mark, path, name in rule.texts("channels"):
            channel_names.require(name, mark, path, mistakes)
    check_selectors(rules, "when", services, kinds, mistakes)


def check_asked(
    rules: Iterable[Entry], jobs: Iterable[Entry], objectives: Iterable[Entry], mistakes: Mistakes
) -> None:
    """Jobs and objectives that rules ask about exist, where they are named and not matched by a pattern."""
    known = {
        "jobs": Names(
            "job in this file called", (each.name for each in jobs), 'Write a pattern such as "shop-*".'
        ),
        "objectives": Names(
            "objective in this file called", (each.name for each in objectives), "Add it under objectives."
        ),
    }
    for rule in rules:
        for key, names in known.items():
            for mark, path, name in rule.texts(key):
                if not any(sign in name for sign in "*?["):
                    names.require(name, mark, path, mistakes)


def check_selectors(
    entries: Iterable[Entry],
    key: str,
    services: Iterable[Entry],
    kinds: Collection[str],
    mistakes: Mistakes,
) -> None:
    """What entries select under a key by name exists: services that are no patterns, and kinds."""
    advice = 'Name one of this file, or write a pattern such as "shop-*".'
    service_names = Names("service in this file called", (entry.name for entry in services), advice)
    kind_names = Names("kind of service called", kinds, f"Known kinds: {', '.join(sorted(kinds))}.")
    for entry in entries:
        for mark, path, name in entry.texts(key, "services"):
            if not any(sign in name for sign in "*?["):
                service_names.require(name, mark, path, mistakes)
        for mark, path, name in entry.texts(key, "kinds"):
            kind_names.require(name, mark, path, mistakes)


_FOR_PROBES = ("timeout", "attempts", "recover_attempts", "retry_every", "on_nodes", "quorum")


def check_heartbeat(entry: Entry, mistakes: Mistakes) -> None:
    """A heartbeat has no keys that only mean something where a peer is asked."""
    for key in _FOR_PROBES:
        if key in entry.keys:
            mistakes.add(
                entry.node.mark_of((key,)),
                (*entry.path, key),
                "means nothing for a heartbeat: nobody asks it, and it is down at once",
                hint="Remove it; period or cron says when a ping is due, and grace how late it may be.",
            )


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
