"""From a cold shell to an acknowledged alert on a far link, 150 ms there and back.

The operator presses enter after `watchfloor attach`, waits for the screen, presses `3` for the alerts, waits for the
list, presses `a`, waits for the question and takes what it suggests with enter. The clock runs from the first enter
until the alert is acknowledged in the database. The same with `a` and enter on the failing service that Health shows
first.

First the terminal is far, as over SSH: every byte takes 75 ms in each direction. Then the terminal is near and the
database is far, behind a relay that holds every byte for 75 ms in each direction. An engine checks 200 services every
5 s meanwhile. The same is measured on a near link, with the processor time that the console takes until then: on a
machine with other work to do everything takes longer, but not that.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory

import psycopg

from processes import Observer, Served, clean_environment, command, cpu_s, dsn, services_yaml
from screen import Pty, Screen
from support import Report, run, temporary_ground, until
from target import Target
from watchfloor.operations.actor import Actor
from watchfloor.operations.alerts import unacknowledge
from watchfloor.store.database import Database

SERVICES, FAILING = 200, 60
AWAY_S = 0.075
KEYS, BUDGET_MS = 4.0, 1500.0
PATIENCE_S = 60.0
COUNT = "SELECT count(*) FROM alerts WHERE state = %s"

Steps = tuple[tuple[str, str, str], ...]
"""What is waited for, what shows it, and the key that is pressed then."""

BY_ALERTS: Steps = (
    ("the first screen", "▌ ✘ failing", "3"),
    ("the list of alerts", "● firing", "a"),
    ("the question", "Acknowledge #", "\r"),
)
BY_HEALTH: Steps = (("the first screen", "▌ ✘ failing", "a"), ("the question", "Acknowledge #", "\r"))


def measure(report: Report, quick: bool) -> None:
    """Acknowledge one alert after the other, each from a new console."""
    repeats = 2 if quick else 7
    with Target() as target, temporary_ground() as ground:
        target.fail(range(FAILING))
        config = services_yaml(map(target.url, range(SERVICES)), "5s", attempts=1)
        with Served(ground, config) as served, served.ready().connect() as connection:
            until(lambda: _count(connection, "firing") >= FAILING, 60, f"{FAILING} alerts")
            bench = Bench(report, repeats, served, connection, clean_environment(ground / "home"))
            bench.acknowledge("near", BY_ALERTS)
            bench.acknowledge("far terminal", BY_ALERTS, AWAY_S)
            bench.acknowledge("far terminal, from Health", BY_HEALTH, AWAY_S)
            with _relay(dsn(served.data_dir)) as far:
                bench.acknowledge("far database", BY_ALERTS, database=far)
    report.note(
        f"{repeats} consoles each after one that is not counted; {2 * AWAY_S * 1000:.0f} ms there and back"
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """Consoles on one database."""

    report: Report
    repeats: int
    served: Served
    connection: Observer
    environ: Mapping[str, str]

    def acknowledge(self, name: str, steps: Steps, away_s: float = 0.0, database: str = "") -> None:
        """Acknowledge again and again, and report the keys and the median moments."""
        served = self.served
        place = ["--config", str(served.config), "--data-dir", str(served.data_dir)]
        found: dict[str, list[float]] = defaultdict(list)
        for number in range(self.repeats + 1):
            environ = {
                **self.environ,
                "LOGNAME": f"{name} {number}",
            }  # of each person the last screen is remembered
            if database:
                environ["WATCHFLOOR_DATABASE"] = database
            with Pty([*command(), *place, "attach"], environ, away_s=away_s) as terminal:
                for what, after_ms in _acknowledge(terminal, steps, away_s, self.connection).items():
                    found[what].append(after_ms)
                found["processor time of the console"].append(cpu_s([terminal.process.pid]) * 1000)
            asyncio.run(_take_back(self.connection, dsn(served.data_dir)))
        self.report.add(f"{name}: keys", "", [float(len(steps))], KEYS)
        for what, values in found.items():
            self.report.add(
                f"{name}: {what}", "ms", values[1:], BUDGET_MS if what == "acknowledged" else None
            )


def _count(connection: Observer, state: str) -> int:
    row = connection.execute(COUNT, (state,)).fetchone()
    return row[0] if row else 0


def _shows(text: str, screen: Screen) -> bool:
    return text in str(screen)


def _acknowledge(terminal: Pty, steps: Steps, away_s: float, connection: Observer) -> dict[str, float]:
    """Press each key as soon as its screen is seen; milliseconds since the enter that started the console."""
    entered = terminal.started - away_s
    before = _count(connection, "acknowledged")
    moments: dict[str, float] = {}
    for what, shown, key in steps:
        moments[what] = terminal.when(partial(_shows, shown), PATIENCE_S, what)
        terminal.press(key)
    until_at = time.monotonic() + PATIENCE_S
    while _count(connection, "acknowledged") == before and time.monotonic() < until_at:
        time.sleep(0.002)
    moments["acknowledged"] = time.monotonic()
    return {what: (at - entered) * 1000 for what, at in moments.items()}


async def _take_back(connection: Observer, address: str) -> None:
    """Let what is acknowledged fire again, for the next console."""
    ids = [row[0] for row in connection.execute("SELECT id FROM alerts WHERE state = 'acknowledged'")]
    database = Database(address, name="bench", size=1)
    await unacknowledge(database, Actor("bench"), ids)
    await database.close()


@contextmanager
def _relay(address: str) -> Iterator[str]:
    """The address of a database that is far away: what goes to and from the one at ``address`` takes its time."""
    parts = psycopg.conninfo.conninfo_to_dict(address)
    name = ".s.PGSQL.5432"
    with TemporaryDirectory(prefix="wf-far-", dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/{name}")
        server.listen()
        threading.Thread(target=_accept, args=(server, f"{parts['host']}/{name}"), daemon=True).start()
        yield psycopg.conninfo.make_conninfo(address, host=folder)


def _accept(server: socket.socket, target: str) -> None:
    with suppress(OSError):  # it is closed at the end
        while True:
            near, _ = server.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(target)
            for ours, theirs in ((near, far), (far, near)):
                held: deque[tuple[float, bytes]] = deque()
                more = threading.Condition()
                threading.Thread(target=_hold, args=(ours, held, more), daemon=True).start()
                threading.Thread(target=_let_go, args=(theirs, held, more), daemon=True).start()


def _hold(source: socket.socket, held: deque[tuple[float, bytes]], more: threading.Condition) -> None:
    """Take in what comes, with the moment at which it is there."""
    data = b"-"
    while data:
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        with more:
            held.append((time.monotonic() + AWAY_S, data))
            more.notify()


def _let_go(sink: socket.socket, held: deque[tuple[float, bytes]], more: threading.Condition) -> None:
    """Hand on what has travelled for long enough, until its end."""
    with suppress(OSError):
        while True:
            with more:
                more.wait_for(lambda: held)
                at, data = held.popleft()
            time.sleep(max(0.0, at - time.monotonic()))
            if not data:
                sink.shutdown(socket.SHUT_RDWR)
                return
            sink.sendall(data)


if __name__ == "__main__":
    run(measure, "From a cold shell to acknowledged", __doc__)
