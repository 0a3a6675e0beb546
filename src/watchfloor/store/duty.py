"""Who is on call as it is stored: what the config file says, and overrides that people made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from watchfloor.domain.duty import Directory, Person, Preference, Quiet
from watchfloor.domain.escalation import Choice, targets_of
from watchfloor.domain.hours import clock
from watchfloor.domain.matchers import parse_all
from watchfloor.domain.rotas import Layer, Override, Rota, Span
from watchfloor.domain.routes import mute_time
from watchfloor.domain.severity import Severity
from watchfloor.store.database import Connection, fetch_all, fetch_one, fetch_value
from watchfloor.store.jsonb import dumps

EMPTY = '{"people":[],"groups":[],"rotas":[],"escalations":[]}'


async def apply_oncall(connection: Connection, spec: Mapping[str, Any]) -> None:
    """Make who is on call what the config file says."""
    await connection.execute(
        "UPDATE routing SET oncall = %(empty)s::jsonb || %(spec)s::jsonb",
        {"empty": EMPTY, "spec": dumps(dict(spec))},
    )


async def load_directory(connection: Connection, now: datetime) -> Directory:
    """Everybody, and the rotas with their overrides that are not over by ``now``.

    An override for somebody whom the config file no longer knows counts for nothing: it would only leave a rota to
    nobody.
    """
    stored = await fetch_one(
        connection,
        "SELECT oncall::text AS people, ARRAY(SELECT name FROM channels WHERE retired_at IS NULL AND NOT enabled) "
        "AS off FROM routing",
    )
    found = directory(stored.people)
    found = replace(found, off=frozenset(stored.off)) if stored.off else found
    rows = await fetch_all(
        connection,
        "SELECT id, rota, person, starts_at, ends_at, author FROM rota_overrides WHERE ends_at > %(now)s ORDER BY id",
        {"now": now},
    )
    if not rows:
        return found
    rotas = dict(found.rotas)
    for row in rows:
        if row.rota in rotas and row.person in found.people:
            made = Override(Span(row.starts_at, row.ends_at), row.person, row.id, row.author)
            rota = rotas[row.rota]
            rotas[row.rota] = replace(rota, overrides=(*rota.overrides, made))
    return replace(found, rotas=rotas)


async def add_override(connection: Connection, rota: str, override: Override) -> int:
    """Store an override; returns its number."""
    made: int = await fetch_value(
        connection,
        "INSERT INTO rota_overrides (rota, person, starts_at, ends_at, author) "
        "VALUES (%(rota)s, %(person)s, %(start)s, %(end)s, %(author)s) RETURNING id",
        {
            "rota": rota,
            "person": override.person,
            "start": override.span.start,
            "end": override.span.end,
            "author": override.author,
        },
    )
    return made


async def end_override(connection: Connection, number: int, now: datetime) -> tuple[str, str] | None:
    """End an override now, or take it away where it has not begun; its rota and person, None: there is none."""
    rows = await fetch_all(
        connection,
        "SELECT rota, person, starts_at FROM rota_overrides WHERE id = %(id)s AND ends_at > %(now)s FOR UPDATE",
        {"id": number, "now": now},
    )
    if not rows:
        return None
    if rows[0].starts_at < now:
        await connection.execute(
            "UPDATE rota_overrides SET ends_at = %(now)s WHERE id = %(id)s", {"id": number, "now": now}
        )
    else:
        await connection.execute("DELETE FROM rota_overrides WHERE id = %(id)s", {"id": number})
    return rows[0].rota, rows[0].person


@lru_cache(maxsize=4)
def directory(text: str) -> Directory:
    """People, groups and rotas as they are stored."""
    spec = json.loads(text)
    return Directory(
        people={each["name"]: _person(each) for each in spec["people"]},
        groups={each["name"]: targets_of(each["members"]) for each in spec["groups"]},
        rotas={each["name"]: _rota(each) for each in spec["rotas"]},
    )


@lru_cache(maxsize=4)
def choices(text: str) -> tuple[Choice, ...]:
    """Chains as they are stored, in the order in which they are asked."""
    return tuple(Choice(parse_all(each["match"]), each) for each in json.loads(text))


def _person(spec: Mapping[str, Any]) -> Person:
    return Person(
        name=spec["name"],
        zone=spec["time_zone"],
        channels=tuple(Preference(channel, Severity(least)) for channel, least in spec["channels"]),
        quiet=tuple(Quiet(mute_time(hours), Severity(below)) for hours, below in spec["quiet"]),
        skills=frozenset(spec["skills"]),
        absences=tuple(_span(*each) for each in spec["absences"]),
    )


def _rota(spec: Mapping[str, Any]) -> Rota:
    return Rota(
        name=spec["name"],
        zone=spec["time_zone"],
        layers=tuple(
            Layer(
                members=tuple(each["members"]),
                days=each["days"],
                at=clock(each["at"]),
                first=date.fromisoformat(each["first"]),
                hours=tuple(mute_time(hours) for hours in each["hours"]),
            )
            for each in spec["layers"]
        ),
        overrides=tuple(Override(_span(start, end), person) for start, end, person in spec["overrides"]),
    )


def _span(start: str, end: str) -> Span:
    return Span(datetime.fromisoformat(start), datetime.fromisoformat(end))
