"""Judges what the prober found and stores it: one transaction per batch, with every consequence inside.

A result that takes a service down writes the state, the span, the incident, the alert, its history and the outbox
row together; there is no moment at which one exists without the others. The recorder loses nothing while the
database is away: it holds its batch, the queue fills, and the prober slows down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from watchfloor.domain.rules import Rule
from watchfloor.engine.batch import Batch, judge, rounds
from watchfloor.engine.days import Days
from watchfloor.engine.node import Node
from watchfloor.engine.prober import Finding
from watchfloor.engine.supervisor import Beat
from watchfloor.operations.raising import raise_and_resolve
from watchfloor.store import results as store
from watchfloor.store.database import Connection
from watchfloor.store.errors import explain, is_away
from watchfloor.store.services import Service

log = logging.getLogger(__name__)

GATHER_S = 0.25
BATCH = 2000
AWAY_PAUSE_S = 1.0
IDLE_S = 2.0

Judged = Callable[[int, bool, datetime], None]


class Recorder:
    """Takes findings from the queue and makes them history."""

    def __init__(self, node: Node, findings: asyncio.Queue[Finding], judged: Judged) -> None:
        """``judged`` hears, per service, whether its problem is still unconfirmed and when the check ended."""
        self._node = node
        self._findings = findings
        self._judged = judged
        self._held: list[Finding] = []
        self._series: dict[str, int] = {}
        self._days = Days(node, "retention.check_results")
        self._trouble = ""
        self.services: Mapping[int, Service] = {}
        self.rules: Sequence[Rule] = ()

    async def run(self, beat: Beat) -> None:
        """Record for ever."""
        while True:
            beat()
            await self._gather()
            if self._held:
                await self._record_held(beat)

    async def _gather(self) -> None:
        if not self._held:
            try:
                async with asyncio.timeout(IDLE_S):
                    self._held.append(await self._findings.get())
            except TimeoutError:
                return
            if self._findings.qsize() < BATCH // 2:
                await asyncio.sleep(GATHER_S)
        while len(self._held) < BATCH and not self._findings.empty():
            self._held.append(self._findings.get_nowait())

    async def flush(self) -> None:
        """Record everything that is queued; raises when the database is away."""
        while self._held or not self._findings.empty():
            await self._gather()
            await self._store_held(lambda: None)

    async def _record_held(self, beat: Beat) -> None:
        """Record what is held, however long the database is away."""
        while self._held:
            try:
                await self._store_held(beat)
            except Exception as error:
                if not is_away(error):
                    raise
                self._tell(explain(error))
                beat()
                await asyncio.sleep(AWAY_PAUSE_S)
            else:
                self._tell("")

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("results wait: %s", trouble)
        elif self._trouble and not trouble:
            log.info("results are stored again")
        self._trouble = trouble

    async def _store_held(self, beat: Beat) -> None:
        """Store the batch; where it is refused, result by result without those that are refused."""
        try:
            await self._record(self._held)
            self._held = []
        except Exception as error:
            if is_away(error):
                raise
            log.exception("a batch was refused; storing its results one by one")
        while self._held:
            beat()
            try:
                await self._record(self._held[:1])
            except Exception as error:
                if is_away(error):
                    raise
                self._node.count("results_dropped")
                log.exception("a result of service #%d was dropped", self._held[0].service_id)
            del self._held[0]

    async def _record(self, findings: Sequence[Finding]) -> None:
        """Store findings; what was stored before, because a commit's answer was lost, is recognised and skipped."""
        await self._days.ensure(finding.started for finding in findings)
        watched = [finding for finding in findings if finding.service_id in self.services]
        for batch in rounds(watched):
            await self._record_round(batch)

    async def _record_round(self, findings: Sequence[Finding]) -> None:
        async with self._node.database.transaction() as connection:
            stored = await store.lock_states(connection, [finding.service_id for finding in findings])
            batch = judge(findings, stored, self.services, self._node.id, self._node.clock.now())
            alerts_changed = await self._write(connection, batch)
        for row in batch.states:
            self._judged(row.service_id, row.state.soft, row.last_ended)
        self._node.count("results", len(batch.results))
        self._node.count("results_late", batch.discarded)
        self._node.pulse.mark("health", *(("alerts", "outbox") if alerts_changed else ()))

    async def _write(self, connection: Connection, batch: Batch) -> bool:
        if not batch.states:
            return False
        await store.save_states(connection, batch.states)
        await store.copy_results(connection, batch.results)
        if batch.metrics:
            await self._write_metrics(connection, batch)
        if batch.facts:
            await store.save_facts(connection, batch.facts)
        if batch.certificates:
            await store.save_certificates(connection, batch.certificates)
        if batch.gaps:
            await store.switch_spans(connection, batch.gaps)
        if batch.spans:
            await store.switch_spans(connection, batch.spans)
        if batch.recovered:
            await store.close_incidents(connection, batch.recovered)
        incidents = await store.open_incidents(connection, batch.problems) if batch.problems else {}
        if not batch.confirmed:
            return False
        return await raise_and_resolve(
            connection, batch.confirmed, incidents, self.rules, self._node.settings, self._node.clock.now()
        )

    async def _write_metrics(self, connection: Connection, batch: Batch) -> None:
        unknown = {name for _, _, name, _ in batch.metrics} - self._series.keys()
        if unknown:
            self._series.update(await store.series_ids(connection, sorted(unknown)))
        await store.copy_metrics(
            connection,
            ((service_id, self._series[name], ts, value) for service_id, ts, name, value in batch.metrics),
        )
