"""How long to wait before the next try. It must never wait by itself, nor decide when to give up."""

from __future__ import annotations

from collections.abc import Callable

_MOST_DOUBLINGS = 64  # 2^64 times any base is beyond any cap; more would only cost arithmetic


def exponential(attempt: int, base: float, cap: float) -> float:
    """Seconds to wait after a failed attempt (0 is the first): ``base``, doubled each time, at most ``cap``.

    >>> [exponential(n, base=2, cap=30) for n in range(6)]
    [2.0, 4.0, 8.0, 16.0, 30, 30]
    """
    if attempt < 0:
        raise ValueError(f"attempts count from 0, not {attempt}")
    return min(cap, base * float(2 ** min(attempt, _MOST_DOUBLINGS)))


def full_jitter(attempt: int, base: float, cap: float, random: Callable[[], float]) -> float:
    """As `exponential`, times ``random()`` in [0, 1): many that failed together do not return together."""
    return exponential(attempt, base, cap) * random()
