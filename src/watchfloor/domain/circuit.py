"""The circuit breaker of a channel: when it is spared, when it is tried, when it counts as failing.

A channel that failed `THRESHOLD` times in a row is open: nothing is sent to it but one message, the probe, at a time,
with growing pauses. All others wait and lose no attempt. One delivery closes it. One whose receiver says that it is no
more is open without probes, until a person gives a reason to try it. The functions are pure: they take ``now`` and draw
no random number of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

THRESHOLD = 5
GONE = "nothing is sent there until the channel is tested, switched on again or its settings change"
"""What follows from a receiver that is no more."""

Pause = Callable[[int], float]
"""Seconds to wait after so many failed probes (0 for the first wait)."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """How a channel does: failures in a row, and, once it is open, when it is tried next (None: not by itself)."""

    failures: int = 0
    opened_at: datetime | None = None
    probes: int = 0
    probe_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether messages wait."""
        return self.opened_at is not None


CLOSED = Circuit()


def may_probe(circuit: Circuit, now: datetime) -> bool:
    """Whether one message of an open channel may be sent now."""
    return circuit.probe_at is not None and circuit.probe_at <= now


def begin_probe(circuit: Circuit, now: datetime, lease_s: float) -> Circuit:
    """A probe is under way: no second one before its lease of ``lease_s`` seconds is over."""
    return replace(circuit, probe_at=now + timedelta(seconds=lease_s))


def failed(
    circuit: Circuit,
    now: datetime,
    pause: Pause,
    *,
    probe: bool = False,
    gone: bool = False,
    at_least: float = 0.0,
) -> Circuit:
    """After an attempt that failed; ``gone``: the receiver says that it is no more, which opens and ends all probes.

    ``at_least`` is what the receiver asked for, in seconds. An attempt that began before the channel was opened and
    ends after it counts as a failure, not as a probe.
    """
    after = replace(circuit, failures=circuit.failures + 1)
    if gone:
        return replace(after, opened_at=circuit.opened_at or now, probe_at=None)
    if circuit.open and not probe:
        return after
    if not circuit.open and after.failures < THRESHOLD:
        return after
    probes = circuit.probes + 1 if circuit.open else 0
    wait = timedelta(seconds=max(pause(probes), at_least))
    return replace(after, opened_at=circuit.opened_at or now, probes=probes, probe_at=now + wait)


def subject(channel: str) -> str:
    """Whom an alert is about, when that is a channel; the channel itself is not told of it."""
    return f"channel:{channel}"
