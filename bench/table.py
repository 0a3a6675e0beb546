"""Lists that are far longer than any screen: 100,000 services and 1,000,000 log records, at 80x24.

The services are a world of the console's tests, in memory; the records are in the embedded database, from where the
console reads pages by key. Each figure runs from a key to the bytes of the frame that shows its effect, and beside it
stands the processor time that the console used, which a busy machine does not change.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from processes import Served, clean_environment, command, dsn, rss_mb, services_yaml, threads_cpu_s
from screen import Pty, Screen
from support import Report, percentile, run, temporary_ground
from target import Target

TESTS = Path(__file__).resolve().parents[1] / "tests" / "console"
SERVICES, RECORDS = 100_000, 1_000_000
OPEN_MS, FILTER_MS, JUMP_MS, RESIDENT_MB = 200.0, 50.0, 30.0, 150.0
PERSON_S = 0.4
"""So long a person needs from `/` to the first letter."""
WORDS = ("rack42", "zone-3", "u0123", "k42z", "9rack")
WORLD = """
import sys
from dataclasses import replace
sys.path.insert(0, {tests!r})
from console_world import NOW, FakeOperator, FakeReader, World
from watchfloor.console.app import WatchfloorApp
from watchfloor.console.terminal import run
ok = World().services[-1]
names = (f"u{{n:05}} rack{{n % 97}} zone-{{n % 11}}" for n in range({services}))
world = World(services=[replace(ok, id=n + 1, name=name) for n, name in enumerate(names)])
run(WatchfloorApp(FakeReader(world), FakeOperator(world), clock=lambda: NOW))
"""


@dataclass(slots=True)
class Keys:
    """A console whose keys are timed until their effect is seen, in wall time and in its own processor time."""

    terminal: Pty
    screen: Screen = field(default_factory=Screen)
    fed: int = 0

    def press(self, key: str, seen: Callable[[Screen], object], seconds: float = 30.0) -> tuple[float, float]:
        """Milliseconds until the effect, and milliseconds of processor time for it."""
        self._catch_up()
        cpu = threads_cpu_s(self.terminal.process.pid)
        at = self.terminal.press(key)
        deadline = at + seconds
        while not seen(self.screen):
            if self.fed == len(self.terminal.chunks):
                if time.monotonic() > deadline:
                    raise SystemExit(f"{key!r} had no effect; the screen:\n{self.screen}")
                time.sleep(0.001)
            else:
                self._feed()
        took = (self.terminal.chunks[self.fed - 1].at - at) * 1000
        self.terminal.still(0.1, 5)
        return max(0.0, took), (threads_cpu_s(self.terminal.process.pid) - cpu) * 1000

    def _catch_up(self) -> None:
        while self.fed < len(self.terminal.chunks):
            self._feed()

    def _feed(self) -> None:
        self.screen.feed(self.terminal.chunks[self.fed])
        self.fed += 1


def measure(report: Report, quick: bool) -> None:
    """Open, filter, jump, weigh."""
    rounds = 3 if quick else 15
    with temporary_ground() as ground:
        _services(report, ground, rounds)
    with Target() as target, temporary_ground() as ground, Served(ground, _config(target)) as served:
        served.ready()
        records = RECORDS // 10 if quick else RECORDS
        _write(dsn(served.data_dir), records)
        _records(report, served, ground, rounds, records)


def _config(target: Target) -> str:
    return services_yaml([target.url(0)], "60s")


def _services(report: Report, ground: Path, rounds: int) -> None:
    program = WORLD.format(tests=str(TESTS), services=SERVICES)
    with Pty([sys.executable, "-c", program], clean_environment(ground / "home")) as terminal:
        terminal.when(lambda screen: "u00000" in str(screen), 120, "the board")
        keys = Keys(terminal)
        opened, jumped, typed, first = [], [], [], []
        for turn in range(rounds):
            keys.press("5", lambda screen: screen.room() == "Settings")
            opened.append(keys.press("1", lambda screen: screen.room() == "Health" and "u00" in str(screen)))
            jumped.append(keys.press("G", lambda screen: f"u{SERVICES - 1}" in str(screen)))
            keys.press("g", lambda screen: "u00000" in str(screen))
            of_word = _type(keys, WORDS[turn % len(WORDS)])
            first.append(of_word[0])
            typed.extend(of_word)
        report.add("services: memory", "MB", [rss_mb([terminal.process.pid])])
    report.note(f"{SERVICES:,} services, {len(typed)} letters typed into the filter, {rounds} times opened")
    _tell(report, "services: open", opened, OPEN_MS)
    _tell(report, "services: jump to the end", jumped, JUMP_MS)
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        for place, kind in enumerate(("", " (processor time)")):
            value = percentile([each[place] for each in typed], share)
            report.add(f"services: filter, a key, {name}{kind}", "ms", [value], FILTER_MS)
    _tell(report, "services: filter, the first key", first, FILTER_MS)


def _type(keys: Keys, word: str) -> list[tuple[float, float]]:
    """Type a filter as a person does; what each letter took until the number of rows it leaves was there."""
    keys.press("/", lambda screen: "/" in screen.lines[-2])
    time.sleep(PERSON_S)
    found, chance = [], random.Random(word)
    names = [f"u{n:05} rack{n % 97} zone-{n % 11}" for n in range(SERVICES)]
    for place in range(1, len(word) + 1):
        left = sum(word[:place] in name for name in names)
        shown = f"{left} of {SERVICES}" if left else "Nothing matches"
        found.append(
            keys.press(
                word[place - 1],
                lambda screen, said=word[:place], shown=shown: (
                    said in screen.lines[-2] and shown in str(screen)
                ),
            )
        )
        time.sleep(chance.uniform(0.05, 0.2))
    keys.press("\x1b", lambda screen: "u00000" in str(screen) and "engine" in screen.lines[-2])
    return found


def _write(address: str, records: int) -> None:
    """Records of the last hours, of several levels."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("INSERT INTO log_channels (name) VALUES ('bench') ON CONFLICT DO NOTHING")
        row = connection.execute("SELECT id FROM log_channels WHERE name = 'bench'").fetchone()
        assert row is not None
        connection.execute(
            "INSERT INTO logs (source_id, ts, id, sev, channel_id, msg, attrs) SELECT 0, clock_timestamp() - "
            "(%s - n) * interval '1 ms', n, CASE WHEN n %% 50 = 0 THEN 17 ELSE 9 END, %s, "
            "'record ' || n || ' of the bench', NULL FROM generate_series(1, %s) AS n",
            [records, row[0], records],
        )
        connection.execute("ANALYZE logs")


