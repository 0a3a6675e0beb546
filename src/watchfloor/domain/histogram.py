"""Histograms that can be merged, and the percentiles that follow from them.

The method is DDSketch (Masson, Rim and Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
Relative-Error Guarantees", PVLDB 12, 2019): buckets whose bounds grow by a constant factor `GAMMA`, so that the middle
of a bucket is never farther from any value in it than `ERROR` of that value. Merging is adding counts: the histogram
of a day is exactly that of its values, whatever was merged on the way. An average of percentiles is none, so nothing
here ever averages two.

Bucket 0 holds what is smaller than `SMALLEST` either way; bucket ``b > 0`` holds values in
``(SMALLEST * GAMMA^(b-2), SMALLEST * GAMMA^(b-1)]``, bucket ``-b`` the same below zero. The database counts with the
same arithmetic in ``histogram_bucket``; a test holds the two together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

GAMMA = 1.04
ERROR = (GAMMA - 1) / (GAMMA + 1)
"""The bound of the relative error of a percentile: just below 2 %."""

SMALLEST = 1e-9
LAST = 2047
"""The outermost bucket, for values beyond 10^25: of these only the least and the greatest are exact."""

COUNT_BITS = 20
_COUNT = (1 << COUNT_BITS) - 1
_LOG_GAMMA, _LOG_SMALLEST = math.log(GAMMA), math.log(SMALLEST)

Buckets = Mapping[int, int]
"""How many values each bucket holds."""


def bucket(value: float) -> int:
    """The bucket of a value.

    >>> bucket(0.0), bucket(1e-9), bucket(-1e-9), bucket(1e300)
    (0, 1, -1, 2047)
    """
    size = abs(value)
    if size < SMALLEST:
        return 0
    place = min(1 + max(0, math.ceil((math.log(size) - _LOG_SMALLEST) / _LOG_GAMMA)), LAST)
    return place if value > 0 else -place


def middle(place: int) -> float:
    """The value that stands for a bucket: at most `ERROR` away from every value in it."""
    if place == 0:
        return 0.0
    size = SMALLEST * GAMMA ** (abs(place) - 1) * 2 / (GAMMA + 1)
    return size if place > 0 else -size


def unpacked(codes: Iterable[int]) -> dict[int, int]:
    """The buckets of a stored histogram: ``bucket * 2^20 + count`` each; equal buckets add up.

    >>> unpacked([(3 << 20) + 7, (-2 << 20) + 1, (3 << 20) + 1])
    {3: 8, -2: 1}
    """
    found: dict[int, int] = {}
    for code in codes:
        place = code >> COUNT_BITS
        found[place] = found.get(place, 0) + (code & _COUNT)
    return found


def percentiles(
    buckets: Buckets, shares: Sequence[float], least: float = -math.inf, most: float = math.inf
) -> tuple[float, ...]:
    """For each share, ascending from 0 to 1, the value below or at which that share of all values lies.

    ``least`` and ``most``, where they are known, are exact and bound every answer. Empty where nothing is counted.

    >>> percentiles({bucket(10.0): 99, bucket(500.0): 1}, (0.001, 1.0), 10.0, 500.0)
    (10.0, 500.0)
    """
    total = sum(buckets.values())
    if total == 0:
        return ()
    answers: list[float] = []
    passed, places = 0, iter(sorted(buckets))
    place = next(places)
    for share in shares:
        rank = min(total, max(1, math.ceil(share * total)))
        while passed + buckets[place] < rank:
            passed += buckets[place]
            place = next(places)
        exact = least if rank == 1 else most if rank == total else None
        value = middle(place) if exact is None or not math.isfinite(exact) else exact
        answers.append(min(max(value, least), most))
    return tuple(answers)
