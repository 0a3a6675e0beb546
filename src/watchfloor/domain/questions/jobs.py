"""What became of the runs of each job: failures in a row, their share, how long since a success, how long one took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import ClassVar

from watchfloor.domain.durations import format_duration
from watchfloor.domain.judging import Operator, Threshold
from watchfloor.domain.questions.question import Question
from watchfloor.domain.words import count


class Measure(StrEnum):
    """What is measured of a job; stored as this word."""

    FAILURES = "failures"
    SHARE = "share"
    UNSUCCESSFUL = "unsuccessful"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run that was begun: when, and when and how it ended (None: it goes on). Seconds since the epoch."""

    started: float
    finished: float | None
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Jobs(Question):
    """One measure of the jobs whose names match one of ``jobs``; all of them if there is none.

    ``failures``: runs in a row that failed for good and that nobody discarded. ``share``: of the runs that ended
    within ``window_s`` so many percent, if there were ``least`` at least. ``unsuccessful``: seconds since a run
    succeeded, or since the job was made. ``duration``: seconds that the latest run has taken.
    """

    kind: ClassVar[str] = "jobs"
    of_services: ClassVar[bool] = False
    measure: str
    jobs: tuple[str, ...] = ()
    window_s: float = 86_400.0
    least: int = 1

    @property
    def scope(self) -> str:
        """As in ``job backup-* or report``."""
        return f"job {' or '.join(self.jobs)}" if self.jobs else "every job"

    def words(self, threshold: Threshold) -> str:
        """As in ``at least 3 failures in a row``."""
        bound = threshold.fire[0]
        match self.measure:
            case Measure.FAILURES if threshold.operator is Operator.GTE and bound == 1:
                return "its latest run died"
            case Measure.FAILURES:
                return f"{threshold.words} failures in a row"
            case Measure.SHARE:
                return f"{threshold.words} % of runs fail in {format_duration(self.window_s)}"
            case Measure.UNSUCCESSFUL:
                return f"has not succeeded for {format_duration(bound)}"
            case _:
                return f"runs longer than {format_duration(bound)}"

    def says(self, value: float | None) -> str:
        """As in ``4 failures in a row``."""
        if value is None:
            return "too few runs to say"
        match self.measure:
            case Measure.FAILURES:
                return f"{count(int(value), 'failure')} in a row"
            case Measure.SHARE:
                return f"{value:.0f} % of runs failed in the last {format_duration(self.window_s)}"
            case Measure.UNSUCCESSFUL:
                return f"no success for {format_duration(float(round(value)))}"
            case _:
                return f"its latest run has taken {format_duration(float(round(value)))}"

    def value(self, runs: Sequence[JobRun], now: float, made: float) -> float | None:
        """The measure at ``now`` of a job that was ``made`` then; runs that began or ended later are passed over."""
        ended = sorted(
            (run for run in runs if run.finished is not None and run.finished <= now),
            key=lambda run: run.finished or 0.0,
        )
        match self.measure:
            case Measure.FAILURES:
                return float(_in_a_row(ended))
            case Measure.SHARE:
                recent = [run for run in ended if (run.finished or 0.0) > now - self.window_s]
                if len(recent) < max(self.least, 1):
                    return None
                return 100 * sum(not run.succeeded for run in recent) / len(recent)
            case Measure.UNSUCCESSFUL:
                good = [run.finished for run in ended if run.succeeded and run.finished is not None]
                return max(0.0, now - (good[-1] if good else made))
            case _:
                return _latest(runs, now)


def _in_a_row(ended: Sequence[JobRun]) -> int:
    """How many of the last runs failed after the last that did not."""
    return len(list(takewhile(lambda run: not run.succeeded, reversed(ended))))


def _latest(runs: Sequence[JobRun], now: float) -> float | None:
    """How long the run has taken that began last."""
    begun = [run for run in runs if run.started <= now]
    if not begun:
        return None
    last = max(begun, key=lambda run: run.started)
    return (now if last.finished is None else min(now, last.finished)) - last.started
