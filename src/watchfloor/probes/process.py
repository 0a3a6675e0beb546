"""Checks of processes of this machine: are they up, how many, how much processor and memory do they take.

One look at all processes serves every check of the same moment, on a thread of its own, because reading them
all takes a while. This module must never send a signal to a process.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property, partial
from pathlib import Path
from time import monotonic, time
from typing import NamedTuple

import psutil
from pydantic import Field, model_validator

from watchfloor.config.base import Settings as BaseSettings
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.blocking import Hands
from watchfloor.probes.checking import Check, Fault, conduct, reason
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import Limits

FRESH = 1.0
"""A look that is younger than this many seconds serves another check too."""
SHORTEST_LOOK = 0.9
"""Processor time over less than this many seconds is noise."""
LONGEST_LOOK = 600.0
"""A look that is older than this many seconds no longer counts as the one before."""
SHOWN_PIDS = 20
"""How many process numbers are kept as facts."""

_looking = Hands(1, "processes")
_reading = Hands(2, "pid-file")
_MIB = 1024 * 1024


class One(NamedTuple):
    """One process at one moment; ``cpu`` is the processor time it has used, in seconds."""

    pid: int
    name: str
    command: str
    user: str
    cpu: float
    memory: int
    started: float


class Look(NamedTuple):
    """All processes at one moment of the monotonic clock."""

    at: float
    processes: dict[int, One]


_looks: deque[Look] = deque(maxlen=8)


class Settings(BaseSettings):
    """Which processes of the machine Watchfloor runs on, and what they may take."""

    process: str | None = Field(
        None, min_length=1, max_length=255, description="The name of the program; `*` stands for anything."
    )
    command_line: str | None = Field(
        None, min_length=1, max_length=255, description="Text that the whole command line must hold."
    )
    user: str | None = Field(None, min_length=1, max_length=64, description="Whose processes.")
    pid_file: str | None = Field(
        None, min_length=1, description="A file that holds the number of the process; only that one counts."
    )
    at_least: int = Field(1, ge=0, le=100_000, description="How many there must be at least.")
    at_most: int | None = Field(None, ge=0, le=100_000, description="How many there may be at most.")
    core_percent: Limits = Field(
        Limits(), description="Processor time of all of them, in percent of one core since the check before."
    )
    memory_mib: Limits = Field(Limits(), description="Resident memory of all of them, in MiB.")

    @model_validator(mode="after")
    def _says_which(self) -> Settings:
        if not (self.process or self.command_line or self.pid_file):
            raise ValueError("say which processes: process, command_line or pid_file")
        if self.at_most is not None and self.at_most < self.at_least:
            raise ValueError("at_most must not be less than at_least")
        return self

    @cached_property
    def described(self) -> str:
        """The processes in words."""
        return self.process or self.command_line or self.pid_file or ""

    def mean(self, one: One) -> bool:
        """Whether a process is one of those that are meant, the file aside."""
        return (
            (self.process is None or fnmatchcase(one.name, self.process))
            and (self.command_line is None or self.command_line in one.command)
            and (self.user is None or one.user == self.user)
        )


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Look at the processes once and judge within ``timeout`` seconds."""
    check = Check()
    check.doing = "looking at the processes of this machine"
    return await conduct(check, timeout, _look(settings, check))


async def _look(settings: Settings, check: Check) -> Outcome:
    latest = _looks[-1] if _looks else None
    if latest is None or monotonic() - latest.at > FRESH:
        latest = await _looking.call("processes", _look_around)
    if settings.pid_file is None:
        found = [one for one in latest.processes.values() if settings.mean(one)]
    else:
        check.doing = f"reading {settings.pid_file}"
        pid = await _reading.call(settings.pid_file, partial(_pid_in, settings.pid_file))
        one = latest.processes.get(pid)
        if one is None:
            raise Fault(f"process {pid} of {settings.pid_file} is not running")
        if not settings.mean(one):
            raise Fault(
                f"process {pid} of {settings.pid_file} is another program, {check.clean(one.name, 40)}"
            )
        found = [one]
    return _judge(settings, check, latest, found)


def _look_around() -> Look:
    """Read all processes; one that ends meanwhile is left out, as are those that only wait to be reaped."""
    wanted = ["name", "cmdline", "username", "cpu_times", "memory_info", "create_time", "status"]
    processes: dict[int, One] = {}
    for each in psutil.process_iter(wanted):
        info = each.info
        if info["status"] == psutil.STATUS_ZOMBIE:
            continue
        times, memory = info["cpu_times"], info["memory_info"]
        processes[each.pid] = One(
            each.pid,
            info["name"] or "",
            " ".join(info["cmdline"] or ())[:4096],
            info["username"] or "",
            times.user + times.system if times else 0.0,
            memory.rss if memory else 0,
            info["create_time"] or 0.0,
        )
    look = Look(monotonic(), processes)
    _looks.append(look)
    return look


def _pid_in(path: str) -> int:
    """Return the number in a pid file. Raises `Fault` when there is none."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(64)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        status = Status.FAILING if missing else Status.UNKNOWN
        raise Fault(f"cannot read {path}: {reason(error)}", status) from None
    number = re.match(rb"\s*(\d{1,9})\s", text + b"\n")
    if number is None:
        raise Fault(f"{path} does not begin with the number of a process")
    return int(number[1])


def _judge(settings: Settings, check: Check, now: Look, found: list[One]) -> Outcome:
    findings = Findings(check)
    count = len(found)
    if count < settings.at_least:
        findings.add(Status.FAILING, f"expected at least {settings.at_least}")
    if settings.at_most is not None and count > settings.at_most:
        findings.add(Status.FAILING, f"expected at most {settings.at_most}")
    memory = sum(one.memory for one in found)
    findings.limit(settings.memory_mib, memory / _MIB, "memory {:.0f} MiB (limit {:g} MiB)")
    metrics = {"processes": float(count), "memory_bytes": float(memory)}
    cpu = _percent(now, found)
    if cpu is not None:
        metrics["cpu_percent"] = cpu
        findings.limit(settings.core_percent, cpu, "cpu {:.0f} % (limit {:g} %)")
    if found:
        metrics["age_seconds"] = max(0.0, time() - max(one.started for one in found))
    head = f"{count} {'process' if count == 1 else 'processes'} of {settings.described}"
    facts = {"pids": sorted(one.pid for one in found)[:SHOWN_PIDS]}
    return findings.outcome(head, metrics=metrics, facts=facts)


def _percent(now: Look, found: Iterable[One]) -> float | None:
    """Return the processor time of processes since an earlier look, in percent of one core; None without one."""
    known = [look for look in _looks if SHORTEST_LOOK <= now.at - look.at <= LONGEST_LOOK]
    if not known:
        return None
    before = known[-1]
    used = 0.0
    for one in found:
        earlier = before.processes.get(one.pid)
        same = earlier is not None and earlier.started == one.started
        used += one.cpu - (earlier.cpu if same and earlier is not None else 0.0)
    return max(0.0, 100.0 * used / (now.at - before.at))
