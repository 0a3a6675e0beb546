"""Starts checks at their slots and hands what they find to the recorder.

Every service has a stable phase inside its interval, so a start never comes with a burst and a restart keeps the
rhythm. One check per service is in flight; a slot that finds one still running is counted, never queued; one that is
late by a whole interval is counted, never caught up. The prober judges nothing and stores nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchfloor.config.base import Settings
from watchfloor.domain.guards import STALL_SHARE, Circumstances, excused, suspicious
from watchfloor.domain.harmless import harmless
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.slots import missed, next_slot, phase
from watchfloor.engine.node import Node, steady_ns
from watchfloor.engine.stalls import Stalls
from watchfloor.engine.supervisor import Beat
from watchfloor.probes.resolve import Waits, current, note_waits
from watchfloor.store.services import Service

log = logging.getLogger(__name__)

NS = 1_000_000_000
LONGEST_SLEEP_S = 0.5
SWEEP_EVERY_S = 1.0
STEP_BACK_S = 1
OVERTIME_S = 2.0
"""A probe that is still running this long after its own time-out is cancelled: the kind breaks its contract."""

LAST_WORD_S = 2.0
"""One that does not even heed that is left to itself after so long."""

FIRST_WITHIN_S = 30.0
"""A service that was never checked does not wait longer for its first check, however long its interval."""

LAGS_KEPT = 4096

Probe = Callable[[Settings, float], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finished check on its way to the recorder; moments by the database's clock."""

    service_id: int
    slot: datetime
    started: datetime
    ended: datetime
    lag_s: float
    outcome: Outcome
    seamless: bool = False  # nothing can have been missed since the one before


@dataclass(slots=True, eq=False)
class Watch:
    """One service that this node checks."""

    service: Service
    probe: Probe | None  # None: this node cannot check it
    settings: Settings | None
    broken: str  # why it cannot
    interval_ns: int
    phase_ns: int
    task: asyncio.Task[None] | None = None
    deadline: float = math.inf  # monotonic time at which its probe must have ended
    left_at: float = math.inf  # monotonic time at which a probe that was cancelled must have ended
    retry_ns: int = 0  # the next retry while a problem is soft; 0: follow the slots
    gone: bool = False


