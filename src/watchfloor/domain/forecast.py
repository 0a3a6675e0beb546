"""When a series will reach a threshold: an interval that holds four times in five, or nothing. Pure.

The line is that of :mod:`watchfloor.domain.trend`, through the window that foretold its own last readings best. The
interval is a residual bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 9): fit, draw
residuals anew with replacement, fit again. It tells when the line crosses, not the first spike that does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

from watchfloor.domain.trend import FEWEST, Line, Point, in_buckets, theil_sen, trend

WINDOWS_S = (3_600.0, 21_600.0, 86_400.0, 604_800.0)
"""How far back a line may look: an hour, six hours, a day, a week."""

ROUNDS = 100
BUCKETS = 40
HELD_BACK = 5  # one in five readings tries the line of the others
FARTHEST = 4.0
"""No forecast reaches further ahead than this many times as far as the window looks back."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """When a series reaches a threshold, in the seconds of its points: best guess and 80 % interval."""

    earliest: float
    at: float
    latest: float
    window_s: float


def time_to_threshold(points: Sequence[Point], threshold: float, seed: int = 0) -> Crossing | None:
    """When the series crosses ``threshold`` after its last point.

    None where there is no credible trend, where it leads away, where it is there already, where the line reaches too
    far ahead, or where more than one in ten of the lines that fit as well never arrives.
    """
    ordered = sorted(points)
    window_s = _best_window(ordered)
    if window_s is None:
        return None
    told = in_buckets([p for p in ordered if p[0] >= ordered[-1][0] - window_s], BUCKETS)
    found = trend(told)
    if found is None or not found.credible:
        return None
    last = ordered[-1][0]
    guess = _crossing(found.line, threshold, last)
    if guess is None or guess - last > FARTHEST * (last - told[0][0]):
        return None
    times = _bootstrap(told, found.line, threshold, last, Random(seed))  # noqa: S311
    if len(times) < ROUNDS * 9 // 10:
        return None
    times.extend([float("inf")] * (ROUNDS - len(times)))
    earliest, latest = times[ROUNDS // 10], times[ROUNDS * 9 // 10 - 1]
    return Crossing(min(earliest, guess), guess, max(latest, guess), window_s)


def _crossing(line: Line, threshold: float, after: float) -> float | None:
    gap = threshold - line.at(after)
    return None if line.slope == 0 or gap == 0 or (gap > 0) != (line.slope > 0) else after + gap / line.slope


def _bootstrap(
    points: Sequence[Point], line: Line, threshold: float, after: float, random: Random
) -> list[float]:
    """The crossings of lines through redrawn residuals, in order; lines that never arrive are left out."""
    residuals = [v - line.at(t) for t, v in points]
    times = []
    for _ in range(ROUNDS):
        again = theil_sen([(t, line.at(t) + random.choice(residuals)) for t, _ in points])
        at = None if again is None else _crossing(again, threshold, after)
        if at is not None:
            times.append(at)
    return sorted(times)


def _best_window(ordered: Sequence[Point]) -> float | None:
    """The window whose line, drawn without the latest readings, came closest to them; the longer one on a tie.

    Every window is tried on the same readings: the last fifth of the shortest window that has enough of them.
    """
    if not ordered:
        return None
    last = ordered[-1][0]
    inside = [(w, [p for p in ordered if p[0] >= last - w]) for w in WINDOWS_S]
    usable = [(w, seen) for w, seen in inside if len(seen) - len(seen) // HELD_BACK >= FEWEST]
    if not usable:
        return None
    count = max(len(usable[0][1]) // HELD_BACK, 1)
    tried = ordered[-count:]
    errors = []
    for window_s, seen in usable:
        line = theil_sen(in_buckets(seen[:-count], BUCKETS))
        if line is not None:
            errors.append((median(abs(v - line.at(t)) for t, v in tried), -window_s))
    return -min(errors)[1] if errors else None
