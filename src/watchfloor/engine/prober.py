"""Starts checks at their slots and hands what they find to the recorder.

Every service has a stable phase inside its interval, so a start never comes with a burst of them all and a restart
keeps the rhythm. One check per service is in flight; a slot that finds one still running is counted, never queued;
one that is late by a whole interval is counted, never caught up. The prober judges nothing and stores nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from watchfloor.domain.guards import Circumstances, excused, suspicious
from watchfloor.domain.harmless import harmless
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.slots import missed, next_slot
from watchfloor.engine.finding import Findings, finding_of
from watchfloor.engine.handover import TakenOver
from watchfloor.engine.lags import Lags
from watchfloor.engine.node import NS, Node, moment, nanoseconds, steady_ns
from watchfloor.engine.stalls import Stalls
from watchfloor.engine.supervisor import Beat
from watchfloor.engine.watches import Watch
from watchfloor.probes.resolve import Waits, current, note_waits
from watchfloor.store.services import Service

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 0.5
SWEEP_EVERY_S = 1.0
STEP_BACK_S = 1
OVERTIME_S = 2.0
"""A probe that is still running this long after its own time-out is cancelled: the kind breaks its contract."""

LAST_WORD_S = 2.0
"""One that does not even heed that is left to itself after so long."""

FIRST_WITHIN_S = 30.0
"""A service that was never checked does not wait longer for its first check, however long its interval."""
FIRST_APART_S = 0.01
"""Nor longer than so much for each that comes with it: one that is alone is checked at once."""

UNTRUSTED_S = 0.05
"""So often it is looked whether this node is trusted again."""


class Prober:
    """The schedule of one node's checks."""

    def __init__(self, node: Node, findings: Findings, limit: Callable[[], int]) -> None:
        """``limit`` gives the most checks in flight at a time."""
        self._node = node
        self._findings = findings
        self._limit = limit
        self._watches: dict[int, Watch] = {}
        self._due: list[tuple[int, int, int, Watch]] = []  # when, tie-breaker, kind of entry
        self._sequence = 0
        self._wake = asyncio.Event()
        self._running: set[Watch] = set()
        self._room = asyncio.Event()
        self._sweep_at = 0.0
        self._latest_ns = 0
        self.lags = Lags()
        self.stalls = Stalls()
        self.cut_off: Callable[[int], Awaitable[bool]] = _never_cut_off

    def assign(
        self,
        watches: Iterable[Watch],
        new: Collection[int] = (),
        taken_over: Mapping[int, TakenOver] = MappingProxyType({}),
    ) -> None:
        """Watch exactly these services from now on; a service whose rhythm did not change keeps it.

        ``new`` holds ids of services that were never checked: they are, soon and spread out. ``taken_over`` says
        of services that another node left something undone with when that is to be done.
        """
        wanted = {watch.service.id: watch for watch in watches}
        for service_id, old in list(self._watches.items()):
            fresh = wanted.pop(service_id, None)
            if fresh is None:
                old.gone = True
                del self._watches[service_id]
            elif (fresh.interval_ns, fresh.phase_ns) == (old.interval_ns, old.phase_ns):
                old.service, old.probe, old.settings, old.broken = (
                    fresh.service,
                    fresh.probe,
                    fresh.settings,
                    fresh.broken,
                )
            else:
                old.gone = True
                wanted[service_id] = fresh
        spread_ns = _spread_ns(len(wanted.keys() & set(new)))
        for watch in wanted.values():
            self._add(watch, spread_ns if watch.service.id in new else 0)
            if watch.service.id in taken_over:
                self._go_on(watch, taken_over[watch.service.id])
        self._wake.set()

    def begun(self) -> datetime:
        """Every slot before this moment was begun (or counted as missed), none after it."""
        now_ns = self._node.clock.now_ns()
        slots = (when_ns for when_ns, _, kind, watch in self._due if kind == _SLOT and not watch.gone)
        return moment(min(now_ns, min(slots, default=now_ns)))

    def _go_on(self, watch: Watch, left: TakenOver) -> None:
        """Do what another node left undone: the slot that nobody used, the next look at an unconfirmed problem."""
        if left.retry:
            watch.retry_ns = left.when_ns
        self._push(left.when_ns, _RETRY if left.retry else _FIRST, watch)

    def _add(self, watch: Watch, within_ns: int = 0) -> None:
        """Watch a service from its next slot on; ``within_ns``: its very first check comes so soon."""
        now_ns = self._node.clock.now_ns()
        slot_ns = next_slot(now_ns, watch.interval_ns, watch.phase_ns)
        self._watches[watch.service.id] = watch
        self._push(slot_ns, _SLOT, watch)
        soon_ns = now_ns + watch.phase_ns % max(1, within_ns)
        if within_ns and soon_ns < slot_ns:
            self._push(soon_ns, _FIRST, watch)

    def _push(self, when_ns: int, kind: int, watch: Watch) -> None:
        self._sequence += 1
        heapq.heappush(self._due, (when_ns, self._sequence, kind, watch))

    def check_now(self, service_ids: Iterable[int]) -> None:
        """Check these services at once, ahead of everything that is due."""
        for service_id in service_ids:
            watch = self._watches.get(service_id)
            if watch is not None:
                watch.awaited = True
                self._push(0, _NOW, watch)
        self._wake.set()

    def vote(self, service_id: int, since: datetime, anew: bool) -> None:
        """Check a service at once for another node, unless that began in a slot since then; ``anew``: even so."""
        watch, since_ns = self._watches.get(service_id), nanoseconds(since)
        if watch is None or watch.service.paused:
            return
        if watch.slot_ns >= since_ns and not anew:
            watch.awaited |= watch.task is not None
            self._findings.pressing.set()  # it may wait there
            return
        watch.asked_ns = since_ns
        self.check_now([service_id])

    def judged(self, service_id: int, soft: bool, ended: datetime) -> None:
        """The recorder's word on a finished check: an unconfirmed problem is looked at again soon."""
        watch = self._watches.get(service_id)
        if watch is None:
            return
        if not soft:
            watch.retry_ns = 0
            return
        watch.retry_ns = nanoseconds(ended) + watch.service.retry_every_ms * 1_000_000
        self._push(watch.retry_ns, _RETRY, watch)
        self._wake.set()

    @property
    def service_ids(self) -> list[int]:
        """The services that this node checks now."""
        return list(self._watches)

    @property
    def in_flight(self) -> int:
        """Checks that are running now."""
        return len(self._running)

    async def run(self, beat: Beat) -> None:
        """Start checks when they are due, for ever."""
        while True:
            beat()
            self._sweep()
            self._follow_clock()
            await self._sleep()
            if self._node.may_check:
                await self._start_due(beat)
            else:
                await asyncio.sleep(UNTRUSTED_S)

    def _follow_clock(self) -> None:
        """Where the clock went back, what is due would wait until it has caught up: begin anew."""
        now_ns = self._node.clock.now_ns()
        if now_ns < self._latest_ns - STEP_BACK_S * NS:
            log.warning("the clock went back by %.1f s; slots follow it", (self._latest_ns - now_ns) / NS)
            self._due.clear()
            for watch in self._watches.values():
                watch.retry_ns = 0
                self._add(watch)
        self._latest_ns = now_ns

    async def _sleep(self) -> None:
        pause = LONGEST_SLEEP_S
        if self._due:
            pause = min(pause, (self._due[0][0] - self._node.clock.now_ns()) / NS)
        if pause <= 0:
            await asyncio.sleep(0)
            return
        self._wake.clear()
        handle = asyncio.get_running_loop().call_later(pause, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            handle.cancel()

    async def _start_due(self, beat: Beat) -> None:
        started = 0
        while self._due and self._due[0][0] <= self._node.clock.now_ns() and self._node.may_check:
            when_ns, _, kind, watch = heapq.heappop(self._due)
            if watch.gone or not self._wanted(watch, kind, when_ns):
                continue
            if not self._has_room():
                await self._make_room(beat)
            self._start(watch, when_ns)
            started += 1
            if started % 20 == 0:  # let answers in between starts
                await asyncio.sleep(0)
                beat()

    def _has_room(self) -> bool:
        return len(self._running) < self._limit() and not self._findings.full()

    async def _make_room(self, beat: Beat) -> None:
        while not self._has_room():
            self._node.count("waits_for_room")
            self._room.clear()
            handle = asyncio.get_running_loop().call_later(LONGEST_SLEEP_S, self._room.set)
            try:
                await self._room.wait()
            finally:
                handle.cancel()
            beat()
            self._sweep()

    def _wanted(self, watch: Watch, kind: int, when_ns: int) -> bool:
        """Whether what is due is to be done; a slot has its successor either way."""
        if kind == _SLOT and not self._take_slot(watch, when_ns):
            return False
        if kind == _RETRY and watch.retry_ns != when_ns:
            return False
        if kind != _NOW and watch.service.paused:
            return False
        if kind == _SLOT and watch.task is not None:
            self._node.count("overlaps")
        return watch.task is None

    def _start(self, watch: Watch, when_ns: int) -> None:
        if watch.gone or watch.task is not None:  # by now
            return
        now_ns = self._node.clock.now_ns()
        watch.slot_ns, asked_ns, watch.asked_ns = when_ns or now_ns, watch.asked_ns, 0
        check = self._check(watch, watch.slot_ns, now_ns, asked_ns)
        watch.task = asyncio.get_running_loop().create_task(check)
        self._running.add(watch)

    def _take_slot(self, watch: Watch, slot_ns: int) -> bool:
        """Go on to the next slot; whether this one is to be used."""
        now_ns = self._node.clock.now_ns()
        self._push(next_slot(now_ns, watch.interval_ns, watch.phase_ns), _SLOT, watch)
        skipped = missed(slot_ns - watch.interval_ns, now_ns, watch.interval_ns)
        if skipped == 0:
            return watch.retry_ns <= now_ns
        if not watch.service.paused:
            self._node.count("missed", skipped + 1)
        return False

    async def _check(self, watch: Watch, slot_ns: int, started_ns: int, asked_ns: int) -> None:
        self.lags.append(max(0.0, (started_ns - slot_ns) / NS))
        task, began_ns = watch.task, steady_ns()
        watch.deadline = time.monotonic() + watch.service.timeout_ms / 1000 + OVERTIME_S  # of what has begun
        try:
            waits = note_waits()
            outcome = harmless(await self._probe(watch), watch.service.kind)
            watch.deadline = math.inf  # what follows may wait for the recorder as long as it takes
            ended_ns = started_ns + steady_ns() - began_ns
            outcome = await self._believed(watch.service, outcome, began_ns, waits)
            if watch.task is task:
                found = finding_of(watch, slot_ns, started_ns, ended_ns, outcome, asked_ns=asked_ns)
                watch.awaited = False
                await self._findings.put(found)
                self._node.count("checks")
        finally:
            if watch.task is task:
                self._release(watch)

    async def _believed(self, service: Service, outcome: Outcome, began_ns: int, waits: Waits) -> Outcome:
        """What a check found, unless this node is the likelier cause of it."""
        stalled_s, timeout_s = self.stalls.since(began_ns), service.timeout_ms / 1000
        if outcome.status is Status.UNKNOWN or (outcome.status is Status.OK and not stalled_s):
            return outcome
        believed = excused(outcome, service.kind, timeout_s, Circumstances(stalled_s))
        if suspicious(believed, service.kind):
            offline = await self.cut_off(began_ns)
            late = (
                waits.for_name or believed.told is Status.OK
            )  # what it was told it was told under some name
            nameless = late and not offline and await current().failed(waits)
            during = Circumstances(stalled_s, offline, nameless)
            believed = excused(outcome, service.kind, timeout_s, during)
        if believed is not outcome:
            unknown = believed.status is Status.UNKNOWN
            self._node.count(str(believed.facts["reason"]) if unknown else "measured_itself")
        return believed

    def _release(self, watch: Watch) -> None:
        watch.task = None
        watch.deadline = watch.left_at = math.inf
        self._running.discard(watch)
        self._room.set()
        if watch.asked_ns:  # while it was checked
            self.check_now([watch.service.id])

    async def _probe(self, watch: Watch) -> object:
        if watch.probe is None or watch.settings is None:
            return Outcome(Status.UNKNOWN, watch.broken)
        try:
            return await watch.probe(watch.settings, watch.service.timeout_ms / 1000)
        except asyncio.CancelledError:
            if time.monotonic() >= watch.deadline:
                self._node.count("probes_stopped")
                return _overdue(watch)
            if _being_cancelled():
                raise
            reason = "it cancelled itself"
        except Exception as error:
            log.exception("probe %s failed on %s", watch.service.kind, watch.service.name)
            reason = type(error).__name__
        self._node.count("probe_errors")
        return Outcome(Status.UNKNOWN, f"the {watch.service.kind} probe failed: {reason}")

    def _sweep(self) -> None:
        """Stop probes that are past their time; leave behind those that will not be stopped."""
        now = time.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_EVERY_S
        for watch in list(self._running):
            if now <= watch.deadline or watch.task is None:
                continue
            if watch.left_at == math.inf:
                watch.left_at = now + LAST_WORD_S
                watch.task.cancel()
            elif now > watch.left_at and not self._findings.full():
                self._leave_behind(watch)

    def _leave_behind(self, watch: Watch) -> None:
        log.error("probe %s on %s heeds nothing; left to itself", watch.service.kind, watch.service.name)
        self._node.count("probes_left_behind")
        now_ns = self._node.clock.now_ns()
        found = finding_of(watch, now_ns, now_ns, now_ns, _overdue(watch))
        watch.awaited = False
        self._release(watch)
        self._findings.put_nowait(found)

    async def drain(self, timeout: float) -> None:
        """Start nothing more and wait for what is in flight, then cancel it."""
        self.assign(())
        tasks = [watch.task for watch in self._running if watch.task is not None]
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=timeout)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending, timeout=LAST_WORD_S)


_NOW, _RETRY, _FIRST, _SLOT = 0, 1, 2, 3


def _spread_ns(newcomers: int) -> int:
    """How long the first checks of so many services that come together take to begin."""
    return int(min(FIRST_WITHIN_S, FIRST_APART_S * newcomers) * NS)


def _overdue(watch: Watch) -> Outcome:
    return Outcome(Status.UNKNOWN, f"the {watch.service.kind} probe did not end in time and was stopped")


async def _never_cut_off(_: int) -> bool:
    """The answer where no sentinels are configured."""
    return False


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
