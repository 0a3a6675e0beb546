"""When a bad result says more about the monitor than about its target.

A monitor that stalled, lost its link or has no name server sees everything fail at once. Then nothing was found out:
the result becomes ``unknown``, which neither opens nor ends an outage. A good result is believed in any case: whatever
happened meanwhile, the target answered. This module must never look at a clock or at the network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from watchfloor.domain.outcome import Outcome, Status

STALL_SHARE = 0.25
"""A check during which the monitor stood still for a greater share of its time-out than this found nothing out."""

JUMP_S = 2.0
"""A clock that moves by more than this against one that cannot jump has jumped."""

LOCAL_KINDS = frozenset({"file", "host", "process", "systemd"})
"""Checks of this machine: no lost link makes them fail."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the monitor itself was while a check ran."""

    stalled_s: float = 0.0
    offline: bool = False
    nameless: bool = False  # the check waited for a name, and no name server answers


def excused(outcome: Outcome, kind: str, timeout_s: float, during: Circumstances) -> Outcome:
    """What a check found, or unknown where the monitor is the likelier cause."""
    if outcome.status in (Status.OK, Status.UNKNOWN):
        return outcome
    if during.stalled_s > STALL_SHARE * timeout_s:
        return _unknown(outcome, f"the monitor stood still for {during.stalled_s:.1f} s", "monitor_stalled")
    if kind in LOCAL_KINDS:
        return outcome
    if during.offline:
        return _unknown(outcome, "the monitor was cut off from its sentinels", "monitor_offline")
    if during.nameless:
        return _unknown(outcome, "no name server answers the monitor", "monitor_nameless")
    return outcome


def suspicious(outcome: Outcome, kind: str) -> bool:
    """Whether it is worth asking how the monitor itself is."""
    return outcome.status in (Status.DEGRADED, Status.FAILING) and kind not in LOCAL_KINDS


def _unknown(outcome: Outcome, why: str, reason: str) -> Outcome:
    return replace(
        outcome,
        status=Status.UNKNOWN,
        summary=f"{why}; the check saw: {outcome.summary}",
        latency=None,
        phases={},
        metrics={},
        facts={"reason": reason},
    )
