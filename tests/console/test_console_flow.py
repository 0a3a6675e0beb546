"""The flow learns a line from its answers; a simulated line says how long a key would have waited."""

from __future__ import annotations

from collections import deque

import pytest

from watchfloor.console.flow import FAST, STALL_S, Flow

QUESTION = 9
STEP = 0.005


class Line:
    """A line of `rate` bytes a second and `delay` seconds there and back, under a flow, in simulated time."""

    def __init__(self, rate: float, delay: float, *, interval: float = 0.1, late: float = 0.0) -> None:
        self.flow = Flow(interval)
        self.rate, self.delay, self.late = rate, delay, late
        self.now = 100.0
        self.free_at = 0.0
        self.answers: deque[tuple[float, int]] = deque()
        self.frozen = False
        self.arrived: list[float] = []
        self._carry(QUESTION, self.flow.asked(self.now, QUESTION))

    def _carry(self, size: int, name: int = 0) -> None:
        self.free_at = max(self.free_at, self.now) + size / self.rate
        self.arrived.append(self.free_at + self.delay / 2)
        if name:
            self.answers.append((self.free_at + self.delay + self.late, name))

    def step(self) -> None:
        self.now += STEP
        while self.answers and self.answers[0][0] <= self.now and not self.frozen:
            self.flow.answered(self.now, self.answers.popleft()[1])

    def send(self, size: int, hurried: bool = False) -> int:
        """Send as much of a frame as may be sent; how much that was."""
        room = self.flow.room(self.now, hurried)
        size = size if room is None else min(size, room)
        if not size:
            return 0
        asks = self.flow.asks(self.now, size)
        if asks:
            self._carry(QUESTION, self.flow.asked(self.now, QUESTION))
        self.flow.sent(self.now, size)
        self._carry(size)
        if asks:
            self._carry(QUESTION, self.flow.asked(self.now, QUESTION, frame=size))
        return size

    def run(self, seconds: float, wanted: int, every: float = 1.0) -> int:
        """For a while, want `wanted` bytes more at intervals; the latest replaces what was not sent."""
        end, due, rest, sent = self.now + seconds, self.now, 0, 0
        while self.now < end:
            self.step()
            if self.now >= due:
                rest, due = wanted, due + every
            if rest:
                n = self.send(rest)
                rest, sent = rest - n, sent + n
        return sent

    @property
    def queue(self) -> float:
        """How long something sent now would wait before the line carries it (seconds)."""
        return max(0.0, self.free_at - self.now)


@pytest.mark.parametrize("delay", [0.001, 0.15, 0.6])
def test_a_fast_line_is_never_held_back_however_long_its_delay(delay: float) -> None:
    line = Line(1_000_000, delay)
    line.run(2, 3_000)
    for _ in range(20):
        line.run(0.2, 3_000, every=0.2)
        assert line.flow.room(line.now + 1, hurried=False) is None


@pytest.mark.parametrize(("rate", "delay"), [(960, 0.01), (960, 0.3), (3_000, 0.15)])
def test_on_a_slow_line_a_key_waits_for_a_quarter_of_a_second_at_most(rate: float, delay: float) -> None:
    line = Line(rate, delay)
    line.run(20, 4_000, every=20)
    waits = []
    for _ in range(200):
        line.run(0.15, int(rate), every=0.15)
        waits.append(line.queue)
    assert max(waits[20:]) <= 0.25
    assert sum(waits) / len(waits) <= 0.15


def test_a_slow_line_is_used() -> None:
    line = Line(960, 0.02)
    line.run(20, 4_000, every=20)
    assert line.run(20, 10_000, every=0.1) >= 0.5 * 20 * 960


def test_a_line_that_became_fast_is_soon_used_as_one() -> None:
    line = Line(960, 0.02)
    line.run(20, 4_000, every=20)
    assert line.flow.room(line.now + 1, hurried=True) is not None
    line.rate = 1_000_000
    line.run(3, 3_000, every=0.2)
    assert line.flow.room(line.now + 1, hurried=True) is None


def test_answers_that_a_busy_machine_hears_late_do_not_slow_a_fast_line_for_small_frames() -> None:
    line = Line(10 * FAST, 0.001)
    line.run(1, 100)
    line.late = 0.15
    line.run(5, 100, every=0.3)
    assert line.flow.room(line.now + 1, hurried=False) is None


def test_a_client_that_stopped_gets_a_second_of_the_past_and_then_the_present() -> None:
    line = Line(1_000_000, 0.02, interval=1 / 30)
    line.run(1, 500, every=0.03)
    line.frozen = True
    sent = line.run(600, 500, every=0.03)
    assert sent <= 500 * 30 * (STALL_S + 0.5)
    assert line.flow.slow(line.now)
    line.frozen = False
    assert line.run(1, 500, every=0.03) > 500 * 20
    assert line.flow.slow(line.now)
    line.run(10, 500)
    assert not line.flow.slow(line.now)


def test_a_terminal_that_never_answers_is_not_asked_for_ever_and_gets_its_frames() -> None:
    flow = Flow(0.1)
    flow.asked(0.0, QUESTION)
    asked = 1
    for tick in range(1, 100):
        assert flow.room(float(tick), hurried=False) is None
        if flow.asks(float(tick), 500):
            flow.asked(float(tick), QUESTION)
            asked += 1
        flow.sent(float(tick), 500)
    assert asked <= 6
    assert not flow.slow(100.0)


def test_a_stalled_terminal_is_asked_again_now_and_then_and_lost_answers_do_not_matter() -> None:
    flow = Flow(0.1)
    flow.answered(0.01, flow.asked(0.0, QUESTION))
    lost = flow.asked(1.0, QUESTION)
    assert flow.room(3.0, hurried=True) == 0
    assert not flow.asks_again(3.0)
    assert flow.asks_again(6.1)
    again = flow.asked(6.1, QUESTION)
    assert flow.room(6.2, hurried=True) == 0
    assert not flow.asks_again(6.2)
    flow.answered(6.3, again)
    assert flow.room(6.4, hurried=True) is None
    assert flow.open_questions == 0
    flow.answered(6.5, lost)
    assert flow.room(6.6, hurried=True) is None


def test_answers_that_come_late_are_still_told_apart() -> None:
    """A slow first picture: the questions around it are answered long after they were asked."""
    flow = Flow(0.1)
    first = flow.asked(0.0, QUESTION)
    led_in = flow.asked(0.1, QUESTION)
    flow.sent(0.1, 4_800)
    after = flow.asked(0.1, QUESTION, frame=4_800)
    assert flow.room(4.0, hurried=True) is None
    for at, name in ((0.5, first), (0.51, led_in), (5.51, after)):
        flow.answered(at, name)
    assert flow.room(6.0, hurried=True) == pytest.approx(96, abs=5)


def test_frames_that_no_key_asked_for_keep_their_distance() -> None:
    flow = Flow(0.1)
    flow.sent(1.0, 10)
    assert flow.room(1.05, hurried=False) == 0
    assert flow.wait(1.05, hurried=False) == pytest.approx(0.05)
    assert flow.room(1.05, hurried=True) is None
    assert flow.room(1.11, hurried=False) is None


def test_an_answer_that_nobody_asked_for_is_ignored() -> None:
    flow = Flow(0.1)
    flow.answered(1.0, 3)
    assert flow.room(1.0, hurried=False) is None
