"""Whether a series goes up or down, and how fast. Robust to spikes; pure.

Slope: Theil (1950) and Sen (1968), the median of the slopes between all pairs. Certainty: Mann (1945) and Kendall
(1975) with the correction for ties and for continuity, as in Gilbert, Statistical Methods for Environmental
Pollution Monitoring (1987), chapter 16. Both take readings as independent of each other; a series that remembers
its own past looks more certain than it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from math import erfc, sqrt
from statistics import median

DAY_S = 86_400.0
LARGEST_P = 0.01
"""A trend is credible where chance makes one as strong less often than this."""

FEWEST = 8
"""With fewer readings the normal approximation of Mann and Kendall does not hold."""

MOST = 500
"""Longer series are told by the medians of this many buckets of time."""

Point = tuple[float, float]
"""Seconds since any fixed moment, and a value."""


@dataclass(frozen=True, slots=True)
class Line:
    """``value = level + slope * (t - origin)``; the slope is per second."""

    origin: float
    level: float
    slope: float

    def at(self, t: float) -> float:
        """The value of the line at ``t``."""
        return self.level + self.slope * (t - self.origin)


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through a series and the chance ``p`` of a trend as strong where there is none."""

    line: Line
    p: float

    @property
    def per_day(self) -> float:
        """How much the value changes in a day."""
        return self.line.slope * DAY_S

    @property
    def credible(self) -> bool:
        """Whether to speak of a trend at all."""
        return self.p < LARGEST_P and self.line.slope != 0


def in_buckets(points: Sequence[Point], most: int = MOST) -> list[Point]:
    """At most ``most`` points: the median moment and value of each of as many equal stretches of time, by time."""
    ordered = sorted(points)
    if len(ordered) <= most:
        return ordered
    begin, width = ordered[0][0], (ordered[-1][0] - ordered[0][0]) / most

    def bucket(point: Point) -> int:
        return min(int((point[0] - begin) / width), most - 1) if width else 0

    grouped = (list(members) for _, members in groupby(ordered, key=bucket))
    return [(median(t for t, _ in members), median(v for _, v in members)) for members in grouped]


def theil_sen(points: Sequence[Point]) -> Line | None:
    """The line of the median slope; None where no two points differ in time."""
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if a[0] != b[0]]
    if not slopes:
        return None
    slope, origin = median(slopes), points[0][0]
    return Line(origin, median(v - slope * (t - origin) for t, v in points), slope)


def mann_kendall(values: Sequence[float]) -> float:
    """The two-sided p of "no trend" for values in order of time; 1.0 for fewer than ``FEWEST`` or equal values."""
    n = len(values)
    if n < FEWEST:
        return 1.0
    score = sum((b > a) - (b < a) for a, b in combinations(values, 2))
    ties = sum(c * (c - 1) * (2 * c + 5) for c in Counter(values).values())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    if score == 0 or variance <= 0:
        return 1.0
    return erfc((abs(score) - 1) / sqrt(variance) / sqrt(2))


def trend(points: Sequence[Point]) -> Trend | None:
    """The trend of a series in any order; None where it is too short to say anything."""
    told = in_buckets(points)
    if len(told) < FEWEST:
        return None
    line = theil_sen(told)
    return None if line is None else Trend(line, mann_kendall([v for _, v in told]))
