"""What can be done to a heartbeat: ping it, and make the token with which others may."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from watchfloor.domain.alert import SYSTEM
from watchfloor.domain.heartbeats import Signal, of_exit
from watchfloor.domain.text import clean, one_line
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.store import audit, heartbeats
from watchfloor.store.database import Connection, Database
from watchfloor.store.heartbeats import Target
from watchfloor.store.pauses import book_pauses
from watchfloor.store.pulse import pulse
from watchfloor.store.services import names_of, set_paused

BODY_LIMIT = 10_000
"""Characters of a message that are kept: the last ones."""

_RUN_ID = re.compile(r"[0-9A-Za-z._:-]{1,100}")
_TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Said:
    """What a ping says; an exit status decides between success and failure by itself."""

    signal: Signal = Signal.SUCCESS
    exit_status: int | None = None
    run_id: str | None = None
    body: str = ""

    def checked(self) -> Said:
        """The same, fit to be stored. Raises `Refused` for what cannot be."""
        if self.run_id is not None and not _RUN_ID.fullmatch(self.run_id):
            raise Refused("A run id is 1 to 100 letters, digits and . _ : - (a UUID, say).")
        if self.exit_status is not None and not 0 <= self.exit_status <= 255:
            raise Refused("An exit status is a number from 0 to 255.")
        signal = self.signal if self.exit_status is None else of_exit(self.exit_status)
        return Said(signal, self.exit_status, self.run_id, _tail(self.body))


def _tail(text: str) -> str:
    cleaned = clean(text[-BODY_LIMIT * 4 :], BODY_LIMIT * 4)
    return cleaned if len(cleaned) <= BODY_LIMIT else "…" + cleaned[1 - BODY_LIMIT :]


async def ping(
    database: Database, actor: Actor, name: str, said: Said, source: str = "command line"
) -> timedelta | None:
    """Ping a heartbeat by name; how long the run took that this ends, if it is known. Raises `Refused`."""
    may_change(actor)
    said = said.checked()
    async with database.transaction() as connection:
        target = await heartbeats.by_name(connection, name)
        if target is None:
            raise Refused(no_such(name, await heartbeats.names(connection)))
        return await _add(connection, target, said, source)


async def ping_by_token(database: Database, token: str, said: Said, source: str) -> bool:
    """Ping the heartbeat of a token; False where there is none. Raises `Refused`."""
    said = said.checked()
    async with database.transaction() as connection:
        target = await heartbeats.by_token(connection, token)
        if target is None:
            return False
        await _add(connection, target, said, source)
    return True


async def _add(connection: Connection, target: Target, said: Said, source: str) -> timedelta | None:
    added = await heartbeats.add(
        connection, target.service_id, said.signal, said.exit_status, said.run_id, one_line(source), said.body
    )
    if added.crowded and await heartbeats.thin(connection, target.service_id):
        await wake(connection, [target.service_id])
    await pulse(connection, "pings")
    return added.took


async def wake(connection: Connection, service_ids: Sequence[int]) -> None:
    """End the pauses of heartbeats that were paused when a ping came."""
    for service_id in service_ids:
        await set_paused(connection, service_id, False)
    if service_ids:
        lines = [
            audit.Line(SYSTEM, "resume", "service", str(each), {"paused": True}, {"paused": False})
            for each in service_ids
        ]
        names = await names_of(connection, service_ids)
        await book_pauses(connection, names, await heartbeats.clock(connection))
        await audit.record(connection, lines)
        await pulse(connection, "services", "health")


def no_such(name: str, names: Sequence[str]) -> str:
    """What to say to somebody who names a heartbeat that does not exist."""
    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]}?" if close else "; define it as a service of the kind heartbeat."
    return f"There is no heartbeat {one_line(name, 80)}{hint}"


async def new_token(database: Database, actor: Actor, name: str) -> str:
    """Make a token for a heartbeat and return it, this once; the one before ends. Raises `Refused`."""
    may_change(actor)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    async with database.transaction() as connection:
        target = await heartbeats.by_name(connection, name)
        if target is None:
            raise Refused(no_such(name, await heartbeats.names(connection)))
        await heartbeats.set_token(connection, target.service_id, token)
        await audit.record(
            connection, [audit.Line(actor.name, "new token", "service", str(target.service_id))]
        )
    return token
