"""Checks of this machine: real figures, limits and what they say, rates between samples, stuck calls."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
import threading
from typing import Any

import psutil
import pytest
from probe_servers import Run
from pydantic import ValidationError

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import host
from watchfloor.probes.blocking import Hands
from watchfloor.probes.host import Settings, probe
from watchfloor.probes.host_sample import Sample, between, take
from watchfloor.probes.text import label

CALM = Sample(
    at=1000.0,
    cpu={"user": 100.0, "system": 50.0, "idle": 850.0, "iowait": 10.0, "irq": 0.0},
    memory_used_percent=40.0,
    swap_used_percent=0.0,
    load=(1.0, 2.0, 3.0),
    cores=4,
    processes=120,
    booted_at=1_700_000_000.0,
    disks={"vda": (1000, 5000)},
    interfaces={"eth0": (10_000, 20_000)},
    mounts=("/", "/data"),
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A machine made up for the test: the samples it gives one after the other, and how full its disks are."""
    made_up: dict[str, Any] = {"samples": [CALM], "disks": {"/": 20.0, "/data": 30.0}}

    def sample() -> Sample:
        samples: list[Sample] = made_up["samples"]
        return samples.pop(0) if len(samples) > 1 else samples[0]

    def used(mount: str) -> float:
        percent = made_up["disks"].get(mount)
        if percent is None:
            raise FileNotFoundError(2, "No such file or directory")
        return float(percent)

    monkeypatch.setattr(host, "take", sample)
    monkeypatch.setattr(host, "disk_used_percent", used)
    monkeypatch.setattr(host, "FIRST_LOOK", 0.0)
    host._samples.clear()
    return made_up


def look(**settings: Any) -> Outcome:
    return asyncio.run(probe(Settings(**settings), 2))


def busy(share: float) -> list[Sample]:
    """Two samples 10 s apart, with the processor busy for this share of the time."""
    later = {
        **CALM.cpu,
        "user": CALM.cpu["user"] + 1000 * share,
        "idle": CALM.cpu["idle"] + 1000 * (1 - share),
    }
    return [CALM, dataclasses.replace(CALM, at=CALM.at + 10, cpu=later)]


def test_the_figures_of_this_machine_make_sense(run: Run) -> None:
    outcome = run(probe(Settings(cpu={}, memory={}, disk={}), 5))
    assert outcome.status is Status.OK
    figures = outcome.metrics
    assert all(math.isfinite(value) for value in figures.values())
    for name in ("cpu_percent", "memory_used_percent", "swap_used_percent", "disk_used_percent{mount=/}"):
        assert 0 <= figures[name] <= 100
    assert figures["disk_used_percent{mount=/}"] == pytest.approx(psutil.disk_usage("/").percent, abs=2)
    assert figures["memory_used_percent"] == pytest.approx(psutil.virtual_memory().percent, abs=15)
    assert figures["booted_at"] == psutil.boot_time()
    assert outcome.facts["cores"] == os.cpu_count()
    assert {"load_1", "load_5", "load_15", "load_per_core", "processes"} <= set(figures)
    shares = [value for name, value in figures.items() if name.startswith("cpu_share_percent{kind=")]
    assert sum(shares) <= 100.001


def test_a_calm_machine_is_ok(machine: dict[str, Any]) -> None:
    machine["samples"] = busy(0.25)
    outcome = look()
    assert (outcome.status, outcome.summary) == (Status.OK, "cpu 25 %, memory 40 %, disk /data 30 %")
    assert outcome.metrics["cpu_percent"] == pytest.approx(25)


@pytest.mark.parametrize(
    ("share", "status", "summary"),
    [
        (0.71, Status.DEGRADED, "cpu 71 % busy (limit 70 %)"),
        (0.95, Status.FAILING, "cpu 95 % busy (limit 90 %)"),
    ],
)
def test_a_busy_processor(machine: dict[str, Any], share: float, status: Status, summary: str) -> None:
    machine["samples"] = busy(share)
    outcome = look()
    assert (outcome.status, outcome.summary) == (status, summary)


def test_the_culprits_are_named_worst_first(machine: dict[str, Any]) -> None:
    machine["samples"] = [dataclasses.replace(CALM, memory_used_percent=85.0)]
    machine["disks"] = {"/": 96.4, "/data": 81.0}
    outcome = look()
    assert outcome.status is Status.FAILING
    assert outcome.summary == (
        "disk / 96 % used (limit 95 %); memory 85 % used (limit 80 %); disk /data 81 % used (limit 80 %)"
    )


def test_limits_of_single_disks_and_disks_that_are_ignored(machine: dict[str, Any]) -> None:
    machine["disks"] = {"/": 96.0, "/data": 96.0, "/more": 50.0}
    outcome = look(disks={"/data": {"failing": 99}, "/more": {"degraded": 40}}, ignore_disks=["/"])
    assert (outcome.status, outcome.summary) == (Status.DEGRADED, "disk /more 50 % used (limit 40 %)")
    assert "disk_used_percent{mount=/}" not in outcome.metrics


