"""Runs a job with other settings: the form of its kind, filled in as the job is, for one run only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from watchfloor.config.forms import Form, FormField, differences
from watchfloor.config.problems import Problem
from watchfloor.console.action import Context
from watchfloor.console.line import clean
from watchfloor.console.screens.draft import DraftRoom, summary_pieces
from watchfloor.console.widgets.summary_strip import Summary


class RunWithRoom(DraftRoom, inherit_bindings=False):
    """The settings of one run."""

    def __init__(self, job: str) -> None:
        super().__init__()
        self._job, self._key = job, uuid4()
        self._form: Form | None = None
        self._values: dict[str, Any] = {}
        self._problems: Sequence[Problem] = ()

    def tab(self) -> str:
        return "jobs"

    def form_fields(self) -> Sequence[FormField]:
        from watchfloor.config.entries import JOB_KEYS  # with every settings model, as this form came of them

        fields = self._form.fields if self._form else ()
        return [field for field in fields if field.path[0] not in JOB_KEYS]

    def values(self) -> Mapping[str, Any]:
        return self._values

    def saved(self) -> Mapping[str, Any]:
        return self._form.values if self._form else {}

    def problems(self) -> Sequence[Problem]:
        return self._problems

    def readonly(self) -> str:
        return "" if self._form else "it is being read"

    def filled(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self.look_again()

    async def judge_again(self) -> None:
        self._problems, _ = await self.console_app.reader.judge("job", self._values)

    async def load(self) -> None:
        if self._form is None:
            self._form = await self.console_app.reader.form("job", self._job, "")
            self._values = dict(self._form.values) if self._form else {}
        if self._form is not None:
            await self.judge_again()
        await super().load()

    @property
    def _changed(self) -> dict[str, Any]:
        """What this run is given: the settings that differ, whole; None for one that it goes without."""
        tops = {field.path[0] for field, _, _ in differences(self.form_fields(), self.saved(), self._values)}
        return {top: self._values.get(top) for top in tops}

    def summary(self) -> Summary:
        return [self.way(), *summary_pieces(0, self._problems)], self._conditions()

    def names(self) -> Sequence[str]:
        return (f"run {clean(self._job)} with other settings",)

    def context(self) -> Context:
        reason = "" if not self._problems else "there are mistakes: correct them first"
        unchanged = reason or ("" if self._changed else "nothing differs from the job")
        return replace(super().context(), unchanged=unchanged, saves="run")

    def do_save_form(self) -> None:
        app, changed = self.console_app, self._changed
        made: list[int] = []

        async def run() -> None:
            made.append(await app.operator.run_now(self._job, self._key, changed))

        def said() -> str:
            if app.screen is self:
                app.pop_screen()
            return f"{clean(self._job)} runs as #{made[0]} with other {', '.join(sorted(changed))}"

        undo = ("run", lambda: app.operator.cancel_run(made[0]), "cancelled that run")
        app.operate(run, said, undo=undo)
