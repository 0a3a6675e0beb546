"""The circuit breaker against a naive model that remembers everything that ever happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.circuit import CLOSED, THRESHOLD, Circuit, begin_probe, failed, may_probe, subject

EPOCH = datetime(2031, 3, 1, tzinfo=UTC)
LEASE = 60.0


def at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def pause(count: int) -> float:
    return min(900.0, 2.0 * 2**count)


@dataclass
class Naive:
    """Replays the whole history for each question."""

    history: list[tuple[str, float, bool, bool]] = field(default_factory=list)

    def since_success(self) -> list[tuple[str, float, bool, bool]]:
        ends = [n for n, each in enumerate(self.history) if each[0] == "success"]
        return self.history[ends[-1] + 1 if ends else 0 :]

    def opened(self) -> tuple[int, float] | None:
        failures = 0
        for place, (what, when, _, gone) in enumerate(self.since_success()):
            failures += what == "failure"
            if what == "failure" and (gone or failures >= THRESHOLD):
                return place, when
        return None

    def next_probe(self) -> float | None:
        opened = self.opened()
        if opened is None:
            return None
        place, when = opened
        due: float | None = None if self.since_success()[place][3] else when + pause(0)
        probes = 0
        for what, later, probe, gone in self.since_success()[place + 1 :]:
            if what == "begin":
                due = later + LEASE
            elif gone:
                due = None
            elif what == "failure" and probe:
                probes += 1
                due = later + pause(probes)
        return due


@settings(settings.get_profile("thorough"))
@given(
    st.lists(
        st.tuples(st.sampled_from(("failure", "gone", "success", "probe")), st.floats(0.1, 2000)), max_size=40
    )
)
def test_it_opens_probes_and_closes_as_the_whole_history_says(steps: list[tuple[str, float]]) -> None:
    naive, circuit, now = Naive(), CLOSED, 0.0
    for what, passed in steps:
        now = round(now + passed, 3)
        if what == "success":
            circuit = CLOSED
            naive.history.append(("success", now, False, False))
        elif what == "probe" and may_probe(circuit, at(now)):
            circuit = begin_probe(circuit, at(now), LEASE)
            now += 1
            circuit = failed(circuit, at(now), pause, probe=True)
            naive.history += [("begin", now - 1, True, False), ("failure", now, True, False)]
        elif what in ("failure", "gone"):
            circuit = failed(circuit, at(now), pause, gone=what == "gone")
            naive.history.append(("failure", now, False, what == "gone"))
        opened, due = naive.opened(), naive.next_probe()
        assert circuit.open == (opened is not None)
        assert circuit.opened_at == (None if opened is None else at(opened[1]))
        assert circuit.probe_at == (None if due is None else at(due))
        assert circuit.failures == sum(each[0] == "failure" for each in naive.since_success())


def test_a_channel_that_fails_now_and_then_is_never_spared() -> None:
    circuit = CLOSED
    for _ in range(100):
        for _ in range(THRESHOLD - 1):
            circuit = failed(circuit, EPOCH, pause)
        assert not circuit.open
        circuit = CLOSED


def failing() -> Circuit:
    """A channel that has just been opened."""
    circuit = CLOSED
    for _ in range(THRESHOLD):
        circuit = failed(circuit, EPOCH, pause)
    return circuit


def test_no_second_probe_begins_while_one_is_under_way() -> None:
    circuit = failing()
    assert not may_probe(circuit, at(1.9))
    assert may_probe(circuit, at(2))
    circuit = begin_probe(circuit, at(2), LEASE)
    assert not may_probe(circuit, at(61))
    assert may_probe(circuit, at(62))  # its courier died


def test_a_receiver_that_is_no_more_is_not_tried_by_itself() -> None:
    for before in (CLOSED, failing(), begin_probe(failing(), EPOCH, LEASE)):
        circuit = failed(before, at(3), pause, probe=before.open, gone=True)
        assert circuit.open
        assert not may_probe(circuit, at(1e9))
    tried = begin_probe(circuit, at(5), LEASE)  # because its settings changed
    assert may_probe(failed(tried, at(6), pause, probe=True), at(1000))


@given(st.floats(0, 3600), st.integers(0, 60))
def test_a_receiver_may_ask_for_more_patience(wish: float, probes: int) -> None:
    open_circuit = Circuit(9, EPOCH, probes, EPOCH)
    after = failed(open_circuit, EPOCH, pause, probe=True, at_least=wish)
    assert after.probe_at is not None
    assert (after.probe_at - EPOCH).total_seconds() >= wish - 1e-6
    assert after.opened_at == EPOCH


def test_the_pauses_end_somewhere() -> None:
    circuit = failing()
    for _ in range(200):
        circuit = failed(circuit, EPOCH, pause, probe=True)
    assert circuit.probe_at == at(900)


def test_a_channel_is_not_told_of_itself() -> None:
    assert subject("mail") == "channel:mail"
