"""The part of the desk that has to do with forms: one way for everything that can be defined here.

What a form is about has an `Editor`: how its fields come from its settings models, how it is found, judged, saved and
deleted. The forms themselves know none of them.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from watchfloor.cli.rule_editor import RuleEditor
from watchfloor.config.base import Settings
from watchfloor.config.forms import Form, FormField, Shape, fields_of, in_order
from watchfloor.config.jobs import JobKeys
from watchfloor.config.kinds import payload_kinds, probe_kinds
from watchfloor.config.maintenance import MaintenanceKeys
from watchfloor.config.problems import Problem
from watchfloor.config.schema import ServiceKeys
from watchfloor.config.typed import judge_job, judge_service, judge_window
from watchfloor.domain.planner import preview, written
from watchfloor.domain.sharing import shortfall
from watchfloor.domain.trial import Trial
from watchfloor.domain.windows import spec_from
from watchfloor.operations import job_edits, maintenance, service_edits
from watchfloor.operations import trials as trial_operations
from watchfloor.operations.actor import Actor, Refused
from watchfloor.operations.editing import TABLES, Judge, Noun
from watchfloor.store import maintenance as windows
from watchfloor.store import trials
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.nodes import live_nodes
from watchfloor.store.written import Written, all_written, find_written

Judgement = tuple[Sequence[Problem], Sequence[str]]
Models = Mapping[str, type[Settings]]


class Editor(Protocol):
    """What a form needs to know of what it is about."""

    async def form(self, database: Database, name: str, kind: str) -> Form | None:
        """The form of a thing, or of a new one; None when it is gone."""

    async def judge(self, database: Database, values: Mapping[str, Any], was: str) -> Judgement:
        """What is wrong with what was filled in, and what is worth knowing about it."""

    async def save(
        self, database: Database, actor: Actor, values: Mapping[str, Any], was: str, version: int
    ) -> str:
        """Save what was filled in; its name. Raises `Invalid`, `Overtaken` or `Refused`."""

    async def delete(self, database: Database, actor: Actor, name: str) -> None:
        """Delete a thing that the console owns. Raises `Refused`."""


class FormDesk:
    """Reads forms and saves them for one actor."""

    _connect: Callable[[], Awaitable[Database]]
    _actor: Actor
    _rules: RuleEditor

    @cached_property
    def _editors(self) -> Mapping[str, Editor]:
        return {"job": JobEditor(), "rule": self._rules, "service": self._services, "window": WindowEditor()}

    @cached_property
    def _services(self) -> ServiceEditor:
        return ServiceEditor()

    def _editor(self, what: str) -> Editor:
        if what not in self._editors:
            raise Refused(f"There is no form for a {what}.")
        return self._editors[what]

    async def form(self, what: str, name: str, kind: str) -> Form | None:
        """The form of a thing, or of a new one; None when it is gone. Raises `Refused` for what has no form."""
        return await self._editor(what).form(await self._connect(), name, kind)

    async def judge(self, what: str, values: Mapping[str, Any], was: str = "") -> Judgement:
        """What is wrong with what was filled in, and what is worth knowing about it; ``was`` is its saved name."""
        return await self._editor(what).judge(await self._connect(), values, was)

    async def save_form(self, what: str, values: Mapping[str, Any], was: str = "", version: int = 0) -> str:
        """Save what was filled in; its name. Raises `Invalid`, `Overtaken` or `Refused`."""
        return await self._editor(what).save(await self._connect(), self._actor, values, was, version)

    async def written_services(self) -> Sequence[Written]:
        """Every service as it was written, by name."""
        async with (await self._connect()).transaction() as connection:
            return await all_written(connection, "services")

    def service_in_order(self, service: Written) -> dict[str, Any]:
        """A service as it was written, its keys in the order of its form."""
        kinds = self._services.judge_of.kinds
        return in_order(kind_fields(ServiceKeys, kinds, service.kind), service.written)

    async def try_service(self, values: Mapping[str, Any]) -> UUID:
        """Ask an engine to check a service before it is saved; the id of the trial. Raises `Invalid`, `Refused`."""
        return await trial_operations.try_service(
            await self._connect(), self._actor, self._services.judge_of, values
        )

    async def trial(self, trial_id: UUID) -> tuple[Trial | None, datetime]:
        """A trial, None when it is gone, and the time."""
        async with (await self._connect()).transaction() as connection:
            return await trials.find(connection, trial_id), await clock(connection)

    async def delete_thing(self, what: str, name: str) -> None:
        """Delete something that the console owns. Raises `Refused`."""
        await self._editor(what).delete(await self._connect(), self._actor, name)


async def written_form(
    database: Database, noun: Noun, usual: str, models: Models, name: str, kind: str
) -> Form | None:
    """The form of something that has kinds and is kept as it was written."""
    values: Mapping[str, Any] = {}
    told: dict[str, Any] = {}
    if name:
        async with database.transaction() as connection:
            found = await find_written(connection, TABLES[noun], name)
        if found is None:
            return None
        values = found.written
        told = {
            "version": found.version,
            "owner": found.owner,
            "origin": found.origin,
            "changed_by": found.changed_by,
            "changed_at": found.changed_at,
        }
    known = sorted(models)
    chosen = kind or str(values.get("kind") or (usual if usual in models else known[0]))
    if not name:
        values = {"kind": chosen}
    return Form(noun, name, chosen, tuple(known), kind_fields(COMMON[noun], models, chosen), values, **told)


COMMON: Mapping[Noun, type[Settings]] = {"job": JobKeys, "service": ServiceKeys}
"""Of what has settings of its kind beside those that every one has."""


def kind_fields(common: type[Settings], kinds: Models, kind: str) -> tuple[FormField, ...]:
    """The fields of something of a kind: its name and kind, what is the kind's own, then what every one has."""
    own = fields_of(kinds[kind], kind) if kind in kinds else ()
    shared = [
        replace(field, shape=Shape.CHOICE, choices=tuple(sorted(kinds))) if field.name == "kind" else field
        for field in fields_of(common)
    ]
    first = [field for field in shared if field.name in ("name", "kind")]
    return (*first, *own, *(field for field in shared if field not in first))


