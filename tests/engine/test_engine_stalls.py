"""A loop that stood still while checks ran: what it may have caused is not booked, and everything else is.

Real servers on a thread of their own; the loop of the prober is blocked while the answer is already under way.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from support.engines import lone_node, stored_service
from watchfloor.domain.outcome import Status
from watchfloor.engine.finding import Finding, Findings
from watchfloor.engine.prober import Prober
from watchfloor.engine.watches import make_watch
from watchfloor.probes import http

STALL_S = 0.8


class Server(ThreadingHTTPServer):
    """Tells the test of every request, and answers it ``takes`` seconds later with ``status``."""

    daemon_threads = True
    status, takes = 200, 0.0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers as its server is told to."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.set()
        time.sleep(self.server.takes)  # this is how slow the server is
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


async def checked_while_standing_still(server: Server, **settings: Any) -> Finding:
    """One check, during which the loop stands still as soon as the server has the request."""
    findings = Findings()
    prober = Prober(lone_node(), findings, lambda: 10)
    running = [asyncio.ensure_future(run(lambda: None)) for run in (prober.run, prober.stalls.run)]
    given = http.Settings(url=f"http://127.0.0.1:{server.server_port}/", **settings)
    prober.assign([make_watch(stored_service("shop", 1, kind="http", timeout_ms=5_000), http.probe, given)])
    prober.check_now([1])
    try:
        while not server.asked.is_set():
            await asyncio.sleep(0)
        time.sleep(STALL_S)  # this is the stall
        async with asyncio.timeout(10):
            return await findings.get()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await prober.drain(1.0)


@pytest.mark.parametrize(
    "limit",
    [{"failing_after": "50ms"}, {"degraded_after": "50ms"}, {"conditions": ["latency < 50ms"]}],
)
async def test_an_answer_that_only_we_were_late_to_read_is_no_evidence(
    server: Server, limit: dict[str, Any]
) -> None:
    found = (await checked_while_standing_still(server, **limit)).outcome
    assert found.status is Status.UNKNOWN
    assert found.summary.startswith("the monitor stood still for 0.")


async def test_an_answer_that_is_slower_than_that_counts(server: Server) -> None:
    server.takes = STALL_S + 1.5
    found = (await checked_while_standing_still(server, failing_after="50ms")).outcome
    assert (found.status, found.latency) == (Status.FAILING, None)


async def test_where_only_the_higher_limit_is_explained_the_lower_one_counts(server: Server) -> None:
    server.takes = STALL_S + 1.5
    found = (await checked_while_standing_still(server, degraded_after="50ms", failing_after="1.8s")).outcome
    assert found.status is Status.DEGRADED
    assert found.summary.startswith("the monitor stood still for 0.")


async def test_a_wrong_answer_counts_however_late_it_was_read(server: Server) -> None:
    server.status = 500
    found = (await checked_while_standing_still(server, failing_after="50ms")).outcome
    assert found.status is Status.FAILING
    assert found.summary.startswith("500 ")


async def test_a_good_answer_is_believed_but_not_how_long_it_took(server: Server) -> None:
    found = (await checked_while_standing_still(server)).outcome
    assert (found.status, found.latency, dict(found.phases)) == (Status.OK, None, {})
