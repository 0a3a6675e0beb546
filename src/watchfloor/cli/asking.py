"""One exchange of a command with its database: connect, do what is asked, leave.

What is done is given from outside, so that a command loads no more than it needs: a ping comes from every run of a
cron job, and each of these waits for it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from watchfloor.cli.ground import stand
from watchfloor.cli.options import Options
from watchfloor.cli.place import place_for
from watchfloor.operations.actor import Actor, this_person
from watchfloor.store.database import Database
from watchfloor.store.schema import require_schema

Answer = TypeVar("Answer")


def to_stderr(line: str) -> None:
    """Print a line on standard error."""
    print(line, file=sys.stderr)


def at_database(
    options: Options,
    act: Callable[[Database, str, Actor], Awaitable[Answer]],
    say: Callable[[str], None] = to_stderr,
) -> Answer:
    """Act on the database, whose label is given, as the person at the terminal. Raises what the store raises.

    ``say`` is told what takes long, such as the start of a database.
    """
    ground = stand(place_for(options), say)

    async def answer() -> Answer:
        database = Database(ground.dsn, name="command", size=1, statement_timeout=10.0)
        try:
            await require_schema(database)
            return await act(database, ground.label, Actor(this_person().name, options.read_only))
        finally:
            await database.close()

    try:
        return asyncio.run(answer())
    finally:
        ground.leave()
