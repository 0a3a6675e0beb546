"""The part of the desk that is about rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.domain.rule_boards import RuleRow
from watchfloor.domain.rules import Rule
from watchfloor.operations import rule_trials
from watchfloor.operations.actor import Actor
from watchfloor.store import health
from watchfloor.store.database import Database
from watchfloor.store.rule_boards import rule_board


class RuleDesk:
    """Rules of one database, and what they would have done."""

    _connect: Callable[[], Awaitable[Database]]
    _actor: Actor

    async def rules(self) -> Sequence[RuleRow]:
        """Every rule, in the order in which they are asked."""
        async with (await self._connect()).transaction() as connection:
            return await rule_board(connection, await health.clock(connection))

    async def rehearse(self, rule: str | Rule | EvaluatedRule, over: timedelta) -> Rehearsal:
        """What a rule, in force by this name or not, would have done in the time up to now. Raises `Refused`."""
        database = await self._connect()
        if isinstance(rule, str):
            return await rule_trials.rehearse_named(database, rule, over)
        return await rule_trials.rehearse_over(database, rule, over)

    async def test_rule(self, name: str) -> Sequence[str]:
        """Send a marked message to whom a rule would tell; returns the channels. Raises `Refused`."""
        return await rule_trials.fire_test(await self._connect(), self._actor, name)
