"""People, contact groups and rotas: who is meant by a target now, and on which channels they are told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from watchfloor.domain.hours import over
from watchfloor.domain.rotas import Absences, Rota, Span, on_call
from watchfloor.domain.routes import MuteTime
from watchfloor.domain.severity import Severity

KINDS = ("person", "group", "rota", "skill", "channel")


@dataclass(frozen=True, slots=True)
class Target:
    """Who is to be told: ``kind`` is one of `KINDS`. Everybody who has a skill is meant by it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Preference:
    """A channel on which a person is told of alerts from ``severity`` on."""

    channel: str
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which a person is not told of alerts below ``below``; they are held until the hours end."""

    hours: MuteTime
    below: Severity


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told."""

    name: str
    zone: str
    channels: tuple[Preference, ...] = ()
    quiet: tuple[Quiet, ...] = ()
    skills: frozenset[str] = frozenset()
    absences: tuple[Span, ...] = ()

    def away(self, now: datetime) -> bool:
        """Whether they are away now."""
        return any(each.holds(now) for each in self.absences)

    def quiet_until(self, severity: Severity, now: datetime) -> datetime | None:
        """Until when they are not told of an alert of this severity; None: they are told now."""
        return over((each.hours for each in self.quiet if severity < each.below), now)


@dataclass(frozen=True, slots=True)
class Address:
    """A channel to tell, for whom (empty: for nobody in particular), and until when that has to wait."""

    channel: str
    person: str = ""
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody and everything that targets name."""

    people: Mapping[str, Person] = field(default_factory=dict)
    groups: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    rotas: Mapping[str, Rota] = field(default_factory=dict)
    off: frozenset[str] = frozenset()  # channels that are switched off: nobody is told there

    @property
    def absences(self) -> Absences:
        """When people are away, by name."""
        return {name: person.absences for name, person in self.people.items() if person.absences}

    def addresses(self, targets: Iterable[Target], severity: Severity, now: datetime) -> tuple[Address, ...]:
        """Where to tell of an alert; each channel once, and at once where that is possible for anybody."""
        found: dict[str, Address] = {}
        for target in self._flat(targets, set()):
            for each in self._addresses(target, severity, now):
                if each.channel in self.off:
                    continue
                known = found.setdefault(each.channel, each)
                if known.held_until is not None and each.held_until is None:
                    found[each.channel] = each
        return tuple(found.values())

    def heir(self, name: str, severity: Severity, now: datetime) -> tuple[Address, ...]:
        """Where to tell somebody of an alert that is handed over to them: as a step would, but on one channel at least.

        Where none of theirs takes this severity that is the one that takes most. None at all: `out_of_reach` says why.
        """
        person = self.people.get(name)
        if person is None:
            return ()
        there = [each for each in person.channels if each.channel not in self.off]
        taking = [each for each in there if severity >= each.severity]
        chosen = taking or sorted(there, key=lambda each: each.severity)[:1]
        held = person.quiet_until(severity, now)
        return tuple(Address(each.channel, name, held) for each in chosen)

    def out_of_reach(self, person: Person, now: datetime) -> str:
        """Why nobody can hand anything over to somebody now; empty: they can be told."""
        rotas = self.rotas.values()
        if person.away(now) and all(on_call(each, now, self.absences) != person.name for each in rotas):
            return f"{person.name} is away"
        if all(each.channel in self.off for each in person.channels):
            return f"every channel of {person.name} is switched off"
        return ""

    def silent(self, targets: Iterable[Target], severity: Severity, now: datetime) -> tuple[str, ...]:
        """The channels on which somebody would be told, were they not switched off."""
        found = (
            each.channel
            for target in self._flat(targets, set())
            for each in self._addresses(target, severity, now)
        )
        return tuple(dict.fromkeys(channel for channel in found if channel in self.off))

    def _flat(self, targets: Iterable[Target], seen: set[str]) -> Iterator[Target]:
        for target in targets:
            if target.kind != "group":
                yield target
            elif target.name not in seen:
                seen.add(target.name)
                yield from self._flat(self.groups.get(target.name, ()), seen)

    def _addresses(self, target: Target, severity: Severity, now: datetime) -> Iterator[Address]:
        if target.kind == "channel":
            yield Address(target.name)
            return
        for person in self._people(target, now):
            held = person.quiet_until(severity, now)
            for preference in person.channels:
                if severity >= preference.severity:
                    yield Address(preference.channel, person.name, held)

    def _people(self, target: Target, now: datetime) -> Iterator[Person]:
        """Those of a target who are not away. Who overrides a rota is there, whatever else was planned."""
        if target.kind == "rota":
            rota = self.rotas.get(target.name)
            name = None if rota is None else on_call(rota, now, self.absences)
            if name is not None and name in self.people:
                yield self.people[name]
        elif target.kind == "person":
            if target.name in self.people and not self.people[target.name].away(now):
                yield self.people[target.name]
        else:
            yield from (
                person
                for person in self.people.values()
                if target.name in person.skills and not person.away(now)
            )
