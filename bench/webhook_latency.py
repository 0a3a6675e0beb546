"""From the deciding result to the received webhook, with nothing to wait for: one failed check confirms, and the
rule fires at once.

The clock runs from the end of the check that found the service failing, as stored, to the arrival of the request
at a receiver in this process. Services fail in small bursts at random moments while the engine checks 1,000 others
every 5 s, and then 5,000 others: 1,000 results a second.
"""

from __future__ import annotations

import json
import random
import threading
import time
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import alertmanager
from processes import Observer, Served, services_yaml
from support import Report, percentile, run, temporary_ground, until
from target import Target

LOADS = {1_000: 100.0, 5_000: 250.0}
"""Services that are checked every 5 s and stay well, with the budget of the 99th percentile beside them in ms."""
WATCHED = 40
"""Services that are checked every second and fail now and then."""
BURST = 4


class Receiver:
    """Receives webhooks and notes when each alert was told to be firing; a context manager."""

    def __init__(self) -> None:
        self.arrived: dict[tuple[str, str], float] = {}  # (service, when the event happened): wall clock
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                now = time.time()
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if body["type"] in ("alert.firing", "alert.reopened"):
                    key = (body["data"]["labels"].get("service", ""), body["timestamp"])
                    receiver.arrived.setdefault(key, now)
                self.send_response(204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def measure(report: Report, quick: bool) -> None:
    """Let services fail and come back, burst after burst, beside one load and then the other."""
    bursts = 8 if quick else 60
    peer = _peer(report, bursts)
    p50, p99 = (percentile(peer, share) if peer else None for share in (0.5, 0.99))
    for busy, budget_ms in LOADS.items():
        found = _beside(busy, bursts)
        words = f"beside {busy // 5:,} results/s: deciding result to webhook"
        report.add(f"{words}, p50", "ms", [percentile(found, 0.5)], peer=p50)
        report.add(f"{words}, p99", "ms", [percentile(found, 0.99)], budget_ms, p99)
    report.note(
        f"{bursts * BURST} alerts in bursts of {BURST}, of {WATCHED} services that are checked every 1 s"
    )


def _beside(busy: int, bursts: int) -> list[float]:
    """Milliseconds for each alert, beside so many services that stay well."""
    with (
        Target() as target,
        Receiver() as receiver,
        temporary_ground() as ground,
        Served(ground, _config(target, receiver, busy)) as served,
        served.ready().connect() as connection,
    ):
        until(lambda: target.answered() > 2 * (busy + WATCHED), 60, "the warm-up")
        return _bursts(target, receiver, connection, busy, bursts)


def _peer(report: Report, bursts: int) -> list[float]:
    """The same bursts through Alertmanager, from the moment at which they are handed to it."""
    if not alertmanager.installed():
        report.note(alertmanager.HOW_TO_INSTALL)
        return []
    report.peer = "Alertmanager alone"
    with temporary_ground() as ground:
        return alertmanager.latencies(ground, bursts, BURST, 0.2)


def _config(target: Target, receiver: Receiver, busy: int) -> str:
    lines = services_yaml(map(target.url, range(busy)), "5s", attempts=1)
    for number in range(busy, busy + WATCHED):
        name, url = f"service-{number:05}", target.url(number)
        lines += f"  - {{name: {name}, kind: http, every: 1s, timeout: 900ms, url: '{url}'}}\n"
    lines += "routes:\n  - storm: 0\n"  # as many messages as there are alerts
    return lines + f"channels:\n  - {{name: receiver, kind: webhook, url: '{receiver.url}'}}\n"


def _bursts(target: Target, receiver: Receiver, connection: Observer, busy: int, bursts: int) -> list[float]:
    chance = random.Random(1)
    latencies: list[float] = []
    order = chance.sample(range(busy, busy + WATCHED), WATCHED)  # in turn: none fails so often that it flaps
    for number in range(bursts):
        begin = number * BURST % WATCHED
        failing = order[begin : begin + BURST]
        names = [f"service-{each:05}" for each in failing]
        before = len(receiver.arrived)
        time.sleep(chance.uniform(0, 1))
        target.fail(failing)
        until(partial(_arrived, receiver, before + BURST), 30, "webhooks of a burst")
        target.fail(())
        until(partial(_all_well, connection, names), 30, "the recovery of a burst")
        latencies += _latencies(receiver, connection, names, before)
    return latencies


def _arrived(receiver: Receiver, count: int) -> bool:
    return len(receiver.arrived) >= count


def _all_well(connection: Observer, names: list[str]) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM service_state t JOIN services s ON s.id = t.service_id "
        "WHERE s.name = ANY(%s) AND t.hard = 0",
        [names],
    ).fetchone()
    return row is not None and row[0] == len(names)


def _latencies(receiver: Receiver, connection: Observer, names: list[str], before: int) -> list[float]:
    """Milliseconds for each alert of the latest burst."""
    rows = connection.execute(
        "SELECT DISTINCT ON (s.name) s.name, r.ts, r.latency_us FROM incidents i "
        "JOIN services s ON s.id = i.service_id JOIN check_results r ON r.service_id = s.id AND r.ts = i.opened_at "
        "WHERE s.name = ANY(%s) ORDER BY s.name, i.opened_at DESC",
        [names],
    ).fetchall()
    arrived = {service: at for (service, _), at in list(receiver.arrived.items())[before:]}
    found = []
    for name, started, latency_us in rows:
        decided = started + timedelta(microseconds=latency_us or 0)
        if name in arrived:
            found.append((arrived[name] - decided.timestamp()) * 1000)
    return found


if __name__ == "__main__":
    run(measure, "Deciding result to received webhook", __doc__)
