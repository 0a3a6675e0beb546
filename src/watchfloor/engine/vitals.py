"""What a node measures of itself: now, for its row among the nodes, and of each minute, for its history.

It measures what is there anyway and never waits for anything but the one statement a minute that keeps the figures.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import psutil

from watchfloor.engine.node import Node
from watchfloor.engine.prober import Prober
from watchfloor.engine.supervisor import Beat
from watchfloor.store.node_minutes import Minute, save_minute
from watchfloor.store.nodes import Entry

BEAT_S = 2.0
MINUTE = timedelta(minutes=1)
LOST = ("missed", "overlaps")
"""Counters of slots that nobody used."""


class Processor:
    """How busy this process kept a processor since it was asked last; 100 % is one of them."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._used, self._at = self._now()

    def _now(self) -> tuple[float, float]:
        times = self._process.cpu_times()
        return times.user + times.system, time.monotonic()

    def percent(self) -> float:
        """In percent of one processor."""
        used, at = self._now()
        percent = 100 * (used - self._used) / max(at - self._at, 1e-3)
        self._used, self._at = used, at
        return max(0.0, percent)


class Vitals:
    """The figures of one node."""

    def __init__(
        self, node: Node, entry: Entry, prober: Prober, waiting: Callable[[], int], runs: Callable[[], int]
    ) -> None:
        """``waiting`` gives how many results wait to be stored, ``runs`` how many runs of jobs go on here."""
        self._node = node
        self._entry = entry
        self._prober = prober
        self._waiting = waiting
        self._runs = runs
        self._process = psutil.Process()
        self._lately, self._all_minute = Processor(self._process), Processor(self._process)
        self._counted: Counter[str] = Counter()

    def stats(self) -> dict[str, float]:
        """Figures for the node's row: counters since start, everything else as it is now; times in milliseconds."""
        node, prober = self._node, self._prober
        stats: dict[str, float] = {name: float(count) for name, count in node.counters.items()}
        stats["services"] = float(len(prober.service_ids))
        stats["in_flight"] = float(prober.in_flight)
        stats["waiting"] = float(self._waiting())
        stats["runs"] = float(self._runs())
        stats["clock_offset_ms"] = node.clock.offset_s * 1000
        stats["cpu_pct"] = round(self._lately.percent(), 2)
        stats["rss_bytes"] = float(self._process.memory_info().rss)
        stats |= _lags(prober.lags)
        if node.round_trips:
            stats["database_ms"] = node.round_trips[-1]
        return stats

    async def run(self, beat: Beat) -> None:
        """Keep the figures of each minute when it is over, for ever. Raises when the database is away."""
        clock = self._node.clock
        self._take()  # what came before belongs to no minute of this run
        minute = clock.now().replace(second=0, microsecond=0)
        while True:
            beat()
            now = clock.now()
            if minute <= now < minute + MINUTE:
                await asyncio.sleep(min(BEAT_S, max(0.01, (minute + MINUTE - now).total_seconds())))
                continue
            await self.keep(minute)
            minute = now.replace(second=0, microsecond=0)

    async def keep(self, minute: datetime) -> None:
        """Store what was measured since the last call as that of ``minute``."""
        node = self._node
        checks, missed, lags = self._take()
        figures, trips = _lags(lags), sorted(node.round_trips)
        measured = Minute(
            minute=minute,
            services=len(self._prober.service_ids),
            checks=checks,
            missed=missed,
            lag_p50_ms=figures.get("lag_p50_ms"),
            lag_p99_ms=figures.get("lag_p99_ms"),
            lag_max_ms=figures.get("lag_max_ms"),
            waiting=self._waiting(),
            runs=self._runs(),
            loop_ms=self._prober.stalls.take_worst() * 1000,
            cpu_pct=self._all_minute.percent(),
            rss_bytes=self._process.memory_info().rss,
            database_ms=trips[len(trips) // 2] if trips else 0.0,
        )
        async with node.database.connection() as connection:
            await save_minute(connection, self._entry, measured)

    def _take(self) -> tuple[int, int, Sequence[float]]:
        """Checks, slots that nobody used and lags since the last call."""
        counters = self._node.counters
        checks = counters["checks"] - self._counted["checks"]
        missed = sum(counters[name] - self._counted[name] for name in LOST)
        self._counted = Counter({name: counters[name] for name in ("checks", *LOST)})
        return checks, missed, self._prober.lags.take()


def _lags(found: Iterable[float]) -> dict[str, float]:
    """Middle, 99th percentile and most, in milliseconds; nothing where there was no check."""
    lags = sorted(found)
    if not lags:
        return {}
    return {
        "lag_p50_ms": lags[len(lags) // 2] * 1000,
        "lag_p99_ms": lags[min(len(lags) - 1, len(lags) * 99 // 100)] * 1000,
        "lag_max_ms": lags[-1] * 1000,
    }
