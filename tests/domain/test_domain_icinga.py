"""The same results to Icinga 2 and to us: the same hard changes and the same flapping, result by result.

Runs where Debian's icinga2 is installed (``apt install icinga2-bin``); the daemon gets results through its command
pipe, checks nothing by itself and writes what it makes of them into its compatibility log.
"""

from __future__ import annotations

import getpass
import grp
import os
import random
import re
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.waiting import until
from watchfloor.domain.check_state import NEW, ChangeKind, Policy, advance
from watchfloor.domain.flapping import STEADY, observe
from watchfloor.domain.outcome import Status

ICINGA = shutil.which("icinga2")
pytestmark = pytest.mark.skipif(ICINGA is None, reason="icinga2 is not installed (apt install icinga2-bin)")

SERVICES, RESULTS, CALM = 170, 84, 21
STATES = {"OK": Status.OK, "WARNING": Status.DEGRADED, "CRITICAL": Status.FAILING, "UNKNOWN": Status.UNKNOWN}
HARD = (ChangeKind.HARD_PROBLEM, ChangeKind.HARD_CHANGE, ChangeKind.RECOVERY)
_ALERT = re.compile(r"SERVICE ALERT: h;(s\d+);(\w+);(\w+);\d+;r(\d+)")
_RESULT = re.compile(r"EXTERNAL COMMAND: PROCESS_SERVICE_CHECK_RESULT;h;(s\d+);\d;r(\d+)")
_FLAP = re.compile(r"SERVICE FLAPPING ALERT: h;(s\d+);(\w+);")

CONFIG = """
const NodeName = "one"
object IcingaApplication "app" {{ enable_notifications = false, enable_perfdata = false }}
object CheckCommand "none" {{ command = [ "/bin/true" ] }}
object ExternalCommandListener "command" {{ command_path = "{root}/run/cmd" }}
object CompatLogger "log" {{ log_dir = "{root}/compat" }}
object Host "h" {{ check_command = "none", enable_active_checks = false }}
template Service "s" {{
  host_name = "h", check_command = "none", enable_active_checks = false, enable_flapping = true
  flapping_threshold_high = 30, flapping_threshold_low = 25
}}
"""


class Icinga:
    """A daemon that takes results."""

    def __init__(self, root: Path, attempts: list[int]) -> None:
        self.root = root
        self.attempts = attempts
        for name in ("lib", "run/icinga2", "log", "spool", "cache", "compat/archives"):
            (root / name).mkdir(parents=True)
        services = "".join(
            f'object Service "s{number}" {{ import "s", max_check_attempts = {most} }}\n'
            for number, most in enumerate(attempts)
        )
        (root / "icinga2.conf").write_text(CONFIG.format(root=root) + services)

    @contextmanager
    def running(self) -> Iterator[None]:
        names = (
            "DataDir=lib",
            "RunDir=run",
            "InitRunDir=run",
            "LogDir=log",
            "CacheDir=cache",
            "SpoolDir=spool",
        )
        places = [f"-D{name}={self.root / place}" for name, place in (each.split("=") for each in names)]
        who = [f"-DRunAsUser={getpass.getuser()}", f"-DRunAsGroup={grp.getgrgid(os.getgid()).gr_name}"]
        argv = [str(ICINGA), "daemon", "-c", str(self.root / "icinga2.conf"), *places, *who]
        with open(self.root / "daemon.log", "wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)

    def log(self) -> str:
        found = self.root / "compat" / "icinga.log"
        return found.read_text() if found.exists() else ""


def sequences(seed: int) -> list[list[Status]]:
    """Results as services have them: calm, wild, and in spells.

    The first of each are good until the ring is full of them. A service that was never checked begins as *unknown,
    soft, attempt 1* in Icinga: its very first result counts as a change, and its very first failures are confirmed one
    result sooner than all later ones. Ours are not.
    """
    chance, found = random.Random(seed), []
    for _ in range(SERVICES):
        wildness, current = chance.choice([0.05, 0.2, 0.5, 0.9]), Status.OK
        results = [Status.OK] * CALM
        for _ in range(RESULTS - CALM):
            if chance.random() < wildness:
                current = chance.choice(list(Status))
            results.append(current)
        found.append(results)
    return found


def ours(results: list[Status], most: int) -> tuple[list[tuple[int, Status]], list[tuple[int, str]]]:
    """Hard changes, and flapping as it began and ended, each with the number of the result that made it so."""
    state, flapping = NEW, STEADY
    policy, moment = Policy(most, 1, unknown_counts=True), datetime(2026, 1, 1, tzinfo=UTC)
    changes: list[tuple[int, Status]] = []
    flaps: list[tuple[int, str]] = []
    for number, status in enumerate(results):
        moment += timedelta(seconds=10)
        step = advance(state, status, moment, moment, policy)
        state = step.state
        if step.change is not None and step.change.kind in HARD:
            changes.append((number, step.change.to_status))
        after = observe(flapping, status, unknown_counts=True)
        if after.active is not flapping.active:
            flaps.append((number, "STARTED" if after.active else "STOPPED"))
        flapping = after
    return changes, flaps


async def test_ten_thousand_results_lead_to_the_same_hard_changes_and_flapping(tmp_path: Path) -> None:
    chance = random.Random(1)
    attempts = [chance.choice([1, 2, 3, 5]) for _ in range(SERVICES)]
    given = sequences(2)
    icinga = Icinga(tmp_path, attempts)
    with icinga.running():
        await until(lambda: (tmp_path / "run" / "cmd").exists())
        began = int(time.time()) - RESULTS * 10
        with open(tmp_path / "run" / "cmd", "w") as pipe:
            for number in range(RESULTS):
                for service, results in enumerate(given):
                    moment, code = began + number * 10, int(results[number])
                    pipe.write(f"[{moment}] PROCESS_SERVICE_CHECK_RESULT;h;s{service};{code};r{number}\n")
            pipe.write(f"[{began + RESULTS * 10}] PROCESS_SERVICE_CHECK_RESULT;h;s0;3;r{RESULTS}\n")
            pipe.write(f"[{began + RESULTS * 10 + 10}] PROCESS_SERVICE_CHECK_RESULT;h;s0;0;r{RESULTS + 1}\n")
        await until(lambda: f";r{RESULTS + 1}" in icinga.log())
    theirs: dict[str, list[tuple[int, Status]]] = defaultdict(list)
    flaps: dict[str, list[tuple[int, str]]] = defaultdict(list)
    latest: dict[str, int] = {}
    hard = dict.fromkeys((f"s{number}" for number in range(SERVICES)), Status.OK)
    for line in icinga.log().splitlines():
        if (match := _RESULT.search(line)) is not None:
            latest[match[1]] = int(match[2])
        elif (match := _FLAP.search(line)) is not None and latest[match[1]] < RESULTS:
            flaps[match[1]].append((latest[match[1]], match[2]))
        elif (match := _ALERT.search(line)) is not None and match[3] == "HARD":
            service, number, state = match[1], int(match[4]), STATES[match[2]]
            if number < RESULTS and state is not hard[service]:
                hard[service] = state
                theirs[service].append((number, state))
    assert sum(map(len, theirs.values())) > SERVICES, "there was something to compare"
    for at, results in enumerate(given):
        changes, flapping = ours(results, attempts[at])
        assert theirs[f"s{at}"] == changes, (at, attempts[at], results)
        assert flaps[f"s{at}"] == flapping, (at, results)
