"""What a person can do to maintenance windows: add one, change it, end it now, open it again, delete it.

One transaction each, audited, with the pulse sent at its commit. The windows of a config file can be ended, but only
the file adds and deletes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from watchfloor.config.problems import Problem, quoted
from watchfloor.domain.planner import planned_end, written
from watchfloor.domain.text import one_line
from watchfloor.domain.windows import Spec, spec_from
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.editing import Invalid, gone, name_taken, owned
from watchfloor.operations.planning import current_plan
from watchfloor.store import audit
from watchfloor.store import maintenance as store
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.maintenance import StoredWindow, WindowDefinition
from watchfloor.store.pulse import pulse

if TYPE_CHECKING:
    from watchfloor.operations.judge import Judge

NOTE_LIMIT = 500
NAME_LIMIT = 100


async def add(
    database: Database,
    actor: Actor,
    name: str,
    covers: Mapping[str, Sequence[str]],
    spec: Spec,
    note: str,
    opens_with: int | None = None,
) -> int:
    """Add a window; returns its id. Raises `Refused`."""
    may_change(actor)
    wanted = one_line(name, NAME_LIMIT).strip()
    if not wanted:
        raise Refused("A window needs a name.")
    if not any(covers.values()):
        raise Refused('A window must cover something; "*" as a service covers all of them.')
    async with database.transaction() as connection:
        now = await clock(connection)
        if spec.end is not None and spec.end <= now:
            raise Refused("That window would be over already.")
        if opens_with is not None:
            await _found(connection, opens_with)
        definition = WindowDefinition(wanted, covers, spec.stored(), "", one_line(note, NOTE_LIMIT), "")
        window_id = await store.add_window(connection, definition, opens_with, actor.name)
        if window_id is None:
            raise Refused(f"There is a window called {wanted!r} already.")
        after = {"name": wanted, "covers": dict(covers), "spec": spec.stored(), "note": definition.note}
        await _settle(connection, actor, "add", window_id, None, after)
    return window_id


async def end_now(database: Database, actor: Actor, window_id: int) -> None:
    """Close a window that is open, with those that opened with it; later openings stay. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        found = await _found(connection, window_id)
        now = await clock(connection)
        if not await store.end_runs(connection, window_id, now, actor.name):
            raise Refused(f"The window #{window_id} ({found.window.name}) is not open.")
        await _settle(connection, actor, "end", window_id, {"open": True}, {"open": False})


async def reopen(database: Database, actor: Actor, window_id: int) -> None:
    """Open a window again that was ended before its time, until it would have closed. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        found = await _found(connection, window_id)
        now = await clock(connection)
        run = await store.last_ended(connection, window_id, now)
        ends = None if run is None else planned_end(found.window.spec, run)
        if run is None or ends is None or ends <= now:
            raise Refused(f"The window #{window_id} ({found.window.name}) would be over by now.")
        await store.reopen_run(connection, run, ends)
        await _settle(connection, actor, "reopen", window_id, {"open": False}, {"open": True})


async def save(
    database: Database, actor: Actor, judge: Judge, raw: Mapping[str, Any], was: str = "", version: int = 0
) -> str:
    """Add a window as it is written, or change the one called ``was`` as of ``version``; returns its name.

    One that is open closes where it would not be open by what is written now, and else lasts as that says. Raises
    `Invalid`, `Overtaken` or `Refused`.
    """
    may_change(actor)
    config = judge.window(raw)
    spec = spec_from(config.spec)
    async with database.transaction() as connection:
        now = await clock(connection)
        if spec.end is not None and spec.end <= now:
            raise Invalid(
                (Problem("", 0, 0, "end", "the window would be over already", hint="Choose a later end."),)
            )
        before = await store.find_by_name(connection, was, lock=True) if was else None
        if was:
            if before is None:
                raise gone("window", was)
            owned(before, version)
        if config.name != was and await store.find_by_name(connection, config.name) is not None:
            raise name_taken("window")
        parent = await _parent(connection, config.opens_with, before)
        definition = WindowDefinition(config.name, config.covers, config.spec, "", config.note, "")
        if before is None:
            window_id = await store.add_window(connection, definition, parent, actor.name)
            if window_id is None:
                raise name_taken("window")
        else:
            window_id = before.window.id
            await store.change_window(connection, window_id, definition, parent, actor.name)
            await current_plan(connection, now, actor.name)
        names = {each.window.id: each.name for each in await store.load_windows(connection)}
        old = None if before is None else written(before.window, before.note, names)
        await _settle(connection, actor, "change" if before else "add", window_id, old, dict(raw))
    return config.name


async def delete_called(database: Database, actor: Actor, name: str) -> None:
    """Take the window of this name away. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        found = await store.find_by_name(connection, name)
    if found is None:
        raise gone("window", name)
    await delete(database, actor, found.window.id)


async def _parent(connection: Connection, name: str, own: StoredWindow | None) -> int | None:
    """The window with which another opens: one that opens by itself. Raises `Invalid`."""
    if not name:
        return None
    found = await store.find_by_name(connection, name)
    if (
        found is not None
        and found.window.triggered_by is None
        and (own is None or own.window.id != found.window.id)
    ):
        return found.window.id
    message = f"there is no window called {quoted(name)} that opens by itself"
    raise Invalid((Problem("", 0, 0, "opens_with", message, hint="Name another window."),))


async def delete(database: Database, actor: Actor, window_id: int) -> None:
    """Take a window away, with those that open with it; where it is open it closes. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        found = await _found(connection, window_id)
        if found.owner == "file":
            raise Refused(f"The window #{window_id} belongs to {found.origin}: remove it there.")
        await store.end_runs(connection, window_id, await clock(connection), actor.name)
        await store.retire_window(connection, window_id)
        before = {"name": found.window.name, "spec": found.window.spec.stored(), "note": found.note}
        await _settle(connection, actor, "delete", window_id, before, None)


async def _found(connection: Connection, window_id: int) -> StoredWindow:
    found = await store.find_window(connection, window_id)
    if found is None:
        raise Refused(f"There is no window #{window_id}.")
    return found


async def _settle(
    connection: Connection,
    actor: Actor,
    action: str,
    window_id: int,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
) -> None:
    line = audit.Line(actor.name, action, "maintenance", str(window_id), before, after)
    await audit.record(connection, [line])
    await pulse(connection, "health", "alerts")
