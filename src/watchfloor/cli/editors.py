"""What can be defined by a form, each with its `Editor`: jobs, services, maintenance windows and `rule_editor`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from watchfloor.cli.form_desk import Editor, Judgement
from watchfloor.cli.rule_editor import RuleEditor
from watchfloor.config.base import Settings
from watchfloor.config.form_fields import fields_of
from watchfloor.config.forms import Form, FormField, Shape, in_order
from watchfloor.config.jobs import JobKeys, ScheduleKeys
from watchfloor.config.kinds import payload_kinds, probe_kinds
from watchfloor.config.maintenance import MaintenanceKeys
from watchfloor.config.problems import ConfigError
from watchfloor.config.schema import ServiceKeys
from watchfloor.config.settings import build_settings
from watchfloor.config.typed import judge_job, judge_service, judge_window
from watchfloor.domain.planner import preview, written
from watchfloor.domain.sharing import shortfall
from watchfloor.domain.windows import spec_from
from watchfloor.operations import job_edits, maintenance, service_edits
from watchfloor.operations.actor import Actor
from watchfloor.operations.editing import TABLES, Noun
from watchfloor.operations.judge import Judge
from watchfloor.store import maintenance as windows
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.nodes import live_nodes
from watchfloor.store.written import Written, find_written

Models = Mapping[str, type[Settings]]


async def written_form(
    database: Database, noun: Noun, usual: str, models: Models, name: str, kind: str
) -> Form | None:
    """The form of something that has kinds and is kept as it was written."""
    values: Mapping[str, Any] = {}
    told: dict[str, Any] = {}
    if name:
        async with database.connection() as connection:
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

    def in_order(self, written: Written) -> dict[str, Any]:
        """One as it was written, its keys in the order of its form."""
        return in_order(kind_fields(JobKeys, self.judge_of.kinds, written.kind), written.written)

    async def judge(self, database: Database, values: Mapping[str, Any], was: str) -> Judgement:
        rules = self.judge_of
        judged = judge_job(values, rules.kinds, rules.environ, rules.base_dir)
        if judged.made is None:
            return judged.problems, judged.notes
        async with database.connection() as connection:
            wrong = await job_edits.wrong_links(connection, judged.made)
            left = await job_edits.left_behind(connection, was) if was not in ("", judged.made.name) else ""
        return (*judged.problems, *wrong), (*((f"{was} is {left}",) if left else ()), *judged.notes)

    def specs(self, schedules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Schedules as they would be stored; those that have mistakes are left out."""
        found = []
        for each in schedules:
            with suppress(ConfigError):
                rules = self.judge_of
                found.append(build_settings(ScheduleKeys, each, rules.environ, rules.base_dir).spec())
        return found

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

    def in_order(self, written: Written) -> dict[str, Any]:
        """One as it was written, its keys in the order of its form."""
        return in_order(kind_fields(ServiceKeys, self.judge_of.kinds, written.kind), written.written)

    async def judge(self, database: Database, values: Mapping[str, Any], was: str) -> Judgement:
        rules = self.judge_of
        judged = judge_service(values, rules.kinds, rules.environ, rules.base_dir)
        made = judged.made
        if made is None:
            return judged.problems, judged.notes
        problems, lacking = judged.problems, ""
        if made.depends_on or made.depends_on_any or made.on_nodes or made.quorum > 1:
            async with database.connection() as connection:
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
        async with database.connection() as connection:
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
        async with database.connection() as connection:
            now = await clock(connection)
        spec = spec_from(judged.made.spec)
        opens = preview(spec, now, PREVIEWED)
        if spec.kind == "triggered":
            opens = [f"opens whenever {judged.made.opens_with} does"]
        return judged.problems, opens or ["it does not open any more"]

    async def save(
        self, database: Database, actor: Actor, values: Mapping[str, Any], was: str, version: int
    ) -> str:
        return await maintenance.save(database, actor, self.judge_of, values, was, version)

    async def delete(self, database: Database, actor: Actor, name: str) -> None:
        await maintenance.delete_called(database, actor, name)


class Editors:
    """An editor for everything that can be defined by a form; ``by_name`` has them by what a form is said to be of."""

    def __init__(self) -> None:
        self.jobs, self.rules, self.services = JobEditor(), RuleEditor(), ServiceEditor()
        self.by_name: Mapping[str, Editor] = {
            "job": self.jobs,
            "rule": self.rules,
            "service": self.services,
            "window": WindowEditor(),
        }
