"""Checks of the machine this node runs on: processor, memory, swap, disks, load, network.

Rates are taken since the check before, whichever service asked; the very first check looks at a quarter of a
second. This module must never let a dead mount hold up anything but its own thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import NamedTuple

from pydantic import Field

from watchfloor.config.base import Settings as BaseSettings
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.blocking import Hands
from watchfloor.probes.checking import Check, conduct, reason
from watchfloor.probes.host_sample import Rates, Sample, between, disk_used_percent, take
from watchfloor.probes.limits import Limits
from watchfloor.probes.text import label

FIRST_LOOK = 0.25
"""How long the first check ever looks, in seconds."""
SHORTEST_LOOK = 1.0
"""Rates over less than this many seconds are noise; an older sample is taken instead."""
LONGEST_LOOK = 600.0
"""A sample older than this many seconds no longer counts as the check before."""

_samples: deque[Sample] = deque(maxlen=16)
_sampling = Hands(1, "host-sample")
_disks = Hands(8, "host-disk")


class Settings(BaseSettings):
    """From where on this machine is degraded or failing; figures without limits are recorded all the same."""

    cpu: Limits = Field(
        Limits(degraded=70, failing=90), description="Busy share of all processors, in percent."
    )
    memory: Limits = Field(Limits(degraded=80, failing=95), description="Used memory, in percent.")
    swap: Limits = Field(Limits(), description="Used swap, in percent.")
    load_per_core: Limits = Field(Limits(), description="Load average of a minute, divided by the cores.")
    disk: Limits = Field(Limits(degraded=80, failing=95), description="Used space of each disk, in percent.")
    disks: dict[str, Limits] = Field(
        {}, max_length=64, description="Limits of single disks by mount point, instead of `disk`."
    )
    ignore_disks: list[str] = Field(
        [], max_length=64, description="Mount points that are not looked at; `*` stands for anything."
    )


class Finding(NamedTuple):
    """One figure held against its limits."""

    status: Status
    words: str


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Look at this machine once within ``timeout`` seconds."""
    check = Check()
    check.doing = "reading the figures of this machine"
    return await conduct(check, timeout, _look(settings, check, timeout))


async def _look(settings: Settings, check: Check, timeout: float) -> Outcome:
    now, before = await _two_samples(timeout)
    rates = between(before, now)
    wanted = dict.fromkeys((*now.mounts, *settings.disks))
    mounts = [m for m in wanted if not any(fnmatchcase(m, pattern) for pattern in settings.ignore_disks)]
    usage = await _usage(mounts, timeout / 2)
    findings = [*_findings(settings, now, rates), *_disk_findings(settings, usage)]
    worst = max(finding.status for finding in findings)
    bad = sorted((f for f in findings if f.status is not Status.OK), key=lambda f: -f.status)
    summary = "; ".join(finding.words for finding in bad) if bad else _all_well(now, rates, usage)
    return check.outcome(
        worst,
        summary,
        metrics=dict(_metrics(now, rates, usage)),
        facts={
            "cores": now.cores,
            "booted_at": datetime.fromtimestamp(now.booted_at, UTC).isoformat(),
            "disks_used_percent": {label(mount): used for mount, used in usage.items()},
        },
    )


async def _two_samples(timeout: float) -> tuple[Sample, Sample]:
    """Return the machine now and at the check before; where there was none, wait a moment and look again."""
    now: Sample = await _sampling.call("sample", take)
    known = [s for s in _samples if SHORTEST_LOOK <= now.at - s.at <= LONGEST_LOOK]
    before = known[-1] if known else now
    if not known:
        await asyncio.sleep(min(FIRST_LOOK, timeout / 4))
        now = await _sampling.call("sample", take)
    _samples.append(now)
    return now, before


async def _usage(mounts: Iterable[str], patience: float) -> dict[str, float | str]:
    """Return how full each mount is, in percent, or why that is not known; waits ``patience`` seconds at most."""
    asked = {m: asyncio.ensure_future(_disks.call(m, partial(disk_used_percent, m))) for m in mounts}
    try:
        if asked:
            await asyncio.wait(asked.values(), timeout=patience)
    finally:
        for task in asked.values():
            task.cancel()
        answers = await asyncio.gather(*asked.values(), return_exceptions=True)
    return {mount: _used_or_why(answer) for mount, answer in zip(asked, answers, strict=True)}


def _used_or_why(answer: object) -> float | str:
    if isinstance(answer, float):
        return answer
    return f"cannot be read: {reason(answer)}" if isinstance(answer, OSError) else "does not answer"


def _findings(settings: Settings, now: Sample, rates: Rates) -> Iterator[Finding]:
    yield _held(settings.cpu, rates.cpu_percent, "cpu {:.0f} % busy (limit {:g} %)")
    yield _held(settings.memory, now.memory_used_percent, "memory {:.0f} % used (limit {:g} %)")
    yield _held(settings.swap, now.swap_used_percent, "swap {:.0f} % used (limit {:g} %)")
    yield _held(settings.load_per_core, now.load[0] / now.cores, "load {:.2f} per core (limit {:g})")


def _disk_findings(settings: Settings, usage: dict[str, float | str]) -> Iterator[Finding]:
    for mount, used in usage.items():
        if isinstance(used, str):
            yield Finding(Status.FAILING, f"disk {label(mount)} {used}")
        else:
            limits = settings.disks.get(mount, settings.disk)
            yield _held(limits, used, f"disk {label(mount)} {{:.0f}} % used (limit {{:g}} %)")


def _held(limits: Limits, value: float, words: str) -> Finding:
    status, limit = limits.judge(value)
    return Finding(status, words.format(value, limit))


def _all_well(now: Sample, rates: Rates, usage: dict[str, float | str]) -> str:
    words = f"cpu {rates.cpu_percent:.0f} %, memory {now.memory_used_percent:.0f} %"
    percent, mount = max(
        ((used, m) for m, used in usage.items() if isinstance(used, float)), default=(0.0, "")
    )
    return f"{words}, disk {label(mount)} {percent:.0f} %" if mount else words


def _metrics(now: Sample, rates: Rates, usage: dict[str, float | str]) -> Iterator[tuple[str, float]]:
    yield "cpu_percent", rates.cpu_percent
    for kind, share in rates.cpu_shares.items():
        yield f"cpu_share_percent{{kind={kind}}}", share
    yield "memory_used_percent", now.memory_used_percent
    yield "swap_used_percent", now.swap_used_percent
    for minutes, load in zip((1, 5, 15), now.load, strict=True):
        yield f"load_{minutes}", load
    yield "load_per_core", now.load[0] / now.cores
    yield "processes", float(now.processes)
    yield "booted_at", now.booted_at
    for mount, used in usage.items():
        if isinstance(used, float):
            yield f"disk_used_percent{{mount={label(mount)}}}", used
    for disk, (read, written) in rates.disks.items():
        yield f"disk_read_bytes_per_second{{disk={disk}}}", read
        yield f"disk_written_bytes_per_second{{disk={disk}}}", written
    for interface, (received, sent) in rates.interfaces.items():
        yield f"network_received_bytes_per_second{{interface={interface}}}", received
        yield f"network_sent_bytes_per_second{{interface={interface}}}", sent