class Prober:
    """The schedule of one node's checks."""

    def __init__(self, node: Node, findings: asyncio.Queue[Finding], limit: Callable[[], int]) -> None:
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
        self.lags: deque[float] = deque(maxlen=LAGS_KEPT)
        self.stalls = Stalls()
        self.cut_off: Callable[[int], Awaitable[bool]] = _never_cut_off

    def assign(self, watches: Iterable[Watch], new: Collection[int] = ()) -> None:
        """Watch exactly these services from now on; a service whose rhythm did not change keeps it.

        ``new`` holds ids of services that were never checked: they are, soon and spread out.
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
                self._add(fresh, new)
        for watch in wanted.values():
            self._add(watch, new)
        self._wake.set()

    def _add(self, watch: Watch, new: Collection[int]) -> None:
        now_ns = self._node.clock.now_ns()
        slot_ns = next_slot(now_ns, watch.interval_ns, watch.phase_ns)
        self._watches[watch.service.id] = watch
        self._push(slot_ns, _SLOT, watch)
        soon_ns = now_ns + watch.phase_ns % int(FIRST_WITHIN_S * NS)
        if watch.service.id in new and soon_ns < slot_ns:
            self._push(soon_ns, _FIRST, watch)

    def _push(self, when_ns: int, kind: int, watch: Watch) -> None:
        self._sequence += 1
        heapq.heappush(self._due, (when_ns, self._sequence, kind, watch))

    def check_now(self, service_ids: Iterable[int]) -> None:
        """Check these services at once, ahead of everything that is due."""
        for service_id in service_ids:
            watch = self._watches.get(service_id)
            if watch is not None:
                self._push(0, _NOW, watch)
        self._wake.set()

    def judged(self, service_id: int, soft: bool, ended: datetime) -> None:
        """The recorder's word on a finished check: an unconfirmed problem is looked at again soon."""
        watch = self._watches.get(service_id)
        if watch is None:
            return
        if not soft:
            watch.retry_ns = 0
            return
        watch.retry_ns = int(ended.timestamp() * NS) + watch.service.retry_every_ms * 1_000_000
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
            await self._start_due(beat)

    def _follow_clock(self) -> None:
        """Where the clock went back, what is due would wait until it has caught up: begin anew."""
        now_ns = self._node.clock.now_ns()
        if now_ns < self._latest_ns - STEP_BACK_S * NS:
            log.warning("the clock went back by %.1f s; slots follow it", (self._latest_ns - now_ns) / NS)
            self._due.clear()
            for watch in self._watches.values():
                watch.retry_ns = 0
                self._add(watch, ())
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
        while self._due and self._due[0][0] <= self._node.clock.now_ns():
            when_ns, _, kind, watch = heapq.heappop(self._due)
            if watch.gone or not self._wanted(watch, kind, when_ns):
                continue
            await self._make_room(beat)
            self._start(watch, when_ns)
            started += 1
            if started % 20 == 0:  # let answers in between starts
                await asyncio.sleep(0)
                beat()

    async def _make_room(self, beat: Beat) -> None:
        while len(self._running) >= self._limit() or self._findings.full():
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
        watch.task = asyncio.ensure_future(self._check(watch, when_ns or now_ns, now_ns))
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

    async def _check(self, watch: Watch, slot_ns: int, started_ns: int) -> None:
        self.lags.append(max(0.0, (started_ns - slot_ns) / NS))
        task, began_ns = asyncio.current_task(), steady_ns()
        watch.deadline = time.monotonic() + watch.service.timeout_ms / 1000 + OVERTIME_S  # of what has begun
        try:
            waits = note_waits()
            outcome = harmless(await self._probe(watch), watch.service.kind)
            watch.deadline = math.inf  # what follows may wait for the recorder as long as it takes
            ended_ns = started_ns + steady_ns() - began_ns
            outcome = await self._believed(watch.service, outcome, began_ns, waits)
            if watch.task is task:
                await self._findings.put(_finding(watch, slot_ns, started_ns, ended_ns, outcome))
                self._node.count("checks")
        finally:
            if watch.task is task:
                self._release(watch)

    async def _believed(self, service: Service, outcome: Outcome, began_ns: int, waits: Waits) -> Outcome:
        """What a check found, unless this node is the likelier cause of it."""
        if outcome.status in (Status.OK, Status.UNKNOWN):
            return outcome
        stalled_s, timeout_s = self.stalls.since(began_ns), service.timeout_ms / 1000
        during = Circumstances(stalled_s)
        if suspicious(outcome, service.kind) and stalled_s <= STALL_SHARE * timeout_s:
            offline = await self.cut_off(began_ns)
            nameless = waits.for_name and not offline and not await current().alive()
            during = Circumstances(self.stalls.since(began_ns), offline, nameless)
        believed = excused(outcome, service.kind, timeout_s, during)
        if believed is not outcome:
            self._node.count(str(believed.facts["reason"]))
        return believed

    def _release(self, watch: Watch) -> None:
        watch.task = None
        watch.deadline = watch.left_at = math.inf
        self._running.discard(watch)
        self._room.set()

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
        self._release(watch)
        self._findings.put_nowait(_finding(watch, now_ns, now_ns, now_ns, _overdue(watch)))

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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _finding(watch: Watch, slot_ns: int, started_ns: int, ended_ns: int, outcome: Outcome) -> Finding:
    lag_s = max(0.0, (started_ns - slot_ns) / NS)
    return Finding(watch.service.id, _moment(slot_ns), _moment(started_ns), _moment(ended_ns), lag_s, outcome)


def _overdue(watch: Watch) -> Outcome:
    return Outcome(Status.UNKNOWN, f"the {watch.service.kind} probe did not end in time and was stopped")


async def _never_cut_off(_: int) -> bool:
    """The answer where no sentinels are configured."""
    return False


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def make_watch(service: Service, probe: Probe | None, settings: Settings | None, broken: str = "") -> Watch:
    """A watch for one service, at its own phase."""
    interval_ns = service.every_ms * 1_000_000
    return Watch(service, probe, settings, broken, interval_ns, phase(str(service.uuid), interval_ns))


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)
