"""Rules as forms: the part of the desk that knows their kinds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from watchfloor.config.base import Settings
from watchfloor.config.form_fields import fields_of
from watchfloor.config.forms import Form, FormField, Shape
from watchfloor.config.kinds import probe_kinds
from watchfloor.config.problems import Problem
from watchfloor.config.rule_kinds import MODELS
from watchfloor.config.schema import RuleBase, RuleKeys
from watchfloor.config.typed import judge_rule
from watchfloor.domain.rules import OWN_RULES
from watchfloor.operations import rule_edits
from watchfloor.operations.actor import Actor
from watchfloor.operations.judge import Judge
from watchfloor.store.database import Database
from watchfloor.store.written import find_written

KINDS: Mapping[str, type[Settings]] = {"state": RuleKeys, **MODELS}


BOUNDS = ("fire", "clear", "critical")
"""What is one number nearly always, and typed in one line."""


def rule_fields(kind: str, values: Mapping[str, Any] | None = None) -> tuple[FormField, ...]:
    """The fields of a rule of a kind: its name and kind, what is the kind's own, then what every rule has.

    ``values`` are what it holds: several numbers that are a list in the file are edited as one.
    """
    model = KINDS.get(kind, RuleKeys)
    found = {field.name: _shaped(field, values or {}) for field in fields_of(model)}
    first = ["name", "kind", *(info.alias or name for name, info in _own(model))]
    order = {name: place for place, name in enumerate(first)}
    return tuple(
        sorted(found.values(), key=lambda each: (bool(each.group), order.get(each.name, len(order))))
    )


def _shaped(field: FormField, values: Mapping[str, Any]) -> FormField:
    if field.name == "kind":
        return replace(field, shape=Shape.CHOICE, choices=tuple(KINDS))
    if field.name in BOUNDS and not isinstance(values.get(field.name), list):
        return replace(field, shape=Shape.TEXT)
    return field


def _own(model: type[Settings]) -> list[tuple[str, Any]]:
    """What a model has beyond every rule, what is its very own first."""
    own = [
        name
        for ancestor in model.__mro__
        for name in getattr(ancestor, "__annotations__", ())
        if name in model.model_fields and name not in RuleBase.model_fields
    ]
    return [(name, model.model_fields[name]) for name in dict.fromkeys(own)]


class RuleEditor:
    """Rules. What is worth knowing of one is what its other name does not match any more."""

    def __init__(self) -> None:
        self.judge_of = Judge(probe_kinds().models, os.environ, Path.cwd())

    async def form(self, database: Database, name: str, kind: str) -> Form | None:
        if not name:
            chosen = kind or "state"
            return Form("rule", "", chosen, tuple(KINDS), rule_fields(chosen), {"kind": chosen})
        async with database.connection() as connection:
            found = await find_written(connection, "rules", name)
        if found is None or found.name in OWN_RULES:
            return None
        chosen = kind or str(found.written.get("kind") or "state")
        return Form(
            "rule",
            name,
            chosen,
            tuple(KINDS),
            rule_fields(chosen, found.written),
            found.written,
            found.version,
            found.owner,
            found.origin,
            found.changed_by,
            found.changed_at,
        )

    async def judge(
        self, database: Database, values: Mapping[str, Any], was: str
    ) -> tuple[Sequence[Problem], Sequence[str]]:
        rules = self.judge_of
        judged = judge_rule(values, rules.environ, rules.base_dir)
        if judged.made is None:
            return judged.problems, judged.notes
        async with database.connection() as connection:
            wrong = await rule_edits.wrong_names(connection, judged.made, rules.kinds)
        renamed = was not in ("", judged.made.name)
        notes = [f"routes, silences and reactions that match rule = {was} no longer do"] if renamed else []
        return wrong, (*notes, *judged.notes)

    async def save(
        self, database: Database, actor: Actor, values: Mapping[str, Any], was: str, version: int
    ) -> str:
        return await rule_edits.save_rule(database, actor, self.judge_of, values, was, version)

    async def delete(self, database: Database, actor: Actor, name: str) -> None:
        await rule_edits.delete_rule(database, actor, name)
