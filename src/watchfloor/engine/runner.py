"""Claims runs, carries them out, books their ends: at least once, or at most once where a job says so.

One transaction books what has ended and claims what may start. The ends are kept until they are booked, however long
the database is away; the fence decides whether they still count.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

from watchfloor.config.kinds import Kind
from watchfloor.domain.alert import SYSTEM
from watchfloor.domain.lanes import Serves
from watchfloor.domain.retry import LOST, SHUTDOWN, Ending
from watchfloor.engine.carrying import carry_out, finished, lost
from watchfloor.engine.leftovers import cleared
from watchfloor.engine.node import Node
from watchfloor.engine.supervisor import Beat
from watchfloor.engine.worker import Worker
from watchfloor.payloads.contract import Grants
from watchfloor.store import audit, runs, workers
from watchfloor.store.database import Connection
from watchfloor.store.errors import explain, is_away
from watchfloor.store.runs import Claimed, Finished, Wish
from watchfloor.store.workers import EVERYTHING

log = logging.getLogger(__name__)

POLL_S = 1.0
AWAY_PAUSE_S = 0.5
BACKLOG = 500
"""Ends that are not booked yet; with more of them nothing new is claimed."""

LAST_S = 10.0

NO_GRANTS = Grants()
STOPPED = Ending(SHUTDOWN, "its node was stopped")
UNTRUSTED = Ending(LOST, "its node was not heard of for too long")


class Runner:
    """Runs jobs for one node; nodes share the runs by row locks."""

    def __init__(
        self,
        node: Node,
        kinds: Mapping[str, Kind],
        base_dir: Path,
        serves: Serves = EVERYTHING,
        at_once: int | None = None,
        grants: Grants = NO_GRANTS,
    ) -> None:
        """``base_dir`` is where relative references to files start; ``at_once`` bounds the runs of this node, and
        ``grants`` what they may do."""
        self._node = node
        self._kinds = kinds
        self._base_dir = base_dir
        self._grants = grants
        self._wake = asyncio.Event()
        self._worker: Worker | None = None
        self._tasks: dict[int, asyncio.Task[Ending]] = {}
        self._why: dict[int, Ending] = {}
        self._killed: set[int] = set()
        self._ended: list[Finished] = []
        self._looked_at = 0.0
        self._serves, self._at_once = serves, at_once
        self._lanes: list[str] = []
        self._takings: set[Taking] = set()
        self._suspects: dict[int, frozenset[Taking]] = {}

    def wake(self) -> None:
        """There may be something to start."""
        self._wake.set()

    def look(self) -> None:
        """There may be something to start or to cancel."""
        self._looked_at = 0.0
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Run jobs for ever. What is under way outlives a restart of this loop; only `drain` and `abandon` end it."""
        if self._worker is None:
            await cleared(beat)
        while True:
            beat()
            self._wake.clear()
            try:
                worker = await self._trusted_worker()
                more = await self._exchange(worker, self._free())
                more |= await self._look_after(worker)
            except Exception as error:
                if not is_away(error):
                    raise
                log.debug("the runner waits: %s", explain(error))
                await asyncio.sleep(AWAY_PAUSE_S)
                continue
            if not more:
                await self._rest()

    @property
    def under_way(self) -> int:
        """Runs that go on here now."""
        return len(self._tasks)

    def _free(self) -> int:
        most = self._at_once or cast(int, self._node.settings["jobs.max_concurrent_runs"])
        busy = len(self._tasks) + sum(taking.most for taking in self._takings)
        return max(0, most - busy) if len(self._ended) < BACKLOG else 0

    @contextlib.contextmanager
    def taking(self) -> Iterator[Taking]:
        """Take runs in a transaction of the caller's, inside the block; they start when it ends, if it does well."""
        taking = Taking(self)
        self._takings.add(taking)
        try:
            yield taking
            if taking.runs and taking.worker is self._worker and taking.worker is not None:
                for run in taking.runs:
                    self._start(run, taking.worker)
        finally:
            self._takings.discard(taking)

    async def take(self, connection: Connection, taking: Taking, most: int) -> None:
        """Claim up to ``most`` runs for a block of `taking`, where this node has room and is trusted."""
        worker = self._worker
        free = min(most, self._free())
        if worker is None or worker.lost or not worker.leash.holds or free <= 0:
            return
        taking.most, taking.worker = free, worker
        taking.runs = await runs.claim(connection, worker.id, free, self._lanes)
        taking.most = len(taking.runs)

    async def _trusted_worker(self) -> Worker:
        """The worker of this node; a new one where the old one was lost, after everything it ran has ended."""
        worker = self._worker
        if worker is not None and not worker.lost:
            worker.tick()
            if not worker.leash.holds:
                self._end_all(UNTRUSTED)
            return worker
        if worker is not None:
            self._node.count("workers_lost")
            self._end_all(UNTRUSTED)
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            worker.end()
        self._looked_at = 0.0
        async with self._node.database.transaction() as connection:
            self._lanes = await runs.lanes(connection, self._serves)
        self._worker = await Worker.register(self._node.database, self._node.id, self._serves, self._at_once)
        return self._worker

    async def _exchange(self, worker: Worker, free: int) -> bool:
        """Book what has ended, start what may start; True where there may be more of either."""
        ended = list(self._ended)
        if not ended and not free:
            return False
        database = self._node.database
        # A claim alone is one statement, and so a transaction by itself.
        async with database.transaction() if ended else database.connection() as connection:
            if ended:
                taken = await runs.finish(connection, ended)
                if refused := [_refused(each) for each in ended if each.id not in taken]:
                    await audit.record(connection, refused)
            claimed = await runs.claim(connection, worker.id, free, self._lanes) if free else []
        if ended:
            self._node.count("runs_finished", len(taken))
            self._node.count("fenced_writes", len(ended) - len(taken))
            del self._ended[: len(ended)]
        for run in claimed:
            self._start(run, worker)
        if ended or claimed:
            self._node.pulse.mark("jobs")
        return bool(self._ended) or (bool(claimed) and len(claimed) == free)

    def _start(self, run: Claimed, worker: Worker) -> None:
        work = carry_out(
            self._node,
            run,
            worker,
            self._kinds,
            self._base_dir,
            self._grants,
            lambda: self._why.get(run.id),
        )
        task = asyncio.create_task(work, name=f"run {run.id}")
        self._tasks[run.id] = task
        task.add_done_callback(lambda task: self._over(run, worker, task))

    def _over(self, run: Claimed, worker: Worker, task: asyncio.Task[Ending]) -> None:
        """Keep the end of an attempt until it is booked. One that was cancelled before its first step never heard of
        it. Of one without an end, `_look_after` finds that it does not go on."""
        del self._tasks[run.id]
        self._killed.discard(run.id)
        ending = self._why.pop(run.id, None)
        if not task.cancelled():
            error = task.exception()
            ending = task.result() if error is None else None
            if error is not None:
                log.error("run %d was given up: %s: %s", run.id, type(error).__name__, error)
        if ending is not None:
            self._ended.append(finished(run, worker.id, ending, self._node.clock.now()))
        self._wake.set()

    async def _look_after(self, worker: Worker) -> bool:
        """Once in a while: end what somebody wants cancelled, find what was claimed without our hearing of it.

        True where there are lanes that were not known before.
        """
        began = time.monotonic()
        if began - self._looked_at < POLL_S:
            return False
        async with self._node.database.transaction() as connection:
            lanes = await runs.lanes(connection, self._serves)
            own = await runs.own(connection, worker.id)
            unheard = self._unheard(own)
            if unheard:
                now = self._node.clock.now()
                strays = await workers.strays(connection, worker.id, unheard)
                await runs.finish(connection, [lost(stray, now) for stray in strays])
        self._looked_at = began
        for run, (wish, by) in own.items():
            if wish is Wish.KILL and run in self._why:
                self._tell_again(run)
            elif wish is not Wish.NONE:
                self._end_task(run, Ending("cancelled", f"cancelled by {by or 'somebody'}", cancelled=True))
                if wish is Wish.KILL:
                    self.look()  # told to end first, then at once
        new, self._lanes = not set(lanes) <= set(self._lanes), lanes
        return new

    def _unheard(self, own: Iterable[int]) -> list[int]:
        """Runs claimed for this node whose claim it will hear nothing of: every taking that was under way when they
        were first seen is over, and they still do not go on."""
        known = {*self._tasks, *(each.id for each in self._ended)}
        takings = frozenset(self._takings)
        self._suspects = {run: self._suspects.get(run, takings) for run in own if run not in known}
        return [run for run, under_way in self._suspects.items() if not under_way & takings]

    def _end_task(self, run_id: int, why: Ending) -> None:
        task = self._tasks.get(run_id)
        if task is not None and run_id not in self._why:
            self._why[run_id] = why
            task.cancel()

    def _tell_again(self, run_id: int) -> None:
        """Whoever is cancelled a second time ends at once."""
        task = self._tasks.get(run_id)
        if task is not None and run_id not in self._killed:
            self._killed.add(run_id)
            task.cancel()

    def _end_all(self, why: Ending) -> None:
        for run_id in list(self._tasks):
            self._end_task(run_id, why)

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()

    async def drain(self, patience_s: float) -> None:
        """Claim nothing more; let runs end for ``patience_s`` seconds, then break them off; book all of it."""
        worker = self._worker
        if worker is None:
            return
        await self._tell("draining", worker)
        until = time.monotonic() + patience_s
        while self._tasks and not worker.lost:
            worker.tick()
            if time.monotonic() >= until:
                self._end_all(STOPPED)
            await asyncio.wait(self._tasks.values(), timeout=0.5)
            await self._book(worker)
        await self._book(worker)
        if not self._ended:
            await self._tell("stopped", worker)
        await self.abandon()

    async def _book(self, worker: Worker) -> None:
        try:
            await self._exchange(worker, 0)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("the ends of %d runs are not booked yet: %s", len(self._ended), explain(error))

    async def _tell(self, state: str, worker: Worker) -> None:
        try:
            async with asyncio.timeout(LAST_S), self._node.database.transaction() as connection:
                await workers.leave(connection, worker.id, state)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("worker %d could not tell that it is %s: %s", worker.id, state, explain(error))

    async def abandon(self) -> None:
        """End at once whatever still runs; the others find out."""
        worker, self._worker = self._worker, None
        self._end_all(STOPPED)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if worker is not None:
            worker.end()


class Taking:
    """One block of `Runner.taking`: what it took, and room for how many it holds until then."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.worker: Worker | None = None
        self.runs: list[Claimed] = []
        self.most = 0

    async def take(self, connection: Connection, most: int) -> None:
        """Claim up to ``most`` ready runs, the most urgent first."""
        await self._runner.take(connection, self, most)


def _refused(end: Finished) -> audit.Line:
    after = {"attempt": end.attempt, "worker": end.worker_id, "state": end.state}
    return audit.Line(SYSTEM, "refuse fenced write", "run", str(end.id), None, after)
