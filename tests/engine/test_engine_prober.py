"""The prober: slots, overlaps, misses, retries, and probes that keep no promise. Without a database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from support.engines import FAILING, OK, FakeSettings, Stage, lone_node, stored_service
from support.waiting import until
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.engine import prober as module
from watchfloor.engine.finding import Finding, Findings
from watchfloor.engine.node import Node
from watchfloor.engine.prober import NS, Prober
from watchfloor.engine.watches import Watch, make_watch


class Bench:
    """A prober at work, with what it found."""

    def __init__(self, stage: Stage, limit: int = 100, room: int = 1000) -> None:
        self.stage = stage
        self.node: Node = lone_node()
        self.findings = Findings(room)
        self.limit = limit
        self.prober = Prober(self.node, self.findings, lambda: self.limit)
        self.found: list[Finding] = []

    def watch(self, name: str, service_id: int = 1, **values: Any) -> Watch:
        service = stored_service(name, service_id, **values)
        return make_watch(service, self.stage.probe, FakeSettings(target=name))  # type: ignore[arg-type]

    def take(self) -> list[Finding]:
        """Everything found so far."""
        while not self.findings.empty():
            self.found.append(self.findings.get_nowait())
        return self.found

    async def until_found(self, count: int) -> list[Finding]:
        await until(lambda: len(self.take()) >= count)
        return self.found


@pytest.fixture
async def bench(stage: Stage) -> AsyncIterator[Bench]:
    made = Bench(stage)
    running = asyncio.create_task(made.prober.run(lambda: None))
    yield made
    for act in stage.finds.values():
        if isinstance(act, Hang):
            act.go.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await made.prober.drain(0.0)


class Hang:
    """A probe that does not come back until it is let go."""

    def __init__(self) -> None:
        self.entered = 0
        self.go = asyncio.Event()

    async def __call__(self) -> Outcome:
        self.entered += 1
        await self.go.wait()
        return OK


class Deaf(Hang):
    """A probe that does not heed its cancellation either."""

    async def __call__(self) -> Outcome:
        self.entered += 1
        while not self.go.is_set():
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                continue
        return OK


def ns(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def on_the_grid(found: list[Finding]) -> bool:
    """Whether slots are whole intervals apart and none was used twice."""
    steps = [later.slot - earlier.slot for earlier, later in pairwise(found)]
    return all(step > timedelta(0) and not step % timedelta(seconds=0.1) for step in steps)


async def test_checks_run_at_their_slots_at_a_phase_that_never_changes(bench: Bench) -> None:
    watch = bench.watch("a")
    bench.prober.assign([watch])
    found = await bench.until_found(5)
    offsets = {ns(finding.slot) // 1000 % 100_000 for finding in found}
    assert offsets == {watch.phase_ns // 1000}
    assert on_the_grid(found)
    again = make_watch(watch.service, None, None)
    assert again.phase_ns == watch.phase_ns


async def test_a_finding_tells_slot_start_end_and_lag(bench: Bench) -> None:
    bench.prober.assign([bench.watch("a")])
    (first, *_) = await bench.until_found(1)
    assert first.slot <= first.started <= first.ended
    assert first.lag_s == pytest.approx((first.started - first.slot).total_seconds(), abs=1e-3)
    assert next(iter(bench.prober.lags)) == first.lag_s
    assert first.outcome == OK


async def test_a_start_brings_no_burst(bench: Bench) -> None:
    """A thousand services of ten seconds: in the first half second only their share of it is checked."""
    bench.limit = 5000
    bench.prober.assign(bench.watch(f"s{n}", n, every_ms=10_000) for n in range(1000))
    began = time.monotonic()
    await until(lambda: time.monotonic() - began > 0.5)
    assert len(bench.take()) < 150


async def test_a_slot_that_finds_its_check_running_is_counted_and_not_queued(bench: Bench) -> None:
    hang = Hang()
    bench.stage.finds["a"] = hang
    bench.prober.assign([bench.watch("a", timeout_ms=60_000)])
    await until(lambda: bench.node.counters["overlaps"] >= 3)
    assert hang.entered == 1
    hang.go.set()
    await bench.until_found(2)


async def test_a_loop_that_was_held_up_counts_what_it_missed_and_goes_on_at_the_next_slot(
    bench: Bench,
) -> None:
    bench.prober.assign(bench.watch(f"s{n}", n) for n in range(50))
    await bench.until_found(50)
    before = len(bench.found)
    time.sleep(0.55)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    burst = len(bench.take()) - before
    await until(lambda: bench.node.counters["missed"] >= 50 * 5)
    assert burst < 50
    assert bench.node.counters["missed"] <= 50 * 6
    assert max(finding.lag_s for finding in bench.found) < 0.1


async def test_a_clock_that_leaps_causes_neither_a_burst_nor_silence(bench: Bench) -> None:
    bench.prober.assign([bench.watch("a")])
    await bench.until_found(2)
    bench.node.clock._ahead_ns += 3600 * NS
    before = len(bench.take())
    await bench.until_found(before + 3)
    assert bench.node.counters["missed"] == pytest.approx(36_000, abs=3)
    assert on_the_grid(bench.found)


async def test_a_clock_that_goes_back_an_hour_stops_no_checks(bench: Bench) -> None:
    bench.stage.finds["soft"] = FAILING
    bench.prober.assign([bench.watch("a", 1), bench.watch("soft", 2, retry_every_ms=60_000)])
    await until(lambda: {finding.service_id for finding in bench.take()} == {1, 2})
    bench.prober.judged(2, True, bench.found[-1].ended)
    bench.node.clock._ahead_ns -= 3600 * NS
    limit = bench.node.clock.now() + timedelta(seconds=60)
    await until(lambda: {finding.service_id for finding in bench.take() if finding.started < limit} == {1, 2})


async def test_the_wall_clock_of_the_machine_is_of_no_matter(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.node.clock.now()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert bench.node.clock.now() - before < timedelta(seconds=1)
    assert bench.node.clock.offset_s > 1e9


async def test_an_unconfirmed_problem_is_checked_again_after_the_retry_interval(bench: Bench) -> None:
    bench.stage.finds["a"] = FAILING
    bench.prober.assign([bench.watch("a", every_ms=3_600_000, retry_every_ms=200)])
    bench.prober.check_now([1])
    (first,) = await bench.until_found(1)
    bench.prober.judged(1, True, first.ended)
    found = await bench.until_found(2)
    assert 0.2 <= (found[1].started - first.ended).total_seconds() < 0.5
    bench.prober.judged(1, True, found[1].ended)
    await bench.until_found(3)
    bench.prober.judged(1, False, bench.found[2].ended)
    assert bench.prober._watches[1].retry_ns == 0


async def test_slots_wait_while_a_retry_is_due_sooner(bench: Bench) -> None:
    bench.prober.assign([bench.watch("a", retry_every_ms=400)])
    (first, *_) = await bench.until_found(1)
    bench.prober.judged(1, True, first.ended)
    before = len(bench.take())
    found = await bench.until_found(before + 1)
    assert (found[before].started - first.ended).total_seconds() >= 0.4


async def test_a_paused_service_is_not_checked_and_not_missed(bench: Bench) -> None:
    bench.prober.assign([bench.watch("a", 1, paused=True), bench.watch("b", 2)])
    await bench.until_found(3)
    assert bench.stage.count("a") == 0
    assert bench.node.counters["missed"] == 0


async def test_an_operator_has_a_check_at_once_ahead_of_everything(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_SLEEP_S", 3_600.0)  # nothing but the request wakes it
    bench.prober.assign([bench.watch("a", every_ms=3_600_000)])
    await asyncio.sleep(0.01)
    bench.prober.check_now([1, 4711])
    await bench.until_found(1)


async def test_somebody_waits_for_what_was_asked_for_also_where_it_was_under_way(bench: Bench) -> None:
    hang = Hang()
    bench.stage.finds["a"] = hang
    bench.prober.assign([bench.watch("a")])
    await until(lambda: hang.entered == 1)
    bench.prober.check_now([1])  # it is under way
    hang.go.set()
    assert [found.awaited for found in (await bench.until_found(2))[:2]] == [True, False]
    bench.prober.assign([bench.watch("b", 2, every_ms=86_400_000)])
    bench.prober.check_now([2])
    await until(lambda: [found.awaited for found in bench.take() if found.service_id == 2] == [True])


async def test_another_node_that_waits_for_a_slot_gets_what_was_found_in_it_soon(bench: Bench) -> None:
    bench.findings.presses = lambda finding: finding.awaited
    hang = Hang()
    bench.stage.finds["a"] = hang
    bench.prober.assign([bench.watch("a")])
    await until(lambda: hang.entered == 1)
    bench.prober.vote(1, datetime(2000, 1, 1, tzinfo=UTC), anew=False)
    hang.go.set()
    (first, *_) = await bench.until_found(1)
    assert first.awaited
    await bench.until_found(2)
    assert not bench.found[-1].awaited
    bench.findings.pressing.clear()
    bench.prober.vote(1, datetime(2000, 1, 1, tzinfo=UTC), anew=False)  # what was found may wait there
    assert bench.findings.pressing.is_set()


async def test_a_service_that_was_never_checked_is_checked_soon_whatever_its_interval(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_WITHIN_S", 0.3)
    watches = [bench.watch(f"s{n}", n, every_ms=86_400_000) for n in range(40)]
    bench.prober.assign(watches, new=range(20))
    await bench.until_found(20)
    assert {finding.service_id for finding in bench.found} == set(range(20))
    spread = max(f.started for f in bench.found) - min(f.started for f in bench.found)
    assert spread > timedelta(seconds=0.15)


async def test_a_service_that_comes_alone_is_checked_at_once(bench: Bench) -> None:
    began = datetime.now(UTC)
    bench.prober.assign([bench.watch("a", every_ms=86_400_000)], new=[1])
    (found,) = await bench.until_found(1)
    assert found.slot - began < timedelta(seconds=module.FIRST_WITHIN_S / 10)


async def test_what_is_assigned_anew_keeps_its_rhythm_and_takes_its_new_settings(bench: Bench) -> None:
    first = bench.watch("a")
    bench.prober.assign([first])
    await bench.until_found(2)
    changed = make_watch(first.service, bench.stage.probe, FakeSettings(target="a", token="new"))  # type: ignore[arg-type]
    for _ in range(5):
        bench.prober.assign([changed])
    before = len(bench.take())
    await until(lambda: any(call.token == "new" for call in bench.stage.calls["a"]))
    found = await bench.until_found(before + 3)
    assert on_the_grid(found)


async def test_what_is_assigned_no_more_is_checked_no_more(bench: Bench) -> None:
    bench.prober.assign([bench.watch("a", 1), bench.watch("b", 2)])
    await until(lambda: bench.stage.count("a") and bench.stage.count("b"))
    bench.prober.assign([bench.watch("b", 2)])
    seen = bench.stage.count("a")
    await until(lambda: bench.stage.count("b") >= 5)
    assert bench.stage.count("a") == seen
    assert bench.prober.service_ids == [2]


async def test_no_more_checks_run_at_once_than_allowed(bench: Bench) -> None:
    hang = Hang()
    bench.limit = 3
    for n in range(10):
        bench.stage.finds[f"s{n}"] = hang
    bench.prober.assign(bench.watch(f"s{n}", n, timeout_ms=60_000) for n in range(10))
    await until(lambda: bench.node.counters["waits_for_room"] >= 1 and hang.entered >= 3)
    assert (hang.entered, bench.prober.in_flight) == (3, 3)
    hang.go.set()
    await bench.until_found(10)


async def test_while_findings_are_not_taken_nothing_is_started(stage: Stage) -> None:
    bench = Bench(stage, room=2)
    running = asyncio.create_task(bench.prober.run(lambda: None))
    bench.prober.assign(bench.watch(f"s{n}", n) for n in range(20))
    await until(lambda: bench.node.counters["waits_for_room"] >= 2)
    checked = sum(map(stage.count, stage.calls))
    await until(lambda: bench.node.counters["waits_for_room"] >= 3)
    assert sum(map(stage.count, stage.calls)) == checked
    await until(lambda: bench.take() and sum(map(stage.count, stage.calls)) > checked)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bench.prober.drain(0.0)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OVERTIME_S", 0.1), ("LAST_WORD_S", 0.3), ("SWEEP_EVERY_S", 0.05)):
        monkeypatch.setattr(module, name, value)


async def test_a_probe_that_ignores_its_time_out_is_stopped_and_known_as_unknown(
    bench: Bench, short: None
) -> None:
    hang = Hang()
    bench.stage.finds["a"] = hang
    bench.prober.assign([bench.watch("a", timeout_ms=100)])
    (first, *_) = await bench.until_found(1)
    assert first.outcome.status is Status.UNKNOWN
    assert first.outcome.summary == "the fake probe did not end in time and was stopped"
    assert bench.node.counters["probes_stopped"] >= 1
    await until(lambda: hang.entered >= 2)


async def test_a_probe_that_has_not_begun_is_not_overdue(
    bench: Bench, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the machine stood still between the start of a check and its first step."""
    monkeypatch.setattr(module, "OVERTIME_S", -1.0)
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.0)
    bench.prober._sweep_at = 0.0
    hang = Hang()
    bench.stage.finds["a"] = hang
    bench.prober.assign([bench.watch("a", timeout_ms=100)])
    await bench.until_found(1)
    assert hang.entered >= 1
    assert bench.node.counters["probes_left_behind"] == 0