class JobEditor:
    """Jobs."""

    def __init__(self) -> None:
        self.judge_of = Judge(payload_kinds().models, os.environ, Path.cwd())

    async def form(self, database: Database, name: str, kind: str) -> Form | None:
        return await written_form(database, "job", "script", self.judge_of.kinds, name, kind)

    async def judge(self, database: Database, values: Mapping[str, Any], was: str) -> Judgement:
        rules = self.judge_of
        judged = judge_job(values, rules.kinds, rules.environ, rules.base_dir)
        if judged.made is None:
            return judged.problems, judged.notes
        async with database.transaction() as connection:
            wrong = await job_edits.wrong_links(connection, judged.made)
            left = await job_edits.left_behind(connection, was) if was not in ("", judged.made.name) else ""
        return (*judged.problems, *wrong), (*((f"{was} is {left}",) if left else ()), *judged.notes)

    async def save(
        self, database: Database, actor: Actor, values: Mapping[str, Any], was: str, version: int
    ) -> str:
        return await job_edits.save_job(database, actor, self.judge_of, values, was, version)

    async def delete(self, database: Database, actor: Actor, name: str) -> None:
        await job_edits.delete_job(database, actor, name)


class ServiceEditor:
    """Services."""

    def __init__(self) -> None:
        self.judge_of = Judge(probe_kinds().models, os.environ, Path.cwd())

    async def form(self, database: Database, name: str, kind: str) -> Form | None:
        return await written_form(database, "service", "http", self.judge_of.kinds, name, kind)

    async def judge(self, database: Database, values: Mapping[str, Any], was: str) -> Judgement:
        rules = self.judge_of
        judged = judge_service(values, rules.kinds, rules.environ, rules.base_dir)
        made = judged.made
        if made is None:
            return judged.problems, judged.notes
        problems, lacking = judged.problems, ""
        if made.depends_on or made.depends_on_any or made.on_nodes or made.quorum > 1:
            async with database.transaction() as connection:
                problems = await service_edits.unmet_needs(connection, made, was)
                nodes = await live_nodes(connection)
            lacking = shortfall(nodes.values(), made.on_nodes, made.quorum)
        return problems, (*((lacking,) if lacking else ()), *judged.notes)

    async def save(
        self, database: Database, actor: Actor, values: Mapping[str, Any], was: str, version: int
    ) -> str:
        return await service_edits.save_service(database, actor, self.judge_of, values, was, version)

    async def delete(self, database: Database, actor: Actor, name: str) -> None:
        await service_edits.delete_service(database, actor, name)


PREVIEWED = 5


class WindowEditor:
    """Maintenance windows, which are of no kind. What is worth knowing of one is when it opens next."""

    def __init__(self) -> None:
        self.judge_of = Judge({}, os.environ, Path.cwd())

    async def form(self, database: Database, name: str, kind: str) -> Form | None:
        fields = fields_of(MaintenanceKeys)
        if not name:
            return Form("window", "", "", (), fields, {})
        async with database.transaction() as connection:
            found = await windows.find_by_name(connection, name)
            names = {each.window.id: each.name for each in await windows.load_windows(connection)}
        if found is None:
            return None
        values = written(found.window, found.note, names)
        return Form(
            "window",
            name,
            "",
            (),
            fields,
            values,
            found.version,
            found.owner,
            found.origin,
            found.changed_by or found.author,
            found.changed_at,
        )

    async def judge(self, database: Database, values: Mapping[str, Any], was: str) -> Judgement:
        rules = self.judge_of
        judged = judge_window(values, rules.environ, rules.base_dir)
        if judged.made is None:
            return judged.problems, judged.notes
        async with database.transaction() as connection:
            now = await clock(connection)
        spec = spec_from(judged.made.spec)
        opens = [f"opens {words}" for words in preview(spec, now, PREVIEWED)]
        if spec.kind == "triggered":
            opens = [f"opens whenever {judged.made.opens_with} does"]
        return judged.problems, opens or ["it does not open any more"]

    async def save(
        self, database: Database, actor: Actor, values: Mapping[str, Any], was: str, version: int
    ) -> str:
        return await maintenance.save(database, actor, self.judge_of, values, was, version)

    async def delete(self, database: Database, actor: Actor, name: str) -> None:
        await maintenance.delete_called(database, actor, name)
