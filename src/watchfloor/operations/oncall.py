"""What a person can do about who is on call: put somebody in the place of another for a time, hand an alert over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.config.problems import suggest
from watchfloor.domain import alert as life
from watchfloor.domain.duty_boards import OnCallRow, PersonRow
from watchfloor.domain.rotas import Override, Span, shift
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.alerts import NOTE_LIMIT, change
from watchfloor.store import audit, duty
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.pulse import pulse


async def on_call(connection: Connection, now: datetime) -> list[OnCallRow]:
    """Who is on call at ``now`` in each rota, until when, and who is next."""
    directory = await duty.load_directory(connection, now)
    found: list[OnCallRow] = []
    for rota in directory.rotas.values():
        current, after = shift(rota, now, directory.absences)
        override = next((each.id for each in reversed(rota.overrides) if each.span.holds(now)), 0)
        found.append(
            OnCallRow(
                rota.name,
                current.person or "",
                current.end,
                "" if after is None else after.person or "",
                None if after is None else after.end,
                override,
            )
        )
    return found


async def people(connection: Connection, now: datetime) -> list[PersonRow]:
    """Everybody who can be told: who is on call at ``now`` first, who is away last."""
    directory = await duty.load_directory(connection, now)
    rotas = await on_call(connection, now)
    found = [
        PersonRow(name, tuple(row.rota for row in rotas if row.person == name), person.away(now))
        for name, person in directory.people.items()
    ]
    return sorted(found, key=lambda row: (row.away, not row.on_call, row.name))


async def override(
    database: Database, actor: Actor, rota: str, person: str, start: datetime | None, end: datetime
) -> int:
    """Put ``person`` on call from ``start`` (None: now) to ``end``; returns the number. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        now = await clock(connection)
        directory = await duty.load_directory(connection, now)
        _known("rota", rota, list(directory.rotas))
        _known("person", person, list(directory.people))
        begins = now if start is None else start
        if end <= max(begins, now):
            raise Refused("It would be over before it begins, or is over already: give a later --until.")
        made = await duty.add_override(
            connection, rota, Override(Span(begins, end), person, author=actor.name)
        )
        after = {"rota": rota, "person": person, "from": begins, "until": end}
        await audit.record(connection, [audit.Line(actor.name, "override", "rota", rota, None, after)])
        await pulse(connection, "alerts", "settings")
    return made


async def end_override(database: Database, actor: Actor, number: int) -> None:
    """End an override now, or take it away where it has not begun. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        ended = await duty.end_override(connection, number, await clock(connection))
        if ended is None:
            raise Refused(f"There is no override #{number} in force or to come.")
        before = {"override": number, "person": ended[1]}
        await audit.record(connection, [audit.Line(actor.name, "end override", "rota", ended[0], before)])
        await pulse(connection, "alerts", "settings")


async def hand_over(
    database: Database, actor: Actor, alert_ids: Sequence[int], person: str, note: str = ""
) -> list[int]:
    """Make open alerts the matter of ``person``, who is told and has yet to take charge.

    Raises `Refused`, also where they are away or every channel of theirs is off: nobody would know of the alerts.
    """
    may_change(actor)
    text = one_line(note, NOTE_LIMIT)
    async with database.transaction() as connection:
        now = await clock(connection)
        directory = await duty.load_directory(connection, now)
    _known("person", person, list(directory.people))
    trouble = directory.out_of_reach(directory.people[person], now)
    if trouble:
        raise Refused(f"Nobody would hear of it: {trouble}. Hand it over to somebody else.")
    return await change(
        database,
        actor,
        "hand over",
        alert_ids,
        lambda alert, now: life.hand_over(alert, actor.name, person, now, text),
    )


def _known(what: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        close = suggest(name, names) or (f"There are: {', '.join(sorted(names)[:10])}." if names else "")
        raise Refused(f"There is no {what} called {one_line(name, 100)}. {close}".rstrip())