async def test_a_probe_that_heeds_nothing_is_left_to_itself_and_its_service_checked_again(
    bench: Bench, short: None
) -> None:
    deaf = Deaf()
    bench.stage.finds["a"] = deaf
    bench.prober.assign([bench.watch("a", timeout_ms=100)])
    (first, *_) = await bench.until_found(1)
    assert first.outcome.status is Status.UNKNOWN
    assert bench.node.counters["probes_left_behind"] >= 1
    await until(lambda: deaf.entered >= 2)
    deaf.go.set()
    await until(lambda: bench.take()[-1].outcome == OK)


async def test_probes_that_heed_nothing_do_not_take_the_room_of_all_others(bench: Bench, short: None) -> None:
    deaf = Deaf()
    bench.limit = 2
    bench.stage.finds.update({"a": deaf, "b": deaf})
    bench.prober.assign(bench.watch(name, n, timeout_ms=100) for n, name in enumerate("abc"))
    await until(lambda: bench.stage.count("c") >= 3)
    deaf.go.set()


async def test_a_result_that_waits_for_room_is_not_taken_for_an_overdue_probe(
    stage: Stage, short: None
) -> None:
    bench = Bench(stage, room=1)
    running = asyncio.create_task(bench.prober.run(lambda: None))
    bench.prober.assign(bench.watch(f"s{n}", n, timeout_ms=100, every_ms=3_600_000) for n in range(8))
    bench.prober.check_now(range(8))
    await until(lambda: bench.prober.in_flight >= 1)
    began = time.monotonic()
    await until(lambda: time.monotonic() - began > 1.0)
    found = await bench.until_found(8)
    assert {finding.outcome.status for finding in found} == {Status.OK}
    assert bench.node.counters["probes_stopped"] == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class Surprise(Exception):
    """Something no probe should raise."""


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (Surprise("\x1b[31mboo"), "the fake probe failed: Surprise"),
        (asyncio.CancelledError(), "the fake probe failed: it cancelled itself"),
        (None, "the fake probe answered with NoneType, no outcome"),
        ("ok", "the fake probe answered with str, no outcome"),
    ],
)
async def test_a_probe_that_breaks_its_contract_yields_an_unknown_result(
    bench: Bench, act: object, words: str
) -> None:
    async def probe() -> object:
        if isinstance(act, BaseException):
            raise act
        return act

    bench.stage.finds["a"] = probe
    bench.prober.assign([bench.watch("a")])
    found = await bench.until_found(2)
    assert {(f.outcome.status, f.outcome.summary) for f in found} == {(Status.UNKNOWN, words)}


