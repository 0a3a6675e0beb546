"""Rules between people, groups, rotas, escalations and channels: names that exist, chains that reach somebody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from watchfloor.config.checks import MAX_CYCLES, Entry, Names, check_unique, shown
from watchfloor.config.oncall import ContactGroupKeys, EscalationKeys, PersonKeys, RotaKeys, TargetKeys
from watchfloor.config.problems import Mistakes, Path
from watchfloor.domain.circles import cycles

WORDS = {
    "person": ("person", "Add them under people."),
    "group": ("contact group", "Add it under contact_groups."),
    "rota": ("rota", "Add it under rotas."),
    "channel": ("channel", "Add it under channels."),
}


@dataclass(frozen=True, slots=True)
class OnCall:
    """Everything of a file that is about who is on call: entries with their keys, None where they have mistakes."""

    people: Sequence[tuple[Entry, PersonKeys | None]]
    groups: Sequence[tuple[Entry, ContactGroupKeys | None]]
    rotas: Sequence[tuple[Entry, RotaKeys | None]]
    escalations: Sequence[tuple[Entry, EscalationKeys | None]]

    def spec(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "people": [each.spec() for _, each in self.people if each is not None],
            "groups": [each.spec() for _, each in self.groups if each is not None],
            "rotas": [each.spec() for _, each in self.rotas if each is not None],
            "escalations": [each.spec() for _, each in self.escalations if each is not None],
        }


class _Known:
    """What targets may name."""

    def __init__(self, found: OnCall, channels: Iterable[str | None], mistakes: Mistakes) -> None:
        named: Mapping[str, Iterable[str | None]] = {
            "person": [entry.name for entry, _ in found.people],
            "group": [entry.name for entry, _ in found.groups],
            "rota": [entry.name for entry, _ in found.rotas],
            "channel": list(channels),
        }
        self._names = {
            kind: Names(f"{word} in this file called", named[kind], advice)
            for kind, (word, advice) in WORDS.items()
        }
        advice = "Add it to the skills of somebody under people."
        skills = {skill for _, person in found.people if person is not None for skill in person.skills}
        self._names["skill"] = Names("person in this file with the skill", sorted(skills), advice)
        self._mistakes = mistakes

    def require(self, kind: str, name: str, entry: Entry, path: Path) -> None:
        """Note a mistake where there is no such thing."""
        mark = entry.node.mark_of(path)
        self._names[kind].require(name, mark, (*entry.path, *path), self._mistakes)

    def targets(self, targets: Iterable[TargetKeys], entry: Entry, path: Path) -> None:
        """Everything that is named exists."""
        for at, each in enumerate(targets):
            self.require(each.target.kind, each.target.name, entry, (*path, at, each.target.kind))


def check_oncall(found: OnCall, channels: Iterable[str | None], mistakes: Mistakes) -> None:
    """Everything that could leave an alert with nobody who hears of it."""
    for what, entries in (
        ("person", found.people),
        ("contact group", found.groups),
        ("rota", found.rotas),
        ("escalation", found.escalations),
    ):
        check_unique(what, [entry for entry, _ in entries], mistakes)
    known = _Known(found, channels, mistakes)
    for entry, person in found.people:
        if person is not None:
            _check_person(entry, person, known, mistakes)
    for entry, group in found.groups:
        if group is not None:
            known.targets(group.members, entry, ("members",))
    _check_circles(found, mistakes)
    for entry, rota in found.rotas:
        if rota is not None:
            _check_rota(entry, rota, known)
    for entry, chain in found.escalations:
        if chain is not None:
            _check_chain(entry, chain, known, mistakes)


def _check_person(entry: Entry, person: PersonKeys, known: _Known, mistakes: Mistakes) -> None:
    for at, each in enumerate(person.channels):
        known.require("channel", each.channel, entry, ("channels", at, "channel"))
    if all(each.from_ == "emergency" for each in person.channels):
        mistakes.add(
            entry.node.mark_of(("channels",)),
            (*entry.path, "channels"),
            "none of them tells of critical alerts",
            hint="Add a channel from critical on, or lower the from of one.",
        )


def _check_rota(entry: Entry, rota: RotaKeys, known: _Known) -> None:
    for at, layer in enumerate(rota.layers):
        for number, name in enumerate(layer.members):
            known.require("person", name, entry, ("layers", at, "members", number))
    for at, override in enumerate(rota.overrides):
        known.require("person", override.person, entry, ("overrides", at, "person"))


def _check_chain(entry: Entry, chain: EscalationKeys, known: _Known, mistakes: Mistakes) -> None:
    for at, step in enumerate(chain.steps):
        known.targets(step.tell, entry, ("steps", at, "tell"))
    if all(step.hours for step in chain.steps):
        mistakes.add(
            entry.node.mark_of(("steps",)),
            (*entry.path, "steps"),
            "every step is kept to hours: outside of them the chain ends nowhere",
            hint="Leave hours out of at least one step.",
        )


def _check_circles(found: OnCall, mistakes: Mistakes) -> None:
    known = {group.name: (entry, group) for entry, group in found.groups if group is not None}
    edges = {
        name: [each.group for each in group.members if each.group is not None]
        for name, (_, group) in known.items()
    }
    for cycle in islice(cycles(edges), MAX_CYCLES):
        entry, _ = known[cycle[0]]
        mistakes.add(
            entry.node.mark_of(("members",)),
            (*entry.path, "members"),
            f"contact groups are in each other in a circle: {shown(cycle)}",
            hint="Take one of them out of another.",
        )
