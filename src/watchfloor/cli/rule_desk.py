"""The part of the desk that is about rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from watchfloor.cli.beside import beside
from watchfloor.cli.form_desk import FormDesk
from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.domain.rule_boards import RuleRow
from watchfloor.domain.rule_health import RuleHealth
from watchfloor.domain.rules import Rule
from watchfloor.domain.told import Told
from watchfloor.store import evaluations, health
from watchfloor.store.database import Database
from watchfloor.store.rule_boards import rule_board


class RuleDesk(FormDesk):
    """Rules of one database, and what they would have done."""

    async def rules(self) -> Sequence[RuleRow]:
        """Every rule, in the order in which they are asked."""
        async with (await self._connect()).connection() as connection:
            return await rule_board(connection, await health.clock(connection))

    async def rule_health(self, name: str) -> RuleHealth | None:
        """How the evaluations of a rule go; None where there is no such rule, or it is on states."""
        async with (await self._connect()).connection() as connection:
            found = await evaluations.rule_health(connection, await health.clock(connection), name)
            return found[0] if found else None

    async def rehearse(self, rule: str | Rule | EvaluatedRule, over: timedelta) -> Rehearsal:
        """What a rule, in force by this name or not, would have done in the time up to now. Raises `Refused`."""
        from watchfloor.operations import rule_trials

        async def work(database: Database) -> Rehearsal:
            if isinstance(rule, str):
                return await rule_trials.rehearse_named(database, rule, over)
            return await rule_trials.rehearse_over(database, rule, over)

        return await beside(await self._connect(), work, "rehearsal")

    async def preview_rule(self, values: Mapping[str, Any], over: timedelta) -> Rehearsal:
        """What a rule as it is filled in would have done in the time up to now. Raises `Invalid`, `Refused`."""
        from watchfloor.operations.definitions import rule_of

        written = {**values, "name": values.get("name") or "new rule"}
        return await self.rehearse(rule_of(self._editors.rules.judge_of.rule(written)), over)

    async def test_rule(self, name: str) -> Told:
        """Send a marked message to whom a rule would tell; returns whom. Raises `Refused`."""
        from watchfloor.operations import rule_trials

        return await rule_trials.fire_test(await self._connect(), self._actor, name)

    async def set_rule_enabled(self, name: str, enabled: bool) -> bool:
        """Switch a rule on or off; False: it was so. Raises `Refused`."""
        from watchfloor.operations import rule_edits

        return await rule_edits.set_rule_enabled(await self._connect(), self._actor, name, enabled)
