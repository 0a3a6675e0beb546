"""Books what heartbeats say, and their silence: the dead man's switch of services that report themselves.

Pings are rows that anybody may add; this loop works out what they mean and hands it to the recorder, so that states,
incidents and alerts of heartbeats are those of every other service. Like others they have a result at every slot. What
was not saved because this node died is worked out again by whoever takes over, and recognised by its moment.

The loop also notes that it listens, before anything is judged: a time in which nobody did is allowed for first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.alert import SYSTEM
from watchfloor.domain.heartbeats import (
    Beat,
    Followed,
    Plan,
    Verdict,
    down_at,
    due_at,
    follow,
    standing,
    word,
)
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.slots import next_slot
from watchfloor.engine.finding import Finding
from watchfloor.engine.node import NS, Node, steady_ns
from watchfloor.engine.recorder import Recorder
from watchfloor.engine.supervisor import Beat as SignOfLife
from watchfloor.engine.watches import Watch
from watchfloor.operations.heartbeats import wake
from watchfloor.probes.heartbeat import Settings
from watchfloor.store import audit, hearing
from watchfloor.store import heartbeats as store
from watchfloor.store.services import Service

IDLE_S = 1.0
HEAR_EVERY = timedelta(seconds=0.5)
GAP = timedelta(seconds=2)
"""If nobody listened for longer than this, pings were lost, whatever the reason."""

TOLD = timedelta(seconds=10)
"""Gaps that are longer than this are in the audit."""

AT_ONCE = 200
"""Heartbeats that are locked together: a ping waits no longer than it takes to book so many."""


@dataclass(slots=True)
class Followee:
    """A heartbeat of this node; ``slot_ns`` is when it is looked at even if nothing happens."""

    watch: Watch
    plan: Plan
    slot_ns: int

    def skip_to(self, now_ns: int) -> None:
        """Wait for the next slot."""
        self.slot_ns = next_slot(now_ns, self.watch.interval_ns, self.watch.phase_ns)


class Heartbeats:
    """The heartbeats of one node's share."""

    def __init__(self, node: Node, recorder: Recorder) -> None:
        self._node = node
        self._recorder = recorder
        self._followed: dict[int, Followee] = {}
        self._look_at: set[int] = set()
        self._down_at: datetime | None = None
        self._wake = asyncio.Event()
        self._heard = False  # whether this engine listened ever
        self._missed = False  # whether it may have missed something since it last listened

    def assign(self, watches: Iterable[Watch]) -> None:
        """Follow exactly these from now on; one that is new, or defined anew, is looked at soon."""
        now_ns, before = self._node.clock.now_ns(), self._followed
        self._followed = {}
        for watch in watches:
            if not isinstance(watch.settings, Settings):
                raise TypeError(f"{watch.service.name} has the settings of another kind")
            each = Followee(watch, watch.settings.plan(), 0)
            each.skip_to(now_ns)
            known = before.get(watch.service.id)
            if known is None or known.watch.service != watch.service:
                self._look_at.add(watch.service.id)
            self._followed[watch.service.id] = each
        self._wake.set()

    def check_now(self, service_ids: Collection[int]) -> None:
        """Look at these at once."""
        self._look_at.update(each for each in service_ids if each in self._followed)
        self._wake.set()

    @property
    def service_ids(self) -> list[int]:
        """The heartbeats that this node follows now."""
        return list(self._followed)

    async def wake(self) -> None:
        """Somebody sent a ping."""
        self._wake.set()

    async def run(self, beat: SignOfLife) -> None:
        """Follow them for ever. Raises when the database is away; what came meanwhile is booked afterwards."""
        while True:
            beat()
            self._wake.clear()
            try:
                await self.once(beat)
            except Exception:
                self._missed = True
                raise
            await self._sleep()

    async def _sleep(self) -> None:
        pause = IDLE_S
        if self._down_at is not None:
            pause = min(pause, (self._down_at - self._node.clock.now()).total_seconds())
        began_ns = steady_ns()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, pause)):
                await self._wake.wait()
        if steady_ns() - began_ns > (max(0.0, pause) + store.HESITATION.total_seconds()) * NS:
            self._missed = True

    async def once(self, beat: SignOfLife) -> None:
        """Note that somebody listens, and book everything there is to book."""
        if not self._followed:
            await self._hear()
            return
        self._look_at |= self._slots_due()
        self._look_at &= self._followed.keys()
        while await self._some(beat):
            beat()
        async with self._node.database.connection() as connection:
            self._down_at = await store.next_down(connection, self._followed.keys())

    async def _hear(self) -> datetime:
        """Note that somebody listens, and allow for the time before if nobody did; returns now."""
        async with self._node.database.connection() as connection:
            heard = await hearing.last_heard(connection)
        if self._heard and not self._missed and timedelta() <= heard.now - heard.before < HEAR_EVERY:
            return heard.now
        async with self._node.database.transaction() as connection:
            heard = await hearing.last_heard(connection, locked=True)
            gap = heard.now - heard.before
            if gap > GAP or (self._missed and gap > timedelta() and len(self._node.live_ids) <= 1):
                allowed = await hearing.allow_for(connection, heard, nodes_ran=self._heard)
                if allowed and gap > TOLD:
                    await audit.record(connection, [_unheard(heard, allowed)])
                self._node.count("heartbeats_allowed_for", allowed)
                self._look_at.update(self._followed)
            await hearing.hear(connection, heard.now)
        self._heard, self._missed = True, False
        return heard.now

    def _slots_due(self) -> set[int]:
        now_ns = self._node.clock.now_ns()
        due = {service_id for service_id, each in self._followed.items() if each.slot_ns <= now_ns}
        for service_id in due:
            self._followed[service_id].skip_to(now_ns)
        return due

    async def _some(self, beat: SignOfLife) -> bool:
        """Book some of them; whether there may be more. What fails is looked at again."""
        heard = await self._hear()
        wanted, mine = frozenset(self._look_at), self._followed
        async with self._node.database.transaction() as connection:
            found, now = await store.lock_due(connection, mine.keys(), wanted, AT_ONCE, heard)
            if now == heard:  # else nothing can have been missed
                self._missed = True
            rows: list[tuple[int, Beat, datetime | None, int]] = []
            findings: list[Finding] = []
            woken: list[int] = []
            for each in found:
                service, plan = mine[each.service_id].watch.service, mine[each.service_id].plan
                until = now if each.whole or not each.pings else each.pings[-1].at
                followed = follow(each.beat, plan, each.pings, service.paused, until)
                rows.append((service.id, followed.beat, down_at(followed.beat, plan), each.last_seq))
                findings += _findings(service, plan, followed, now, asked=service.id in wanted)
                if followed.woken:
                    woken.append(service.id)
            if findings:
                await self._recorder.record(findings, beat)
            await store.save(connection, rows)
            await wake(connection, woken)
        self._look_at -= {each.service_id for each in found if each.whole}
        self._node.count("heartbeats", len(findings))
        moved = [each for each in found if each.whole or each.pings or now == heard]
        return bool(moved) and (len(found) == AT_ONCE or not all(each.whole for each in moved))


