"""One byte per result: what a sparkline and a row of status marks need, and nothing more.

The latency of an ok or degraded result is kept to within 6 %, on a logarithmic scale from 0.1 ms to 100 s.
A failing or unknown result keeps only its status: how long a failure took says nothing about the service.
The bytes are stored, so the meaning of one must never change.
"""

from __future__ import annotations

from math import log

from watchfloor.domain.outcome import Status

NOTHING = 0
"""The byte of a moment without any result."""

SHORTEST = 0.0001
LONGEST = 100.0
"""The range of the scale in seconds; what lies beyond is drawn as its end."""

_LEVELS = 125
_STEP = log(LONGEST / SHORTEST) / (_LEVELS - 1)
_BARE = {Status.OK: 1, Status.DEGRADED: 2, Status.FAILING: 3, Status.UNKNOWN: 4}
_BASE = {Status.OK: 5, Status.DEGRADED: 5 + _LEVELS}
_END = 5 + 2 * _LEVELS


def encode(status: Status, latency_s: float | None) -> int:
    """The byte of a result.

    >>> encode(Status.FAILING, 0.25), encode(Status.OK, None)
    (3, 1)
    """
    base = _BASE.get(status)
    if base is None or latency_s is None:
        return _BARE[status]
    if not latency_s > SHORTEST:
        return base
    return base + min(_LEVELS - 1, round(log(min(latency_s, LONGEST) / SHORTEST) / _STEP))


def _decoded(byte: int) -> tuple[Status | None, float | None]:
    for status, base in _BASE.items():
        if base <= byte < base + _LEVELS:
            return status, SHORTEST * (LONGEST / SHORTEST) ** ((byte - base) / (_LEVELS - 1))
    return next((status for status, bare in _BARE.items() if bare == byte), None), None


_TABLE = tuple(_decoded(byte) for byte in range(256))


def decode(byte: int) -> tuple[Status | None, float | None]:
    """Status and latency in seconds of a byte; (None, None) where there was no result."""
    return _TABLE[byte]


def push(history: bytes, byte: int, size: int = 48) -> bytes:
    """The history with one more byte, keeping the newest ``size``.

    >>> push(b"abc", ord("d"), size=3)
    b'bcd'
    """
    return (history + bytes((byte,)))[-size:]
