"""What is out of the ordinary in a series: single readings, readings for their hour, and new levels. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, inf
from statistics import median

from watchfloor.domain.trend import Point

UNUSUAL = 3.5
"""A modified z beyond this is an outlier: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993)."""

HOUR_S, DAY_S, WEEK_S = 3_600, 86_400, 604_800
WEEKS = 5
FEWEST = 3
DRIFT = 0.5
LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual: the median and the median absolute deviation from it."""

    centre: float
    spread: float

    def z(self, value: float) -> float:
        """The modified z of ``value``, 0.6745 (x - median) / MAD; infinite beside a series that never moved."""
        distance = value - self.centre
        if distance == 0:
            return 0.0
        return 0.6745 * distance / self.spread if self.spread > 0 else copysign(inf, distance)


def baseline(values: Sequence[float], step: float = 0.0) -> Baseline | None:
    """What is usual in ``values``; None without any.

    ``step`` is the smallest difference that the source can tell: the spread is at least that, so that a counter that
    stood still is not alarmed by a single unit.
    """
    if not values:
        return None
    centre = median(values)
    return Baseline(centre, max(median(abs(v - centre) for v in values), step))


def seasonal(points: Sequence[Point], t: float, step: float = 0.0) -> Baseline | None:
    """What is usual at ``t``, from readings before it; times are seconds since the epoch, hours are UTC.

    The same hour of the week over at most five weeks; where less than two weeks are there, or fewer than three readings
    of that hour, the same hour of the day. None with fewer than three readings of that, too.
    """
    past = [(at, v) for at, v in points if t - WEEKS * WEEK_S <= at < t]
    if not past:
        return None
    seasons = (WEEK_S, DAY_S) if t - min(at for at, _ in past) >= 2 * WEEK_S else (DAY_S,)
    for season in seasons:
        same = [v for at, v in past if _hour(at, season) == _hour(t, season)]
        if len(same) >= FEWEST:
            return baseline(same, step)
    return None


def _hour(t: float, season: int) -> int:
    return int(t % season // HOUR_S)


def change_point(values: Sequence[float], usual: Baseline) -> int | None:
    """The index at which the series left its usual level for good; None where it did not.

    Two one-sided cumulative sums of the standardised values (Page, Continuous Inspection Schemes, 1954) with drift
    0.5 and limit 5, in units of the standard deviation that the spread stands for. Each value counts for at most
    three, so that a single spike is no new level.
    """
    up = down = 0.0
    up_from = down_from = 0
    for index, value in enumerate(values):
        z = max(-3.0, min(3.0, usual.z(value)))
        if up == 0:
            up_from = index
        if down == 0:
            down_from = index
        up, down = max(0.0, up + z - DRIFT), max(0.0, down - z - DRIFT)
        if up > LIMIT:
            return up_from
        if down > LIMIT:
            return down_from
    return None
