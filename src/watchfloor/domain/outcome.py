"""What one check found. Probes make outcomes; the recorder judges and stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Status(IntEnum):
    """The verdict of one check, ordered by how bad it is; stored as this small integer."""

    OK = 0
    DEGRADED = 1
    FAILING = 2
    UNKNOWN = 3

    @property
    def word(self) -> str:
        """The word shown to people: ``ok``, ``degraded``, ``failing``, ``unknown``."""
        return self.name.lower()


PHASES = ("dns", "connect", "tls", "first_byte", "transfer")
"""The phases of a network check, in the order in which they happen and are stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found.

    ``latency`` is in seconds and None where nothing was measured. ``summary`` is one plain line for a
    person, already free of control characters. ``phases`` maps names of `PHASES` to seconds. ``metrics``
    maps a series name such as ``cpu_percent`` or ``disk_used_percent{mount=/}`` to a number. ``facts`` is
    JSON-able detail worth keeping as the latest known (certificate, response headers, disks).

    ``told`` is the worst that the target itself said, however long it took to be heard; ``slow`` holds, for every
    limit on time that was passed, what it stands for and by how many seconds. A bad status that rests on neither
    comes of a check that was broken off. `domain.guards` needs these to tell the target's faults from the monitor's.
    """

    status: Status
    summary: str
    latency: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    told: Status = Status.OK
    slow: tuple[tuple[Status, float], ...] = ()
