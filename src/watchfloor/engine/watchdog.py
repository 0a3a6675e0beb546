"""Says in the database that an engine's loop has stopped turning, because that loop cannot say it itself."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from watchfloor.domain.boards import ComponentRow
from watchfloor.domain.component import LOOP
from watchfloor.operations.components import report
from watchfloor.store.database import Database
from watchfloor.store.errors import explain, is_away
from watchfloor.store.health import clock
from watchfloor.store.pulse import pulse

log = logging.getLogger(__name__)


def report_silence(dsn: str, node_id: int, node: str, silent_s: float) -> bool:
    """Mark the loop of a node as stuck and raise the alert; False when the database is away too.

    Runs a loop of its own: call it from a thread that has none.
    """
    try:
        asyncio.run(_report(dsn, node_id, node, silent_s))
    except Exception as error:
        if not is_away(error):
            log.exception("the silence of the engine's loop could not be stored")
        else:
            log.error("the silence of the engine's loop could not be stored: %s", explain(error))
        return False
    return True


async def _report(dsn: str, node_id: int, node: str, silent_s: float) -> None:
    database = Database(dsn, name="watchdog", size=1)
    try:
        async with database.transaction() as connection:
            now = await clock(connection)
            row = ComponentRow(
                node_id=node_id,
                node=node,
                component=LOOP,
                state="stuck",
                beat_at=now - timedelta(seconds=silent_s),
                since=now - timedelta(seconds=silent_s),
                restarts=0,
                last_error=f"the engine's loop has not turned for {silent_s:.0f} s",
            )
            await report(connection, [row], node, now, [LOOP])
            await pulse(connection, "nodes", "alerts", "health")
    finally:
        await database.close()
