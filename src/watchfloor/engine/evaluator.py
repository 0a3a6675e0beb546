"""Evaluates rules. Every node has an evaluator; a lock in the database gives each rule to one of them at a time."""

from __future__ import annotations

import asyncio

from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.evaluating import evaluate_due

EVERY_S = 10.0
LOOK_S = 1.0
"""A beat is due this often, whatever the evaluation."""


class Evaluator:
    """The rules that are evaluated, for one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def run(self, beat: Beat) -> None:
        """Evaluate for ever. Raises when the database is away; clocks are in the database and go on from there."""
        while True:
            beat()
            await self.once(beat)
            left = EVERY_S
            while left > 0:
                beat()
                await asyncio.sleep(min(LOOK_S, left))
                left -= LOOK_S

    async def once(self, beat: Beat) -> None:
        """One round of those that are due and that no other node just did."""
        node = self._node
        round_ = asyncio.create_task(evaluate_due(node.database, node.settings, node.clock.now()))
        try:
            while not (await asyncio.wait({round_}, timeout=LOOK_S))[0]:
                beat()  # each rule has a time-out of its own
        finally:
            round_.cancel()
        done = round_.result()
        node.count("rule_evaluations", done.evaluated)
        if done.changed:
            node.outbox_filled()
            node.pulse.mark("alerts", "health", "outbox")
