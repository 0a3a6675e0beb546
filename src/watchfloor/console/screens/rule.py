"""One rule in full, with what it would have done lately; and what can be done to rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from watchfloor.config.forms import Form
from watchfloor.console.action import Context, Scope
from watchfloor.console.line import Line, clean, says, wrap
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.screens.rule_form import RuleForm
from watchfloor.console.views.rule import rehearsal_lines, rule_lines
from watchfloor.console.views.rule_health import health_lines
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.boards import AlertRow
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.domain.rule_boards import OWN, STATE, RuleRow
from watchfloor.domain.rule_health import RuleHealth
from watchfloor.domain.told import Told
from watchfloor.domain.words import count, named
from watchfloor.operations.actor import Refused

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp

LOOKED_BACK = timedelta(days=7)


def set_enabled(app: WatchfloorApp, rule: RuleRow, enabled: bool) -> None:
    """Switch a rule on or off; the undo is offered."""
    operator, name = app.operator, clean(rule.name)
    words = (f"{name} is off", f"{name} is on again")
    app.operate(
        lambda: operator.set_rule_enabled(rule.name, enabled),
        words[enabled],
        undo=(
            "switch on" if enabled else "switch off",
            lambda: operator.set_rule_enabled(rule.name, not enabled),
            words[not enabled],
        ),
    )


def ask_to_delete(app: WatchfloorApp, rule: RuleRow, open_: Sequence[AlertRow]) -> None:
    """Take a rule away, after saying what is open by it; undo writes it again as it was."""
    name, written = clean(rule.name), list[Form]()

    async def delete() -> None:
        found = await app.reader.form("rule", rule.name, "")
        await app.operator.delete_thing("rule", rule.name)
        written.extend([found] if found else [])

    async def again() -> None:
        for each in written:
            await app.operator.save_form("rule", each.values, "", 0)

    def done(sure: bool | None) -> None:
        if sure:
            app.operate(delete, f"deleted {name}", undo=("delete", again, f"{name} is in force again"))

    words = ["It is asked no more; what it raised stays on record."]
    if open_:
        words.append(
            f"{count(len(open_), 'open alert')} of it end, or go to the rule that is about them then:"
        )
        words += named([f"#{each.id} {each.title}" for each in open_])
    else:
        words.append("Nothing is open by it.")
    app.push_screen(ConfirmDialog((("Delete ", "muted"), (name, "title")), words), done)


class RuleActs(ActionHost):
    """The actions of rules."""

    def do_add_rule(self) -> None:
        self.console_app.push_screen(RuleForm())

    def do_edit_rule(self) -> None:
        rule = self.context().rule
        if rule is not None:
            self.console_app.push_screen(RuleForm(rule.name))

    def do_copy_rule(self) -> None:
        rule = self.context().rule
        if rule is not None:
            self.console_app.push_screen(RuleForm(rule.name, copy=True))

    def do_switch_rule(self) -> None:
        rule = self.context().rule
        if rule is not None:
            set_enabled(self.console_app, rule, not rule.enabled)

    def do_delete_rule(self) -> None:
        app, rule = self.console_app, self.context().rule
        if rule is not None:
            app.ask(
                lambda: app.reader.alerts(resolved=False),
                lambda rows: ask_to_delete(app, rule, [each for each in rows if each.rule == rule.name]),
            )

    def do_test_rule(self) -> None:
        """Ask, then send a test."""
        app, rule = self.console_app, self.context().rule
        if rule is None:
            return
        told: list[Told] = []

        async def send() -> None:
            told.append(await app.operator.test_rule(rule.name))

        def done(sure: bool | None) -> None:
            if sure:
                app.operate(send, lambda: clean(told[0].words(rule.name)))

        lines = [
            "A message marked as a test goes to the channels on which an alert of this rule would be told now and, "
            "at once, to whom the first step of its chain of escalation names.",
            "Left out are channels that are off or have a mute time, and people in quiet hours. Silences and "
            "maintenance are passed over.",
        ]
        app.push_screen(
            ConfirmDialog((("Send a test of ", "muted"), (clean(rule.name), "title")), lines), done
        )


class RuleRoom(RuleActs, DetailRoom, inherit_bindings=False):
    """What a rule is, how its evaluations go, and when it would have fired in the last days."""

    ROOM: ClassVar[str] = "alerts"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT, Scope.RULES)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"settings"})

    def __init__(self, row: RuleRow) -> None:
        super().__init__()
        self._row = row
        self._health: RuleHealth | None = None
        self._rehearsal: Rehearsal | None = None
        self._why = ""

    def place(self) -> None:
        """It shows a row that may not be there any more."""

    async def load(self) -> None:
        reader = self.console_app.reader
        found = next((each for each in await reader.rules() if each.name == self._row.name), None)
        if found is None:
            self._rehearsal, self._why = None, "It is gone, or has another name."
            return
        self._row = found
        if self._row.kind not in (OWN, STATE):
            self._health = await reader.rule_health(self._row.name)
        if self._row.kind == OWN:
            self._why = "This rule is about Watchfloor itself: nothing is stored to try it on."
            return
        if not self._row.enabled:
            self._rehearsal = None
            self._why = "This rule is switched off; its definition shows what it would have done."
            return
        try:
            self._rehearsal, self._why = await reader.rehearse(self._row.name, LOOKED_BACK), ""
        except Refused as refusal:
            self._why = str(refusal)

    def show(self) -> None:
        row, moment, health = self._row, self.console_app.moment, self._health
        self.pane.show(
            lambda cells: [
                *rule_lines(row, moment, cells),
                *health_lines(row, health, moment, cells),
                *self._tried(cells),
            ]
        )
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
