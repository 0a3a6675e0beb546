"""The audit behind the dead man's switch: is everything done that must be done, right now?

Whoever adds a part that could stop in silence adds an audit of it to `AUDITS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from watchfloor.domain.text import one_line
from watchfloor.domain.watch import findings
from watchfloor.operations import chain_audit
from watchfloor.store import watchdog
from watchfloor.store.database import Connection

Audit = Callable[[Connection, datetime], Awaitable[Sequence[str]]]
"""Looks at one part and returns what is wrong with it, as sentences."""

AUDITS: list[Audit] = [chain_audit.find]
"""Further audits: whether every step of every escalation was taken in time."""


async def audit(
    connection: Connection, node_id: int, node: str, loops: Sequence[str], outside: bool, now: datetime
) -> list[str]:
    """Look at everything, store what was found, and say that all is well where nothing was and somebody listens."""
    further = [one_line(each) for look in AUDITS for each in await look(connection, now)]
    found = findings(await watchdog.signs(connection, node_id, node, loops, further))
    await watchdog.note(connection, node_id, outside, found)
    if outside and not found:
        await watchdog.say_alive(connection, node, now)
    return found