def test_a_configured_disk_that_is_not_there_is_failing(machine: dict[str, Any]) -> None:
    outcome = look(disks={"/backup": {}})
    assert outcome.status is Status.FAILING
    assert outcome.summary == "disk /backup cannot be read: no such file or directory"


def test_load_and_swap_are_judged_only_when_asked(machine: dict[str, Any]) -> None:
    machine["samples"] = [dataclasses.replace(CALM, load=(40.0, 1.0, 1.0), swap_used_percent=99.0)]
    assert look().status is Status.OK
    outcome = look(load_per_core={"failing": 8}, swap={"degraded": 50})
    assert outcome.summary == "load 10.00 per core (limit 8); swap 99 % used (limit 50 %)"


def test_rates_are_since_the_check_before(machine: dict[str, Any]) -> None:
    later = dataclasses.replace(
        CALM, at=CALM.at + 10, disks={"vda": (2000, 5000)}, interfaces={"eth0": (10_100, 21_000)}
    )
    machine["samples"] = [CALM, CALM]
    look()
    machine["samples"] = [later]
    outcome = look()
    assert outcome.metrics["disk_read_bytes_per_second{disk=vda}"] == 100
    assert outcome.metrics["disk_written_bytes_per_second{disk=vda}"] == 0
    assert outcome.metrics["network_received_bytes_per_second{interface=eth0}"] == 10
    assert outcome.metrics["network_sent_bytes_per_second{interface=eth0}"] == 100


def test_two_services_that_look_at_the_same_moment_disturb_each_other_not(machine: dict[str, Any]) -> None:
    before, now = busy(0.5)
    a_blink_later = dataclasses.replace(now, at=now.at + 0.01)
    machine["samples"] = [before, before]
    look()
    machine["samples"] = [now]
    look()
    machine["samples"] = [a_blink_later]
    assert look().metrics["cpu_percent"] == pytest.approx(50)


def test_an_old_sample_is_not_the_check_before(machine: dict[str, Any]) -> None:
    machine["samples"] = [CALM, CALM]
    look()
    hours_later = dataclasses.replace(busy(0.9)[1], at=CALM.at + 36_000)
    machine["samples"] = [hours_later, hours_later]
    assert look().metrics["cpu_percent"] == 0


def test_counters_that_were_reset_give_no_rate() -> None:
    later = dataclasses.replace(CALM, at=CALM.at + 1, disks={"vda": (10, 10), "vdb": (5, 5)}, interfaces={})
    rates = between(CALM, later)
    assert rates.disks == {}
    assert rates.interfaces == {}


def test_names_cannot_break_out_of_their_label() -> None:
    assert label('/mnt/{a=b},"c"\x1b[31m\n/x') == "/mnt/_a_b___c_ /x"


def test_a_sample_takes_little_of_this_machine() -> None:
    sample = take()
    assert sample.cores >= 1
    assert "/" in sample.mounts
    assert "lo" not in sample.interfaces


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"cpu": {"degraded": 90, "failing": 70}}, "must not be above the failing limit"),
        ({"cpu": {"failing": -1}}, "greater than or equal to 0"),
        ({"cpus": {}}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(**written)


class TestHands:
    def test_results_and_errors_come_back(self, run: Run) -> None:
        hands = Hands(2, "test-hands")
        assert run(hands.call("a", lambda: 7)) == 7
        with pytest.raises(ZeroDivisionError):
            run(hands.call("a", lambda: 1 // 0))
        assert run(hands.call("a", lambda: 8)) == 8

    def test_whoever_asks_for_the_same_waits_for_the_same_call(self, run: Run) -> None:
        hands, release, calls = Hands(4, "test-hands"), threading.Event(), []

        def slow() -> int:
            calls.append(1)
            release.wait(10)
            return len(calls)

        async def both() -> list[int]:
            asked = [asyncio.ensure_future(hands.call("same", slow)) for _ in range(5)]
            await asyncio.sleep(0)
            asked[0].cancel()
            await asyncio.wait(asked[:1])
            release.set()
            return await asyncio.gather(*asked[1:])

        assert run(both()) == [1, 1, 1, 1]

    def test_there_are_never_more_threads_than_the_limit(self, run: Run) -> None:
        before, hands, release = set(threading.enumerate()), Hands(3, "test-hands"), threading.Event()

        async def many() -> None:
            asked = [
                asyncio.ensure_future(hands.call(f"call {n}", lambda: release.wait(10))) for n in range(20)
            ]
            await asyncio.sleep(0)
            assert len(set(threading.enumerate()) - before) == 3
            release.set()
            await asyncio.gather(*asked)

        run(many())

    def test_a_loop_that_ended_meanwhile_does_no_harm(self) -> None:
        hands, release = Hands(1, "test-hands"), threading.Event()

        async def gives_up() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(hands.call("slow", lambda: release.wait(10)), 0.02)

        asyncio.run(gives_up())
        release.set()
        assert asyncio.run(hands.call("next", lambda: "fine")) == "fine"