def _records(report: Report, served: Served, ground: Path, rounds: int, records: int) -> None:
    argv = [*command(), "--config", str(served.config), "--data-dir", str(served.data_dir), "attach"]
    with Pty(argv, clean_environment(ground / "home")) as terminal:
        terminal.when(lambda screen: "service-00000" in str(screen), 120, "the board")
        keys = Keys(terminal)
        time.sleep(2.0)
        opened, oldest, newest = [], [], []
        for _ in range(rounds):
            opened.append(keys.press("4", lambda screen: screen.room() == "Logs" and "TIME" in str(screen)))
            oldest.append(keys.press("G", lambda screen: "record 1 of" in str(screen)))
            newest.append(keys.press("g", lambda screen: "record 1 of" not in str(screen)))
            keys.press("1", lambda screen: screen.room() == "Health")
        keys.press("4", lambda screen: screen.room() == "Logs")
        for _ in range(200):
            terminal.press("\x04")
            time.sleep(0.02)
        terminal.still(0.5, 30)
        report.add(f"{records:,} records: memory", "MB", [rss_mb([terminal.process.pid])], RESIDENT_MB)
    _tell(report, f"{records:,} records: open", opened, OPEN_MS)
    _tell(report, f"{records:,} records: jump to the oldest", oldest, JUMP_MS)
    _tell(report, f"{records:,} records: jump to the newest", newest, JUMP_MS)


def _tell(report: Report, name: str, found: list[tuple[float, float]], budget: float) -> None:
    report.add(name, "ms", [wall for wall, _ in found], budget)
    report.add(f"{name} (processor time)", "ms", [cpu for _, cpu in found], budget)


if __name__ == "__main__":
    run(measure, "Lists far longer than a screen", __doc__)
