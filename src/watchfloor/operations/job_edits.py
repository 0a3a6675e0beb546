"""What a person can do to the definition of a job: add, change, rename, delete it, as the rules of the file allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from watchfloor.config.checks import shown
from watchfloor.config.problems import Problem
from watchfloor.domain.circles import cycles
from watchfloor.operations.actor import Actor, may_change
from watchfloor.operations.definitions import job_definition
from watchfloor.operations.editing import Invalid, free_name, held
from watchfloor.store import audit
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.jobs import links_of_all, put_job, retire_job, started_by
from watchfloor.store.pulse import pulse
from watchfloor.store.services import lock_definitions
from watchfloor.store.written import rename

if TYPE_CHECKING:
    from watchfloor.config.model import JobConfig
    from watchfloor.operations.judge import Judge

NAMED = 5
"""Of those that start a job, so many are named."""

LINK = "Add that job first, or remove this link."


async def save_job(
    database: Database, actor: Actor, judge: Judge, raw: Mapping[str, Any], was: str = "", version: int = 0
) -> str:
    """Add a job, or change the one called ``was`` as of ``version``; returns its name.

    Raises `Invalid`, `Overtaken` or `Refused`.
    """
    may_change(actor)
    job = judge.job(raw)
    async with database.transaction() as connection:
        await lock_definitions(connection)
        before = await held(connection, "job", was, version) if was else None
        if job.name != was:
            await free_name(connection, "job", job.name)
        if before is not None and job.name != was:
            await rename(connection, "jobs", before.id, job.name)
        if wrong := await wrong_links(connection, job):
            raise Invalid(wrong)
        definition = job_definition(job, "console")
        await put_job(connection, definition, actor.name, await clock(connection))
        old = None if before is None else before.written
        line = audit.Line(actor.name, "change" if before else "add", "job", job.name, old, job.written)
        await audit.record(connection, [line])
        await pulse(connection, "runs", "jobs")
    return job.name


async def left_behind(connection: Connection, name: str) -> str:
    """What starts the job called ``name`` and cannot once it is gone or has another name; empty where nothing does."""
    starters = await started_by(connection, name)
    if not starters:
        return ""
    named = ", ".join(starters[:NAMED]) + (
        f" and {len(starters) - NAMED} more" if len(starters) > NAMED else ""
    )
    return f"no longer started by {named}, which name it: change them, too"


async def wrong_links(connection: Connection, job: JobConfig) -> tuple[Problem, ...]:
    """Links of a job that lead to none, or over others back to itself."""
    started = [str(link["job"]) for link in job.chains]
    every = {job.name: started} | {
        name: links for name, links in (await links_of_all(connection)).items() if name != job.name
    }
    wrong = [
        Problem("", 0, 0, f"then[{at}].job", "there is no job of this name", found=name, hint=LINK)
        for at, name in enumerate(started)
        if name not in every
    ]
    circles = (circle for circle in cycles(every) if circle[0] == job.name)
    if circle := next(circles, None):
        words = f"jobs start each other in a circle: {shown(circle)}"
        wrong.append(Problem("", 0, 0, "then", words, hint="Remove one of these links."))
    return tuple(wrong)


async def delete_job(database: Database, actor: Actor, name: str, version: int | None = None) -> None:
    """Delete a job; its history stays. Without ``version`` whatever it is now. Raises `Overtaken` or `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        await lock_definitions(connection)
        before = await held(connection, "job", name, version)
        await retire_job(connection, before.id, actor.name)
        await audit.record(connection, [audit.Line(actor.name, "delete", "job", name, before.written)])
        await pulse(connection, "runs", "jobs")


@dataclass(frozen=True, slots=True)
class Imports:
    """What became of jobs that were written elsewhere: the names of those added, the mistakes of the others."""

    added: tuple[str, ...]
    refused: tuple[tuple[str, tuple[Problem, ...]], ...]


async def import_jobs(
    database: Database,
    actor: Actor,
    judge: Judge,
    entries: Sequence[Mapping[str, Any]],
    *,
    dry_run: bool = False,
) -> Imports:
    """Add jobs; one with mistakes, or whose name is taken, is left out and told. With ``dry_run`` none is added.

    Those that start others come after them, wherever they stand.
    """
    may_change(actor)
    added: list[str] = []
    refused: list[tuple[str, tuple[Problem, ...]]] = []
    for raw in _started_first(entries):
        name = str(raw.get("name", ""))
        try:
            if dry_run:
                async with database.transaction() as connection:
                    await free_name(connection, "job", judge.job(raw).name)
            else:
                await save_job(database, actor, judge, raw)
        except Invalid as invalid:
            refused.append((name, invalid.problems))
        else:
            added.append(name)
    return Imports(tuple(added), tuple(refused))


def _started_first(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Every entry after those that it starts; as they are written where they start each other in a circle."""
    places = {str(raw.get("name", "")): place for place, raw in enumerate(entries)}
    order = TopologicalSorter(
        {place: _places_started(raw, places) - {place} for place, raw in enumerate(entries)}
    )
    try:
        return [entries[place] for place in order.static_order()]
    except CycleError:
        return list(entries)


def _places_started(raw: Mapping[str, Any], places: Mapping[str, int]) -> set[int]:
    links = raw.get("then")
    names = (
        [link.get("job") for link in links if isinstance(link, Mapping)] if isinstance(links, list) else []
    )
    return {places[name] for name in names if isinstance(name, str) and name in places}