def _findings(
    service: Service, plan: Plan, followed: Followed, now: datetime, asked: bool
) -> Sequence[Finding]:
    """What the recorder is told: everything that happened, or how it stands where nothing did."""
    verdicts = list(followed.verdicts)
    if not verdicts and asked and not service.paused:
        verdict = standing(followed.beat, plan, now)
        verdicts = [] if verdict is None else [verdict]
    facts = facts_of(followed.beat, plan, now)
    return [_finding(service.id, verdict, facts) for verdict in verdicts]


def _finding(service_id: int, verdict: Verdict, facts: Mapping[str, object]) -> Finding:
    outcome = Outcome(
        Status.OK if verdict.well else Status.FAILING,
        verdict.reason,
        None if verdict.took is None else verdict.took.total_seconds(),
        facts={"heartbeat": facts},
    )
    return Finding(service_id, verdict.at, verdict.at, verdict.at, 0.0, outcome, seamless=True)


def _unheard(gap: hearing.Heard, heartbeats: int) -> audit.Line:
    after = {"since": gap.before.isoformat(), "until": gap.now.isoformat(), "heartbeats": heartbeats}
    return audit.Line(SYSTEM, "unheard", "heartbeats", "", None, after)


def facts_of(beat: Beat, plan: Plan, now: datetime) -> dict[str, object]:
    """What is worth knowing of a heartbeat beside its state."""
    moments = {
        "last_ping": beat.last_ping,
        "last_start": beat.last_start,
        "due": due_at(beat, plan),
        "down_at": down_at(beat, plan),
    }
    known = {name: f"{at:%Y-%m-%d %H:%M:%S} UTC" for name, at in moments.items() if at is not None}
    return {"status": word(beat, plan, now), **known}
