"""What a person can do to alerts: acknowledge, take that back, resolve, write a note.

One transaction each, audited, with the pulse sent at its commit; of very many alerts one for every `AT_ONCE` of them,
so that the engine, which changes alerts as well, never waits long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from watchfloor.domain import alert as life
from watchfloor.domain.alert import Alert, NotPossible, Transition
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alert_rooms, settings
from watchfloor.store import alerts as store
from watchfloor.store.alerts import ChangedAlert
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.pulse import pulse

NOTE_LIMIT = 500
REASONS_SHOWN = 5
AT_ONCE = 1_000
"""So many alerts are changed in one transaction."""


async def acknowledge(
    database: Database,
    actor: Actor,
    alert_ids: Sequence[int],
    note: str,
    lasts: timedelta | None,
    *,
    sticky: bool = False,
) -> list[int]:
    """Take charge of firing alerts for ``lasts`` (None: until they resolve); returns the ids that changed.

    Raises `Refused` when none of them could be acknowledged, with the reason.
    """
    may_change(actor)
    text = one_line(note, NOTE_LIMIT)
    if not text and await _note_required(database):
        raise Refused("An acknowledgement needs a note here (setting alerts.ack_note_required).")

    def step(alert: Alert, now: datetime) -> Transition:
        return life.acknowledge(alert, actor.name, text, None if lasts is None else now + lasts, sticky, now)

    return await change(database, actor, "acknowledge", alert_ids, step)


async def _note_required(database: Database) -> bool:
    async with database.transaction() as connection:
        return (await settings.values(connection))["alerts.ack_note_required"] is True


async def unacknowledge(database: Database, actor: Actor, alert_ids: Sequence[int]) -> list[int]:
    """Take acknowledgements back: the alerts fire again. Raises `Refused`."""
    return await change(
        database,
        actor,
        "unacknowledge",
        alert_ids,
        lambda alert, now: life.unacknowledge(alert, actor.name, now),
    )


async def resolve(database: Database, actor: Actor, alert_ids: Sequence[int], note: str) -> list[int]:
    """Declare alerts over; they come back only after their condition was false once. Raises `Refused`."""
    text = one_line(note, NOTE_LIMIT)
    return await change(
        database,
        actor,
        "resolve",
        alert_ids,
        lambda alert, now: life.resolve_by_hand(alert, actor.name, now, text),
    )


async def look(database: Database, actor: Actor, alert_ids: Sequence[int]) -> None:
    """Keep that this operator has seen alerts as they are now; that is no change, so read-only sessions may."""
    async with database.transaction() as connection:
        await alert_rooms.look(connection, actor.name, alert_ids)


async def add_note(database: Database, actor: Actor, alert_ids: Sequence[int], note: str) -> None:
    """Write something into the history of alerts, open or not; nobody is told. Raises `Refused`."""
    may_change(actor)
    text = one_line(note, NOTE_LIMIT)
    if not text:
        raise Refused("A note needs words.")
    await change(
        database, actor, "note", alert_ids, lambda alert, now: life.take_note(alert, actor.name, now, text)
    )


def _together(refusals: Sequence[str]) -> str:
    """The reasons as one text that fits on a screen."""
    more = len(refusals) - REASONS_SHOWN
    shown = [*refusals[:REASONS_SHOWN], *([f"And {more} more."] if more > 0 else [])]
    return " ".join(shown) or "No alert was given."


async def change(
    database: Database,
    actor: Actor,
    action: str,
    alert_ids: Sequence[int],
    step: Callable[[Alert, datetime], Transition],
) -> list[int]:
    """Take a step with every alert that can take it; returns the ids of those. Raises `Refused` when none can.

    What fails between two transactions is refused with how much was done by then.
    """
    may_change(actor)
    wanted = list(dict.fromkeys(alert_ids))
    done: list[int] = []
    refusals: list[str] = []
    for first in range(0, len(wanted), AT_ONCE):
        try:
            changed, refused = await _change(database, actor, action, wanted[first : first + AT_ONCE], step)
        except Exception as error:
            if not done:
                raise
            words = one_line(f"{type(error).__name__}: {error}", 200)
            raise Refused(f"{len(done)} of {len(wanted)} were done, then: {words}") from error
        done += changed
        refusals += refused
    if not done:
        raise Refused(_together(refusals))
    return done


async def _change(
    database: Database,
    actor: Actor,
    action: str,
    alert_ids: Sequence[int],
    step: Callable[[Alert, datetime], Transition],
) -> tuple[list[int], list[str]]:
    """The ids of those that took the step, and why the others did not."""
    refusals: list[str] = []
    changed: list[ChangedAlert] = []
    async with database.transaction() as connection:
        now = await clock(connection)
        found = await store.lock(connection, alert_ids)
        for stored in found:
            try:
                alert, events = step(stored.alert, now)
            except NotPossible as error:
                refusals.append(f"#{stored.id}: {error.reason}")
                continue
            changed.append(ChangedAlert(stored, alert, events))
        missing = sorted(set(alert_ids) - {stored.id for stored in found})
        refusals.extend(f"#{alert_id}: there is no such alert." for alert_id in missing)
        if not changed:
            return [], refusals
        await carry_out(connection, (), changed, now, action)
        await alert_rooms.look(connection, actor.name, [c.stored.id for c in changed])
        await pulse(connection, "alerts", "health", "outbox")
    return [c.stored.id for c in changed], refusals
