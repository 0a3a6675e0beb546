"""What a person can do to the definition of a service: add, change, rename, delete it, by the rules of the file.

Nothing that another service needs is renamed or deleted under its feet, and no change closes a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from watchfloor.config.problems import Problem, quoted, suggest
from watchfloor.domain.circles import cycles
from watchfloor.domain.words import count
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.definitions import service_definition
from watchfloor.operations.editing import Invalid, free_name, held
from watchfloor.operations.retiring import end_services
from watchfloor.store import audit
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.pauses import book_pauses
from watchfloor.store.pulse import pulse
from watchfloor.store.services import lock_definitions, needs_by_name, put_service, retire_service
from watchfloor.store.written import rename

if TYPE_CHECKING:
    from watchfloor.config.model import ServiceConfig
    from watchfloor.operations.judge import Judge

NAMED = 3


async def save_service(
    database: Database, actor: Actor, judge: Judge, raw: Mapping[str, Any], was: str = "", version: int = 0
) -> str:
    """Add a service, or change the one called ``was`` as of ``version``; returns its name.

    Raises `Invalid`, `Overtaken` or `Refused`.
    """
    may_change(actor)
    service = judge.service(raw)
    async with database.transaction() as connection:
        await lock_definitions(connection)
        before = await held(connection, "service", was, version) if was else None
        if service.name != was:
            await free_name(connection, "service", service.name)
        needs = await needs_by_name(connection)
        if before is not None and service.name != was:
            _needed_by_none(was, needs, "rename")
        if problems := unmet(service, was, needs):
            raise Invalid(problems)
        if before is not None and service.name != was:
            await rename(connection, "services", before.id, service.name)
        await put_service(connection, service_definition(service, "console"), actor.name)
        await book_pauses(connection, [service.name], await clock(connection))
        old = None if before is None else before.written
        verb = "change" if before else "add"
        line = audit.Line(actor.name, verb, "service", service.name, old, service.written)
        await audit.record(connection, [line])
        await pulse(connection, "services", "health")
    return service.name


async def delete_service(database: Database, actor: Actor, name: str, version: int | None = None) -> None:
    """Watch a service no more; its history stays. Without ``version`` whatever it is now.

    Raises `Overtaken` or `Refused`.
    """
    may_change(actor)
    async with database.transaction() as connection:
        await lock_definitions(connection)
        before = await held(connection, "service", name, version)
        _needed_by_none(name, await needs_by_name(connection), "delete")
        await retire_service(connection, before.id, actor.name)
        await end_services(connection, [before.id], await clock(connection))
        await audit.record(connection, [audit.Line(actor.name, "delete", "service", name, before.written)])
        await pulse(connection, "services", "health", "alerts")


async def unmet_needs(connection: Connection, service: ServiceConfig, was: str) -> tuple[Problem, ...]:
    """What is wrong with the names that a service needs, as things are now."""
    return unmet(service, was, await needs_by_name(connection))


def unmet(service: ServiceConfig, was: str, needs: Mapping[str, Sequence[str]]) -> tuple[Problem, ...]:
    """What is wrong with the names that a service needs: some that do not exist, or a circle."""
    wanted = [*service.depends_on, *(name for group in service.depends_on_any for name in group)]
    problems = []
    for name in wanted:
        if name not in needs and name != service.name:
            hint = suggest(name, list(needs)) or "Name a service that is watched."
            problems.append(_problem(f"there is no service called {quoted(name)}", hint))
    others = {name: list(of) for name, of in needs.items() if name not in (was, service.name)}
    if not problems and (circle := next(iter(cycles({service.name: wanted, **others})), None)):
        shown = " → ".join(quoted(name) for name in circle)
        problems.append(
            _problem(f"services depend on each other in a circle: {shown}", "Remove one of these.")
        )
    return tuple(problems)


def _problem(message: str, hint: str) -> Problem:
    return Problem("", 0, 0, "depends_on", message, hint=hint)


def _needed_by_none(name: str, needs: Mapping[str, Sequence[str]], verb: str) -> None:
    children = sorted(child for child, of in needs.items() if name in of)
    if children:
        named = ", ".join(children[:NAMED]) + (" …" if len(children) > NAMED else "")
        others = count(len(children), "service needs", "services need")
        raise Refused(f"{others} {name} ({named}): take that away before you {verb} it.")
