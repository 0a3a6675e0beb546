"""From a key to its frame, under load: the engine in the same process checks 1,000 services every 5 s, and another
process writes 1,000 log records a second.

Keys come at random moments, whatever the screen is doing. The frame of a key is the first one that shows its effect
(the cursor moved, the room changed); the clock runs to that frame's first byte and to its last.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event

import psycopg

from processes import clean_environment, command, dsn, services_yaml
from screen import ROOMS, Chunk, Pty, Screen
from support import Report, percentile, run, temporary_ground, until
from target import Target
from watchfloor.store.embedded import status

SERVICES = 1_000
RECORDS_PER_S = 1_000
BUDGETS = {"p50": (0.5, 5.0), "p95": (0.95, 16.0), "p99": (0.99, 33.0)}
LOST_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Press:
    """A key that was sent, and what its effect looks like."""

    key: str
    at: float
    effect: Callable[[Screen], bool]


def measure(report: Report, quick: bool) -> None:
    """Press keys, then find out from what arrived when each had its effect."""
    presses = 120 if quick else 1_500
    with Target() as target, temporary_ground() as ground:
        (ground / "config.yaml").write_text(services_yaml(map(target.url, range(SERVICES)), "5s"))
        data_dir = ground / "data"
        argv = [*command(), "--config", str(ground / "config.yaml"), "--data-dir", str(data_dir)]
        with Pty(argv, clean_environment(ground / "home")) as terminal:
            until(lambda: target.answered() > 2 * SERVICES, 90, "two rounds of checks")
            context = multiprocessing.get_context("spawn")
            enough = context.Event()
            noise = context.Process(target=_make_noise, args=(dsn(data_dir), enough), daemon=True)
            noise.start()
            time.sleep(3.0)
            pressed = _press(terminal, presses)
            time.sleep(LOST_AFTER_S)
            enough.set()
            noise.join(10)
            chunks = list(terminal.chunks)
        until(lambda: status(data_dir).state == "stopped", 60, "the database stops")
    _tell(report, pressed, chunks)


def _press(terminal: Pty, presses: int) -> list[Press]:
    chance = random.Random(1)
    pressed: list[Press] = []
    room, position = "Health", 1
    at = terminal.press("1")
    terminal.when(lambda s: s.room() == "Health" and "service-00000" in s.cursor_line(), 20, "the board")
    for _ in range(presses):
        time.sleep(chance.uniform(0.06, 0.25))
        if room == "Health" and chance.random() < 0.7:
            key = "k" if position > 15 or (position > 1 and chance.random() < 0.4) else "j"
            position += 1 if key == "j" else -1
            at = terminal.press(key)
            pressed.append(Press(key, at, _cursor_on(position)))
        else:
            number = chance.choice([n for n in range(1, 6) if ROOMS[n - 1] != room])
            room = ROOMS[number - 1]
            at = terminal.press(str(number))
            pressed.append(Press(str(number), at, _in_room(room)))
    return pressed


def _cursor_on(position: int) -> Callable[[Screen], bool]:
    return lambda screen: screen.room() == "Health" and f"service-{position - 1:05}" in screen.cursor_line()


def _in_room(room: str) -> Callable[[Screen], bool]:
    return lambda screen: screen.room() == room


def _tell(report: Report, pressed: list[Press], chunks: list[Chunk]) -> None:
    first: dict[str, list[float]] = defaultdict(list)
    settled: dict[str, list[float]] = defaultdict(list)
    lost = 0
    screen, fed = Screen(), 0
    for press in pressed:
        while fed < len(chunks) and chunks[fed].at <= press.at:
            screen.feed(chunks[fed])
            fed += 1
        while fed < len(chunks) and not press.effect(screen) and chunks[fed].at < press.at + LOST_AFTER_S:
            screen.feed(chunks[fed])
            fed += 1
        if not press.effect(screen):
            lost += 1
            continue
        kind = "cursor" if press.key in "jk" else "room"
        for name in (kind, "all"):
            first[name].append((max(screen.frame_began, press.at) - press.at) * 1000)
            settled[name].append((max(chunks[fed - 1].at, press.at) - press.at) * 1000)
    seconds = max(0.001, pressed[-1].at - pressed[0].at)
    received = sum(len(c.data) for c in chunks if pressed[0].at <= c.at <= pressed[-1].at)
    report.note(
        f"{len(pressed)} keys, {lost} without effect within {LOST_AFTER_S:.0f} s; {received / seconds:,.0f} bytes/s; "
        f"{SERVICES:,} services every 5 s, {RECORDS_PER_S:,} log records/s"
    )
    for name in ("all", "cursor", "room"):
        for label, (share, budget) in BUDGETS.items():
            limit = budget if name == "all" else None
            report.add(f"{name}: key to first byte, {label}", "ms", [percentile(first[name], share)], limit)
    for label, (share, _) in BUDGETS.items():
        report.add(f"all: key to settled frame, {label}", "ms", [percentile(settled["all"], share)])


def _make_noise(address: str, enough: Event) -> None:
    """Write log records as another node would, in batches, with a pulse after each."""
    batch = RECORDS_PER_S // 5
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("INSERT INTO log_channels (name) VALUES ('bench') ON CONFLICT DO NOTHING")
        row = connection.execute("SELECT id FROM log_channels WHERE name = 'bench'").fetchone()
        assert row is not None
        number = 0
        while not enough.wait(0.2):
            connection.execute(
                "INSERT INTO logs (source_id, ts, id, sev, channel_id, msg, attrs) SELECT 0, clock_timestamp(), n, "
                "9, %s, 'request ' || n || ' served in ' || n %% 97 || ' ms', NULL "
                "FROM generate_series(%s::int, %s::int) AS n",
                [row[0], number + 1, number + batch],
            )
            connection.execute("SELECT pg_notify('watchfloor_pulse', 'logs')")
            number += batch


if __name__ == "__main__":
    run(measure, "Key to frame under load", __doc__)
