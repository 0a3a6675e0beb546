"""CPU per HTTP check, everything included: Watchfloor, its keeper and PostgreSQL, against Prometheus with
blackbox_exporter on the same targets at the same rate.

Every check is a fresh connection to a tiny local server in its own process, which is not counted. Watchfloor stores
every result, its phases, the new state and its logs in PostgreSQL; Prometheus stores its series and evaluates one
rule. CPU is user plus system time over windows after a warm-up; checks are counted by the server that answers them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import peers
from processes import Served, counters, cpu_s, rss_mb, services_yaml
from support import Report, TooSlow, run, temporary_ground, until
from target import Target

SERVICES = 1000
EVERY_S = 2
BUDGET_MS = 0.44
FEWER = 100
"""Targets of the peers that cannot watch as many."""


def measure(report: Report, quick: bool) -> None:
    """Measure both; the peer where it is installed."""
    windows, window_s = (1, 8.0) if quick else (3, 30.0)
    rate = SERVICES // EVERY_S
    report.note(
        f"{SERVICES:,} services every {EVERY_S} s, {rate} checks/s; windows of {window_s:.0f} s: {windows}"
    )
    with Target() as target:
        urls = [target.url(number) for number in range(SERVICES)]
        peer = _peer(report, target, urls, windows, window_s)
        for other in peers.OTHERS:
            _other(report, target, other, windows, window_s)
        with temporary_ground() as ground, Served(ground, services_yaml(urls, f"{EVERY_S}s")) as served:
            served.ready()
            _warm_up(target)
            parts = {"product": lambda: served.product, "everything": lambda: served.everything}
            costs, rates = _windows(target, parts, windows, window_s)
            with served.connect() as connection:
                _tell_counters(report, counters(connection))
            memory = rss_mb(served.product)
    report.note(f"Watchfloor: {min(rates):.0f} to {max(rates):.0f} checks/s, {memory:.0f} MB resident")
    report.add("Watchfloor process", "ms", costs["product"])
    report.add("with PostgreSQL", "ms", costs["everything"], BUDGET_MS, peer)


def _peer(report: Report, target: Target, urls: list[str], windows: int, window_s: float) -> float | None:
    if not peers.installed():
        report.note(peers.HOW_TO_INSTALL)
        return None
    report.peer = "Prometheus + blackbox_exporter"
    with temporary_ground() as ground, peers.Prometheus(ground, urls, EVERY_S) as prometheus:
        _warm_up(target)
        costs, rates = _windows(target, {"peer": lambda: prometheus.pids}, windows, window_s)
        memory = rss_mb(prometheus.pids)
    report.note(f"{report.peer}: {min(rates):.0f} to {max(rates):.0f} checks/s, {memory:.0f} MB resident")
    report.add(report.peer, "ms", costs["peer"])
    return report.figures[-1].value


def _other(
    report: Report,
    target: Target,
    other: type[peers.Monit] | type[peers.Icinga],
    windows: int,
    window_s: float,
) -> None:
    """A peer that cannot keep the rate, on as many targets as it can."""
    if not other.installed():
        report.note(f"{other.title} is not installed; on Debian: {other.how_to_install}")
        return
    paths = [target.path(number) for number in range(FEWER)]
    with temporary_ground() as ground, other(ground, target.port, paths, EVERY_S) as running:
        try:
            before = target.answered()
            until(lambda: target.answered() - before >= FEWER, 60, f"{other.title} checks")
        except TooSlow as error:
            log = (ground / "peer.log").read_text()[-300:]
            report.note(f"not measured: {error} {log}")
            return
        costs, rates = _windows(target, {"it": lambda: running.pids}, windows, window_s)
        report.note(
            f"{other.title}: {min(rates):.0f} to {max(rates):.0f} checks/s of {FEWER // EVERY_S} asked for, "
            f"{rss_mb(running.pids):.0f} MB resident"
        )
    report.add(other.title, "ms", costs["it"])


def _warm_up(target: Target) -> None:
    before = target.answered()
    until(lambda: target.answered() - before >= 3 * SERVICES, 60, "three rounds of checks")


def _windows(
    target: Target, parts: Mapping[str, Callable[[], Iterable[int]]], windows: int, window_s: float
) -> tuple[dict[str, list[float]], list[float]]:
    """Milliseconds of CPU per check by part, and checks per second, for every window."""
    costs: dict[str, list[float]] = {name: [] for name in parts}
    rates = []
    for _ in range(windows):
        began, answered = time.monotonic(), target.answered()
        before = {name: cpu_s(pids()) for name, pids in parts.items()}
        time.sleep(window_s)
        checks = target.answered() - answered
        rates.append(checks / (time.monotonic() - began))
        for name, pids in parts.items():
            costs[name].append((cpu_s(pids()) - before[name]) / max(1, checks) * 1000)
    return costs, rates


def _tell_counters(report: Report, counted: dict[str, float]) -> None:
    odd = {
        name: counted[name]
        for name in ("missed", "overlaps", "waits_for_room", "results_dropped", "component_restarts")
        if counted.get(name)
    }
    lag = counted.get("lag_p99_ms", 0.0)
    report.note(
        f"Watchfloor: slot lag p99 {lag:.1f} ms, "
        + (", ".join(f"{k} {v:.0f}" for k, v in odd.items()) or "none missed")
    )


if __name__ == "__main__":
    run(measure, "CPU per HTTP check, everything included", __doc__)
