"""How fast the outbox drains to a receiver on this machine: messages that wait about a thousand alerts, signed, each
delivered and booked, in order per alert.

The courier of one node runs in this process on one core; the receiver, in a process of its own, answers 204 at once.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httptools
import uvloop

import alertmanager
from support import Report, run, temporary_ground
from watchfloor.config.kinds import channel_kinds
from watchfloor.domain.alert import raise_alert
from watchfloor.domain.message import About, compose
from watchfloor.domain.settings import SETTINGS
from watchfloor.domain.severity import Severity
from watchfloor.engine.courier import Courier
from watchfloor.engine.node import Node
from watchfloor.store import alerts, outbox, rules
from watchfloor.store.alerts import NewAlert, StoredAlert
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.health import clock
from watchfloor.store.pulse import Pulse
from watchfloor.store.rules import ChannelDefinition
from watchfloor.store.schema import ensure_schema

ALERTS = 1_000
BUDGET_MS = 0.5
"""For each message: 2,000 a second."""

SECRET = "whsec_" + "c2VjcmV0" * 4


class _Answer(asyncio.Protocol):
    """Takes every request at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]


def _serve(port: multiprocessing.Queue[int]) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Answer, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    _stay_on(1)
    uvloop.run(serve())


@contextmanager
def _receiver() -> Iterator[int]:
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    process.start()
    try:
        yield port.get(timeout=30)
    finally:
        process.terminate()
        process.join()


def _stay_on(core: int) -> None:
    with suppress(OSError):  # a machine of one core has no other
        os.sched_setaffinity(0, {core})


def measure(report: Report, quick: bool) -> None:
    """Fill the outbox and let it drain, three times."""
    count = 2_000 if quick else 20_000
    values: list[float] = []
    cpu: list[float] = []
    with _receiver() as port, temporary_ground() as ground, Embedded.start(ground) as server:
        for _ in range(1 if quick else 3):
            took, used = uvloop.run(_drain(server.dsn, port, count))
            values.append(took / count * 1000)
            cpu.append(used / count * 1000)
    peer = None
    if alertmanager.installed():
        report.peer = "Alertmanager"
        with temporary_ground() as ground:
            peer = alertmanager.drain_ms(ground, min(count, 5_000))
    else:
        report.note(alertmanager.HOW_TO_INSTALL)
    report.note(
        f"{count:,} messages about {ALERTS:,} alerts; {1000 / sorted(values)[len(values) // 2]:,.0f} a second"
    )
    report.add("a message, delivered and booked", "ms", values, BUDGET_MS, peer)
    report.add("processor time of the courier for it", "ms", cpu)


async def _drain(dsn: str, port: int, count: int) -> tuple[float, float]:
    database = Database(dsn, name="drain")
    try:
        await ensure_schema(database)
        made = await _alerts(database, port)
        await _fill(database, made, count)
        node = Node(1, "drain", database, Pulse(database), {each.key: each.default for each in SETTINGS})
        courier = Courier(node, channel_kinds(), Path("/"))
        _stay_on(0)
        began, used = time.perf_counter(), time.process_time()
        running = asyncio.create_task(courier.run(lambda: None))
        while node.counters["delivered"] < count and not running.done():
            await asyncio.sleep(0.01)
        took = time.perf_counter() - began, time.process_time() - used
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return took
    finally:
        await database.close()


async def _alerts(database: Database, port: int) -> list[StoredAlert]:
    settings = {"url": f"http://127.0.0.1:{port}/", "secret": SECRET}
    async with database.transaction() as connection:
        await rules.apply_rules(connection, (), ("hook",))
        await rules.apply_channels(connection, [ChannelDefinition("hook", "webhook", settings, True, "")])
        [rule], now = await rules.load_rules(connection), await clock(connection)
        alert, events = raise_alert(Severity.CRITICAL, now)
        new = []
        for _ in range(ALERTS):
            subject = f"drain:{uuid4()}"
            new.append(
                NewAlert(
                    uuid=uuid4(), subject=subject, fingerprint=subject, rule_id=rule.id, service_id=None,
                    incident_id=None, title="service is failing", summary="no answer within 10 s",
                    labels={"service": "service", "group": "web"}, fire_at=now, alert=alert, events=events,
                )
            )  # fmt: skip
        return await alerts.insert(connection, new)


async def _fill(database: Database, made: list[StoredAlert], count: int) -> None:
    alert, events = made[0].alert, raise_alert(Severity.CRITICAL, made[0].alert.active_at)[1]
    async with database.transaction() as connection:
        now = await clock(connection)
        messages = []
        for number in range(count):
            about = made[number % ALERTS]
            words = About(about.id, str(about.uuid), about.title, about.summary, about.labels)
            payload = compose(events[-1], alert, words)
            messages.append(
                outbox.Message(uuid4(), about.id, 2 + number // ALERTS, "hook", "alert.firing", payload, now)
            )
        await outbox.put(connection, messages)


if __name__ == "__main__":
    run(measure, "Draining the outbox", __doc__)
