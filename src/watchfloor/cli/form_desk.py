"""The part of the desk that has to do with forms: one way for everything that can be defined here.

What a form is about has an `Editor`: how its fields come from its settings models, how it is found, judged, saved and
deleted. The forms themselves know none of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from watchfloor.config.forms import Form
from watchfloor.config.problems import Problem
from watchfloor.domain.trial import Trial
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import trials
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.written import Written, all_written

if TYPE_CHECKING:
    from watchfloor.cli.editors import Editors

Judgement = tuple[Sequence[Problem], Sequence[str]]


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

    @cached_property
    def _editors(self) -> Editors:
        from watchfloor.cli.editors import (
            Editors,  # with every settings model: the first picture does without
        )

        return Editors()

    def _editor(self, what: str) -> Editor:
        if what not in self._editors.by_name:
            raise Refused(f"There is no form for a {what}.")
        return self._editors.by_name[what]

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
        async with (await self._connect()).connection() as connection:
            return await all_written(connection, "services")

    def service_in_order(self, service: Written) -> dict[str, Any]:
        """A service as it was written, its keys in the order of its form."""
        return self._editors.services.in_order(service)

    async def try_service(self, values: Mapping[str, Any]) -> UUID:
        """Ask an engine to check a service before it is saved; the id of the trial. Raises `Invalid`, `Refused`."""
        from watchfloor.operations import trials as trial_operations

        return await trial_operations.try_service(
            await self._connect(), self._actor, self._editors.services.judge_of, values
        )

    async def trial(self, trial_id: UUID) -> tuple[Trial | None, datetime]:
        """A trial, None when it is gone, and the time."""
        async with (await self._connect()).connection() as connection:
            return await trials.find(connection, trial_id), await clock(connection)

    async def delete_thing(self, what: str, name: str) -> None:
        """Delete something that the console owns. Raises `Refused`."""
        await self._editor(what).delete(await self._connect(), self._actor, name)
