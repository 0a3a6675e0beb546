"""One rule in full, with what it would have done lately; and sending a test to whom it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.line import Line, clean, says, wrap
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.views.rule import rehearsal_lines, rule_lines
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.domain.rule_boards import OWN, RuleRow
from watchfloor.operations.actor import Refused

LOOKED_BACK = timedelta(days=7)


class RuleActs(ActionHost):
    """The action of rules."""

    def do_test_rule(self) -> None:
        """Ask, then send a test."""
        app, rule = self.console_app, self.context().rule
        if rule is None:
            return
        told: list[str] = []

        async def send() -> None:
            told.extend(await app.operator.test_rule(rule.name))

        def done(sure: bool | None) -> None:
            if sure:
                app.operate(
                    send, lambda: f"a test of {clean(rule.name)} is on its way to {clean(', '.join(told))}"
                )

        lines = ["A message marked as a test goes to everybody whom an alert of this rule would be told now."]
        app.push_screen(
            ConfirmDialog((("Send a test of ", "muted"), (clean(rule.name), "title")), lines), done
        )


class RuleRoom(RuleActs, DetailRoom, inherit_bindings=False):
    """What a rule is, and when it would have fired in the last days."""

    ROOM: ClassVar[str] = "alerts"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT, Scope.RULES)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"settings"})

    def __init__(self, row: RuleRow) -> None:
        super().__init__()
        self._row = row
        self._rehearsal: Rehearsal | None = None
        self._why = ""

    def place(self) -> None:
        """It shows a row that may not be there any more."""

    async def load(self) -> None:
        reader = self.console_app.reader
        self._row = next((each for each in await reader.rules() if each.name == self._row.name), self._row)
        if self._row.kind == OWN:
            self._why = "This rule is about Watchfloor itself: nothing is stored to try it on."
            return
        if not self._row.enabled:
            self._why = "This rule is switched off; watchfloor rules try --file tells what it would do."
            return
        try:
            self._rehearsal, self._why = await reader.rehearse(self._row.name, LOOKED_BACK), ""
        except Refused as refusal:
            self._why = str(refusal)

    def show(self) -> None:
        row, moment = self._row, self.console_app.moment
        self.pane.show(lambda cells: [*rule_lines(row, moment, cells), *self._tried(cells)])
        super().show()

    def _tried(self, cells: int) -> list[Line]:
        if self._rehearsal is not None:
            return rehearsal_lines(self._rehearsal, self.console_app.moment, cells)
        return [says(""), *wrap(self._why, cells, "muted")]

    def summary(self) -> Summary:
        return [self.way()], self.conditions()

    def names(self) -> Sequence[str]:
        return (self._row.name,)

    def context(self) -> Context:
        return replace(super().context(), rule=self._row)
