"""A rule that is written: its form, and below it what such a rule would have done in the last days, as it is typed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from watchfloor.config.forms import mistake_of, sentence
from watchfloor.console.action import Context
from watchfloor.console.format import Moment
from watchfloor.console.line import Line, clean
from watchfloor.console.screens.form import FormRoom
from watchfloor.console.screens.live_preview import LivePreview
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.rule import preview_lines, rehearsal_lines
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.operations.editing import Invalid

LOOKED_BACK = timedelta(days=7)
BESIDE = frozenset({"name", "severity", "category", "runbook", "labels", "cooldown", "enabled"})
"""What changes nothing about when a rule fires and whether anybody is told; severity is shown by colours only."""


class RuleForm(LivePreview[Rehearsal], FormRoom, inherit_bindings=False):
    """The form of a rule; `x` shows all of what it would have done."""

    def __init__(self, name: str = "", *, copy: bool = False) -> None:
        super().__init__("alerts", "rule", name, copy=copy)
        self.why = "what it would have done in the last 7d is looked up …"

    def hangs_on(self) -> object:
        return {key: value for key, value in self.meant().items() if key not in BESIDE}

    async def foresee(self) -> Rehearsal:
        return await self.console_app.reader.preview_rule(self.meant(), LOOKED_BACK)

    def unready(self, invalid: Invalid) -> str:
        """Why a rule cannot be tried yet, by the first field that is to blame."""
        named = ((field.name, mistake_of(field, invalid.problems)) for field in self.form_fields())
        words = [f"{name}: {sentence(mistake)}" for name, mistake in named if mistake is not None]
        return f"no preview yet: {words[0] if words else str(invalid)}"

    def preview_lines(self, found: Rehearsal, moment: Moment, cells: int, rows: int) -> list[Line]:
        return preview_lines(found, moment, cells, rows)

    def context(self) -> Context:
        return replace(super().context(), tries="" if self.previewed is not None else self.why)

    def do_try_it(self) -> None:
        found = self.previewed
        if found is not None:
            name = clean(str(self.values().get("name") or "new rule"))
            self.app.push_screen(
                TextRoom(
                    "alerts",
                    f"what {name} would have done",
                    lambda m, cells: rehearsal_lines(found, m, cells),
                )
            )
