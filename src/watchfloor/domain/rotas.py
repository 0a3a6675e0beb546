"""Rotas: who is on call, until when, and who is next. Pure; every function takes the moment.

A rota has layers. In each its members take turns, from hand-over to hand-over, at a time of day as clocks in the zone
of the rota show it: a week is seven days there, whatever clocks do in between. Who is away is left out and the next
member stands in. A layer may be kept to hours of the week. Of the layers that have somebody now the last one counts,
and an override comes before all of them, the latest one first; whoever overrides knows that the person is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from watchfloor.domain.hours import edges, hold, reached
from watchfloor.domain.routes import MuteTime
from watchfloor.domain.zones import zone

FIRST = date(2024, 1, 1)
"""A Monday, from which turns are counted where a layer does not say."""

FURTHEST = timedelta(days=400)
"""So far ahead a hand-over is looked for."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` to before ``end``."""

    start: datetime
    end: datetime

    def holds(self, now: datetime) -> bool:
        """Whether ``now`` lies in it."""
        return self.start <= now < self.end


Absences = Mapping[str, Sequence[Span]]
"""When people are away, by name."""


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody is on call for a time, whatever the layers say; ``id`` 0: it stands in the config file."""

    span: Span
    person: str
    id: int = 0
    author: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """Members who take turns of ``days`` days; the first one takes over on the day ``first``, at ``at``."""

    members: tuple[str, ...]
    days: int = 7
    at: time = time(9)
    first: date = FIRST
    hours: tuple[MuteTime, ...] = ()


@dataclass(frozen=True, slots=True)
class Rota:
    """A rota; ``overrides`` in the order in which they were made."""

    name: str
    zone: str
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """``person`` (None: nobody) is on call from ``start`` to before ``end`` (None: not within `FURTHEST`)."""

    person: str | None
    start: datetime
    end: datetime | None


def on_call(rota: Rota, now: datetime, absences: Absences) -> str | None:
    """Who is on call now; None: nobody."""
    for override in reversed(rota.overrides):
        if override.span.holds(now):
            return override.person
    for layer in reversed(rota.layers):
        if layer.hours and not hold(layer.hours, now):
            continue
        person = _in_turn(rota, layer, now, absences)
        if person is not None:
            return person
    return None


def shift(rota: Rota, now: datetime, absences: Absences) -> tuple[Shift, Shift | None]:
    """The shift that is going on (its start is ``now``), and the one after it; None: there is none soon."""
    looked = timedelta(days=8)
    while True:
        found = list(shifts(rota, now, now + looked, absences))
        if len(found) > 1 and (len(found) > 2 or looked >= FURTHEST):
            after = found[1] if len(found) > 2 else Shift(found[1].person, found[1].start, None)
            return found[0], after
        if looked >= FURTHEST:
            return Shift(found[0].person, now, None), None
        looked *= 4


def shifts(rota: Rota, start: datetime, end: datetime, absences: Absences) -> Iterator[Shift]:
    """Who is on call from ``start`` to ``end``, without a gap: where nobody is, it says so."""
    person, since = on_call(rota, start, absences), start
    for moment in sorted(set(_moments(rota, start, end, absences))):
        now = on_call(rota, moment, absences)
        if now != person and moment < end:
            yield Shift(person, since, moment)
            person, since = now, moment
    yield Shift(person, since, end)


def turn(layer: Layer, zone_name: str, now: datetime) -> int:
    """Which turn of a layer it is, from 0; negative before the first one."""
    days = (now.astimezone(zone(zone_name)).date() - layer.first).days
    number = days // layer.days
    while hand_over(layer, zone_name, number + 1) <= now:
        number += 1
    while hand_over(layer, zone_name, number) > now:
        number -= 1
    return number


def hand_over(layer: Layer, zone_name: str, number: int) -> datetime:
    """When turn ``number`` begins."""
    day = layer.first + timedelta(days=number * layer.days)
    return reached(datetime.combine(day, layer.at), zone_name)


def _in_turn(rota: Rota, layer: Layer, now: datetime, absences: Absences) -> str | None:
    number, members = turn(layer, rota.zone, now), layer.members
    if number < 0:
        return None
    for ahead in range(len(members)):
        person = members[(number + ahead) % len(members)]
        if not any(away.holds(now) for away in absences.get(person, ())):
            return person
    return None


def _moments(rota: Rota, start: datetime, end: datetime, absences: Absences) -> Iterator[datetime]:
    """Every moment in between at which somebody else may be on call."""
    spans = [override.span for override in rota.overrides]
    for layer in rota.layers:
        for hours in layer.hours:
            yield from edges(hours, start, end)
        spans += [away for member in layer.members for away in absences.get(member, ())]
        number = turn(layer, rota.zone, start) + 1
        while (moment := hand_over(layer, rota.zone, number)) <= end:
            yield moment
            number += 1
    for span in spans:
        yield from (moment for moment in (span.start, span.end) if start < moment <= end)
