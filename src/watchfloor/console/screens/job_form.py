"""A job that is written, and a schedule of it: the forms, and below them when it would run next, as it is typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from watchfloor.config.forms import FormField
from watchfloor.console.action import Context
from watchfloor.console.format import Moment
from watchfloor.console.line import Line, clean
from watchfloor.console.screens.draft import DraftRoom
from watchfloor.console.screens.form import EntryRoom, FormRoom
from watchfloor.console.screens.live_preview import LivePreview
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.coming import coming_lines, coming_list
from watchfloor.domain.coming import Coming

SHOWN = 10
LISTED = 100
"""How many fires the list has that `x` opens."""


class JobForm(LivePreview[Sequence[Coming]], FormRoom, inherit_bindings=False):
    """The form of a job; `x` lists more of its next fires."""

    def __init__(self, name: str = "", *, copy: bool = False) -> None:
        super().__init__("jobs", "job", name, copy=copy)
        self.why = "when it runs next is looked up …"

    @property
    def of_job(self) -> str:
        """The job whose schedules go on counting from where they began; empty: a new one."""
        return "" if self._is_new else self._called

    def hangs_on(self) -> object:
        return list(schedules(self.values()))

    async def foresee(self) -> Sequence[Coming]:
        return await self.console_app.reader.foresee(self.of_job, schedules(self.values()), LISTED)

    def preview_lines(self, found: Sequence[Coming], moment: Moment, cells: int, rows: int) -> list[Line]:
        return coming_lines(found, bool(schedules(self.values())), moment, cells, rows)

    def entry_room(self, field: FormField, entry: int) -> DraftRoom:
        if field.name == "schedules":
            return ScheduleForm(self, field, entry)
        return super().entry_room(field, entry)

    def context(self) -> Context:
        return replace(
            super().context(), tries="" if self.previewed else "nothing fires by itself", trial="next fires"
        )

    def do_try_it(self) -> None:
        found = self.previewed
        if found:
            name = clean(str(self.values().get("name") or "new job"))
            self.app.push_screen(
                TextRoom("jobs", f"when {name} runs", lambda m, cells: coming_list(found, m, cells))
            )


class ScheduleForm(LivePreview[Sequence[Coming]], EntryRoom, inherit_bindings=False):
    """The form of one schedule of a job."""

    def __init__(self, job: JobForm, field: FormField, entry: int) -> None:
        super().__init__(job, field, entry)
        self._job = job
        self.why = "when it fires next is looked up …"

    def hangs_on(self) -> object:
        return dict(self.values())

    async def foresee(self) -> Sequence[Coming]:
        return await self.console_app.reader.foresee(self._job.of_job, [self.values()], SHOWN)

    def preview_lines(self, found: Sequence[Coming], moment: Moment, cells: int, rows: int) -> list[Line]:
        return coming_lines(found, bool(self.values()), moment, cells, rows)


def schedules(values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The schedules among what is filled in for a job."""
    found = values.get("schedules")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
