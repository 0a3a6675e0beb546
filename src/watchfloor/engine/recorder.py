"""Judges what the prober found and stores it: one transaction per batch, with every consequence inside.

A result that takes a service down writes the state, the span, the incident, the alert, its history and the outbox
row together; there is no moment at which one exists without the others. The recorder loses nothing while the
database is away: it holds its batch, the queue fills, and the prober slows down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from math import inf
from typing import cast

from watchfloor.domain.outcome import Status
from watchfloor.domain.reach import Graph
from watchfloor.domain.rules import Rule
from watchfloor.domain.slots import LONGEST_WAIT_S, stored_within
from watchfloor.engine.batch import Batch, Limits, judge, rounds
from watchfloor.engine.days import Days
from watchfloor.engine.facts import KnownFacts
from watchfloor.engine.finding import Finding, Findings
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.engine.voting import Ballots
from watchfloor.operations.ageing import wait_longer
from watchfloor.operations.consequences import Consequences, News, bring_about, look_above
from watchfloor.operations.planning import open_flexible
from watchfloor.store import reach
from watchfloor.store import results as store
from watchfloor.store.certificates import save_certificates
from watchfloor.store.database import Connection
from watchfloor.store.errors import explain, is_away
from watchfloor.store.results import Stored
from watchfloor.store.rollups import LATE, mark_late
from watchfloor.store.services import Service, request_checks

log = logging.getLogger(__name__)

GATHER_S = LONGEST_WAIT_S
"""So long results wait for others, with which they share a transaction, unless something presses."""

BREATH_S = 0.01
"""What presses comes with what comes right after it, as it does where much breaks at once."""

BATCH = 2000
AWAY_PAUSE_S = 1.0
IDLE_S = 2.0
VOTES_S = 0.2
"""So often votes are counted anew where findings wait for them."""

Judged = Callable[[int, bool, datetime], None]


class Recorder:
    """Takes findings from the queue and makes them history."""

    def __init__(self, node: Node, findings: Findings, judged: Judged) -> None:
        """``judged`` hears, per service, whether its problem is still unconfirmed and when the check ended."""
        self._node = node
        self._findings = findings
        findings.presses = self._presses
        self._judged = judged
        self._held: list[Finding] = []
        self._confirmed: dict[int, Status | None] = {}  # of what is not here it is ok, as far as is known
        self._series: dict[str, int] = {}
        self._days = Days(node, "retention.check_results")
        self._ballots = Ballots(node)
        self._facts = KnownFacts()
        self._trouble = ""
        self.wait_s = inf  # results wait no longer for others, whatever `GATHER_S`
        self.services: Mapping[int, Service] = {}
        self.rules: Sequence[Rule] = ()
        self.graph = Graph({})
        self.flexible: Mapping[int, Collection[int]] = {}  # windows that wait for a failure, by service
        self.look_at: Callable[[Collection[int]], None] = lambda _: None

    def know(
        self,
        services: Mapping[int, Service],
        graph: Graph,
        rules: Sequence[Rule],
        confirmed: Mapping[int, Status | None],
    ) -> None:
        """From now on it is these, and which node checks which service may have changed, too.

        ``confirmed`` is what is known of those that this node books and that are not ok, None where they are new.
        """
        self.services, self.graph, self.rules = services, graph, rules
        self._confirmed = dict(confirmed)
        self.wait_s = min((stored_within(each.every_ms / 1000) for each in services.values()), default=inf)
        self._facts.forget()

    async def run(self, beat: Beat) -> None:
        """Record for ever."""
        while True:
            beat()
            await self._gather()
            if self._held:
                await self._record_held(beat)
            if self._ballots.open:
                await self._count_again()

    async def _count_again(self) -> None:
        """See whether votes came in for what waits for them; it waits on while the database is away."""
        try:
            await self._record_round(())
        except Exception as error:
            if is_away(error):
                self._tell(explain(error))
                return
            self._node.count("results_dropped", self._ballots.drop())
            log.exception("results that waited for votes were dropped")

    async def _gather(self) -> None:
        """Hold what has come: one finding waits for others, but not for long; none for longer, but not for ever."""
        if not self._held:
            try:
                async with asyncio.timeout(VOTES_S if self._ballots.open else IDLE_S):
                    self._held.append(await self._findings.get())
            except TimeoutError:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(VOTES_S if self._ballots.open else min(GATHER_S, self.wait_s)):
                    await self._findings.pressing.wait()
                    await asyncio.sleep(BREATH_S)
        self._take()

    def _take(self) -> None:
        self._findings.pressing.clear()
        while len(self._held) < BATCH and not self._findings.empty():
            self._held.append(self._findings.get_nowait())
        if not self._findings.empty():
            self._findings.pressing.set()

    def _presses(self, finding: Finding) -> bool:
        """Whether to store soon: somebody asked, it says something else than is confirmed, or there are many."""
        status, confirmed = finding.outcome.status, self._confirmed.get(finding.service_id, Status.OK)
        news = status is not confirmed and status is not Status.UNKNOWN
        return news or finding.awaited or self._findings.qsize() >= BATCH // 2

    async def flush(self) -> None:
        """Record everything that is queued; raises when the database is away."""
        while self._held or not self._findings.empty():
            self._take()
            await self._store_held(lambda: None)
        while self._ballots.open:
            await self._record_round((), last=True)

    async def record(self, findings: Sequence[Finding], beat: Beat = lambda: None) -> None:
        """Store findings at once, past the queue; raises when the database is away or refuses them."""
        await self._record(findings, beat)

    async def _record_held(self, beat: Beat) -> None:
        """Record what is held, however long the database is away."""
        while self._held:
            try:
                await self._store_held(beat)
            except Exception as error:
                if not is_away(error):
                    raise
                self._tell(explain(error))
                self._facts.forget()  # it may come back as it was some time ago
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
            await self._record(self._held, beat)
            self._held = []
        except Exception as error:
            if is_away(error):
                raise
            log.exception("a batch was refused; storing its results one by one")
        while self._held:
            beat()
            try:
                await self._record(self._held[:1], beat)
            except Exception as error:
                if is_away(error):
                    raise
                self._node.count("results_dropped")
                log.exception("a result of service #%d was dropped", self._held[0].service_id)
            del self._held[0]

    async def _record(self, findings: Sequence[Finding], beat: Beat) -> None:
        """Store findings; what was stored before, because a commit's answer was lost, is recognised and skipped.

        After a time without a database there are many rounds: each is a sign of life.
        """
        await self._days.ensure(finding.started for finding in findings)
        watched = [finding for finding in findings if finding.service_id in self.services]
        for batch in rounds(self._ballots.latest(self.services, watched)):
            beat()
            await self._record_round(batch)

    async def _record_round(self, findings: Sequence[Finding], *, last: bool = False) -> None:
        async with self._node.database.transaction() as connection:
            count = await self._ballots.count(connection, self.services, findings, last=last)
            findings = count.booked
            if not findings:
                self._ballots.keep(count)
                return
            stored = await store.lock_states(connection, [finding.service_id for finding in findings])
            batch = self._judge(findings, stored)
            waiting = [each for each in batch.suspects if each in self.flexible]
            if batch.confirmed or batch.flapped or waiting:
                await reach.lock(connection)
                if waiting:
                    await self._open_flexible(connection, batch, waiting)
                batch = self._judge(findings, await _as_covered_now(connection, stored))
            facts = self._facts.news(batch.facts)
            follows = await self._write(connection, batch, facts)
            foreign = [each for each in follows.look_at if not self._is_mine(each)]
            if foreign:
                await request_checks(connection, foreign, "watchfloor")
        self._ballots.keep(count)
        self._facts.keep(facts)
        for row in batch.states:
            self._judged(row.service_id, row.state.soft, row.last_ended)
            if row.state.hard is not None:
                self._confirmed[row.service_id] = row.state.hard
        if follows.alerts:
            self._node.outbox_filled()
        if follows.look_at:
            self.look_at(follows.look_at)
        self._node.count("results", len(batch.results))
        self._node.count("results_late", batch.discarded)
        self._node.pulse.mark("health", *(("alerts", "outbox") if follows.alerts else ()))
        if foreign:
            self._node.pulse.mark("checks")

    def _judge(self, findings: Sequence[Finding], stored: Mapping[int, Stored]) -> Batch:
        start, stop = (cast(float, self._node.settings[f"flapping.{end}"]) for end in ("start", "stop"))
        limits = Limits(start, min(start, stop))
        return judge(findings, stored, self.services, self._node.id, self._node.clock.now(), limits)

    def _is_mine(self, service_id: int) -> bool:
        service = self.services.get(service_id)
        return service is None or self._node.speaks_for(service)

    async def _open_flexible(self, connection: Connection, batch: Batch, waiting: Sequence[int]) -> None:
        """A failure opens the windows that wait for one, before anything of it is told."""
        opens = {window: batch.suspects[each] for each in waiting for window in self.flexible[each]}
        await open_flexible(connection, self.graph, opens, self.services, self._node.clock.now())

    async def _write(self, connection: Connection, batch: Batch, facts: Collection[int]) -> Consequences:
        """Write a batch; of its facts those of the services in ``facts``."""
        if not batch.states:
            return Consequences()
        await store.save_states(connection, batch.states)
        await store.copy_results(connection, batch.results)
        if batch.unseen:
            await wait_longer(connection, batch.unseen)
        oldest = self._node.clock.now() - LATE
        late = [(row.service_id, row.ts) for row in batch.results if row.ts < oldest]
        if late:
            await mark_late(connection, late)
        if batch.metrics:
            await self._write_metrics(connection, batch)
        if facts:
            await store.save_facts(connection, [row for row in batch.facts if row[0] in facts])
        if batch.certificates:
            await save_certificates(connection, batch.certificates)
        if batch.spans:
            await store.switch_spans(connection, batch.spans)
        if batch.recovered:
            await store.close_incidents(connection, batch.recovered)
        incidents = await store.open_incidents(connection, batch.problems) if batch.problems else {}
        if batch.confirmed or batch.flapped:
            news = News(batch.confirmed, batch.flapped, batch.suspects)
            settings, now = self._node.settings, self._node.clock.now()
            return await bring_about(connection, self.graph, news, incidents, self.rules, settings, now)
        if batch.suspects:
            return Consequences(look_at=await look_above(connection, self.graph, batch.suspects))
        return Consequences()

    async def _write_metrics(self, connection: Connection, batch: Batch) -> None:
        unknown = {name for _, _, name, _ in batch.metrics} - self._series.keys()
        if unknown:
            self._series.update(await store.series_ids(connection, sorted(unknown)))
        await store.copy_metrics(
            connection,
            ((service_id, self._series[name], ts, value) for service_id, ts, name, value in batch.metrics),
        )


async def _as_covered_now(connection: Connection, stored: Mapping[int, Stored]) -> dict[int, Stored]:
    """The states with what lies over them now that nobody else can change that."""
    covers = await reach.covers(connection, stored.keys())
    return {each: replace(found, cover=covers[each]) for each, found in stored.items()}
