"""A rule that is written: its form, and below it what such a rule would have done in the last days, as it is typed.

What is shown was computed beside the screen, for what is filled in now: an answer that comes too late is dropped, and a
rule that cannot be tried yet says why in one quiet line. It must never keep a key waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.timer import Timer
from textual.worker import Worker

from watchfloor.config.forms import mistake_of, sentence
from watchfloor.console import feed
from watchfloor.console.action import Context
from watchfloor.console.line import Line, clean, clip, says
from watchfloor.console.screens.form import FormRoom
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.rule import preview_lines, rehearsal_lines
from watchfloor.console.widgets.pane import Pane
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.operations.actor import Refused
from watchfloor.operations.editing import Invalid

LOOKED_BACK = timedelta(days=7)
REST_S = 0.3
"""Whoever types or chooses on within this time is not shown what came before."""
UNHEARD = frozenset({"name", "severity", "channels", "category", "labels", "cooldown", "enabled"})
"""What changes nothing about when a rule fires; its severity is shown by colours only."""


class RuleForm(FormRoom, inherit_bindings=False):
    """The form of a rule; `x` shows all of what it would have done."""

    DEFAULT_CSS: ClassVar[str] = """
    RuleForm #preview { height: 2; }
    RuleForm.-low #preview { display: none; }
    RuleForm.-tall #preview { height: 11; border-top: solid $wf-border; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-roomy"), (34, "-tall")]

    def __init__(self, name: str = "", *, copy: bool = False) -> None:
        super().__init__("alerts", "rule", name, copy=copy)
        self.preview_pane = Pane(id="preview")
        self.preview_pane.can_focus = False
        self._rehearsal: Rehearsal | None = None
        self._why = "what it would have done in the last 7d is looked up …"
        self._tried: Mapping[str, Any] | None = None  # what is shown, or about to be
        self._rest: Timer | None = None
        self._looking: Worker[None] | None = None

    def body(self) -> ComposeResult:
        for widget in super().body():
            yield widget
            if widget is self.about_pane:
                yield self.preview_pane

    # Looking

    @property
    def settled(self) -> bool:
        looking = self._looking is not None and not self._looking.is_finished
        return self._rest is None and not looking and super().settled

    async def judge_again(self) -> None:
        await super().judge_again()
        wanted = {key: value for key, value in self.meant().items() if key not in UNHEARD}
        if wanted != self._tried:
            self._tried = wanted
            if self._looking is not None:
                self._looking.cancel()
            if self._rest is not None:
                self._rest.stop()
            self._rest = self.set_timer(REST_S, self._rested)

    def _rested(self) -> None:
        self._rest = None
        values = self.meant()
        self._looking = self.run_worker(self._look(values, self._tried), exclusive=True, group="preview")

    async def _look(self, values: Mapping[str, Any], tried: Mapping[str, Any] | None) -> None:
        found: Rehearsal | None = None
        why = ""
        try:
            found = await self.console_app.reader.preview_rule(values, LOOKED_BACK)
        except Invalid as invalid:
            why = self._unready(invalid)
        except Refused as refusal:
            why = str(refusal)
        except Exception as error:
            # Whatever goes wrong is said below the form; nobody asked for it, so that it may not be louder.
            why = feed.sentence(error)
        if tried is self._tried:
            self._rehearsal, self._why = found, why
            self._tell_preview()
            self.renew_bars()

    def _unready(self, invalid: Invalid) -> str:
        """Why a rule cannot be tried yet, by the first field that is to blame."""
        fields = self.form_fields()
        named = ((field.name, mistake_of(field, invalid.problems)) for field in fields)
        words = [f"{name}: {sentence(mistake)}" for name, mistake in named if mistake is not None]
        return f"no preview yet: {words[0] if words else str(invalid)}"

    # Showing

    def show(self) -> None:
        super().show()
        self._tell_preview()

    def _tell_preview(self) -> None:
        found, why, moment = self._rehearsal, self._why, self.console_app.moment
        rows = 10 if self.has_class("-tall") else 2

        def lines(cells: int) -> list[Line]:
            if found is None:
                return [says(clip(clean(why), cells), "muted")]
            return preview_lines(found, moment, cells, rows)

        self.preview_pane.show(lines)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._tell_preview)

    def context(self) -> Context:
        return replace(super().context(), tries="" if self._rehearsal is not None else self._why)

    def do_try_it(self) -> None:
        found = self._rehearsal
        if found is not None:
            name = clean(str(self.values().get("name") or "new rule"))
            self.app.push_screen(
                TextRoom(
                    "alerts",
                    f"what {name} would have done",
                    lambda m, cells: rehearsal_lines(found, m, cells),
                )
            )