async def test_a_service_this_node_cannot_check_says_why(bench: Bench) -> None:
    bench.prober.assign([make_watch(stored_service("a"), None, None, "this node has no probe of kind fake")])
    (first, *_) = await bench.until_found(1)
    assert first.outcome == Outcome(Status.UNKNOWN, "this node has no probe of kind fake")


async def test_draining_waits_for_what_is_in_flight_and_starts_nothing(bench: Bench) -> None:
    hang = Hang()
    bench.stage.finds["a"] = hang
    bench.prober.assign([bench.watch("a", timeout_ms=60_000)])
    await until(lambda: hang.entered)
    draining = asyncio.create_task(bench.prober.drain(10.0))
    await asyncio.sleep(0)
    assert not draining.done()
    hang.go.set()
    await draining
    assert [finding.outcome for finding in bench.take()] == [OK]
    assert bench.prober.in_flight == 0


async def test_draining_does_not_wait_for_ever_even_for_a_probe_that_heeds_nothing(
    bench: Bench, short: None
) -> None:
    deaf = Deaf()
    bench.stage.finds["a"] = deaf
    bench.prober.assign([bench.watch("a", timeout_ms=60_000)])
    await until(lambda: deaf.entered)
    await asyncio.wait_for(bench.prober.drain(0.1), 5)
    deaf.go.set()
