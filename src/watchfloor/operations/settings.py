"""What a person can do to product settings and their own preferences."""

from __future__ import annotations

from watchfloor.domain import settings as definitions
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.store import audit
from watchfloor.store import settings as store
from watchfloor.store.database import Connection, Database
from watchfloor.store.pulse import pulse


async def change(database: Database, actor: Actor, key: str, value: object) -> None:
    """Set a product setting. Raises `Refused` with what is allowed."""
    may_change(actor)
    try:
        wanted = definitions.validate(definitions.get(key), value)
    except ValueError as error:
        raise Refused(str(error)) from None
    async with database.transaction() as connection:
        before = await store.change(connection, key, wanted, actor.name)
        await _settle(connection, actor, "change", key, before, wanted)


async def reset(database: Database, actor: Actor, key: str) -> None:
    """Go back to the default of a setting. Raises `Refused`."""
    may_change(actor)
    try:
        setting = definitions.get(key)
    except ValueError as error:
        raise Refused(str(error)) from None
    async with database.transaction() as connection:
        before = await store.reset(connection, key)
        await _settle(connection, actor, "reset", key, before, setting.default)


async def _settle(
    connection: Connection, actor: Actor, action: str, key: str, before: object, after: object
) -> None:
    """What follows a change in its transaction. Raises `Refused` where settings would contradict each other."""
    problem = definitions.out_of_order(await store.values(connection), key)
    if problem:
        raise Refused(problem)
    line = audit.Line(actor.name, action, "setting", key, {"value": before}, {"value": after})
    await audit.record(connection, [line])
    await pulse(connection, "settings")


async def save_preference(database: Database, actor: Actor, key: str, value: object) -> None:
    """Remember something for this operator; looking around is no change, so read-only sessions may."""
    async with database.transaction() as connection:
        await store.save_preference(connection, actor.name, key, value)
