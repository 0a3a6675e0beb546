"""What a check has to say against its target: the worst decides, all are named."""

from __future__ import annotations

from collections.abc import Mapping

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import EMPTY, Check
from watchfloor.probes.limits import Limits, TimedSettings
from watchfloor.probes.text import seconds


class Findings:
    """Collects findings of one check and makes its outcome."""

    def __init__(self, check: Check, *, heard: bool = True) -> None:
        """``heard``: the target says itself what is found; False where it follows from what did not come in time."""
        self.status = Status.OK
        self._heard = heard
        self._words: list[str] = []
        self._check = check

    def add(self, status: Status, words: str) -> None:
        """Note one thing that is not as it should be."""
        self.status = max(self.status, status)
        self._words.append(words)

    def limit(self, limits: Limits, value: float, words: str) -> None:
        """Hold a figure against its limits; ``words`` has places for the value and the limit it reached."""
        status, reached = limits.judge(value)
        if status is not Status.OK:
            self.add(status, words.format(value, reached))

    def outcome(
        self,
        head: str,
        *,
        speed: TimedSettings | None = None,
        metrics: Mapping[str, float] = EMPTY,
        facts: Mapping[str, object] = EMPTY,
    ) -> Outcome:
        """Return the outcome: ``head``, how long it took and whether that is too slow, and all findings.

        Without ``speed`` nothing was measured.
        """
        latency = None
        slow_by: tuple[tuple[Status, float], ...] = ()
        told = self.status if self._heard else Status.OK
        if speed is not None:
            latency = self._check.latency
            status, slow = speed.slowness(latency)
            slow_by = speed.passed(latency)
            if slow:
                self.add(status, slow)
            head = f"{head} in {seconds(latency)}"
        summary = f"{head}: {'; '.join(self._words)}" if self._words else head
        return self._check.outcome(
            self.status, summary, latency=latency, metrics=metrics, facts=facts, told=told, slow=slow_by
        )
