"""When a bad result says more about the monitor than about its target.

A monitor that stalled, lost its link or has no name server sees everything fail at once. Then nothing was found out:
the result becomes ``unknown``, which neither opens nor ends an outage. A good result is believed in any case: whatever
happened meanwhile, the target answered.

Standing still explains three things, and nothing else. An answer was too slow by no more than that: the monitor may
have measured itself. A check was broken off (it timed out, the other side gave up on us): its target did not have the
time it was promised. And every figure that was measured meanwhile is ours, also that of a good result. What the target
itself said is believed: a wrong status does not become right because somebody was late to read it.

This module must never look at a clock or at the network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from watchfloor.domain.outcome import Outcome, Status

MARGIN_S = 0.25
"""A stall may have begun a tick before it is noticed, and what waits behind it takes its time."""

LOST_SHARE = 0.05
"""A check that was broken off proves nothing where the monitor stood still for a greater share of its time-out.

A target may need all the time it is allowed, so in strictness any loss excuses it. But a busy machine hesitates for a
moment in nearly every check of ten seconds; one that excused all of these would never find a target that hangs. What
lies within a twentieth (or `MARGIN_S`) no one meant when they wrote down a time-out.
"""

JUMP_S = 2.0
"""A clock that moves by more than this against one that cannot jump has jumped."""

OFFLINE = "monitor_offline"
CUT_OFF = "the monitor was cut off from its sentinels"
"""How the summary of a check begins that was set aside for that."""

LOCAL_KINDS = frozenset({"file", "host", "process", "systemd"})
"""Checks of this machine: no lost link makes them fail."""

MEASURED_HERE = frozenset({"query_seconds", "round_trip_max_seconds", "round_trip_seconds", "run_seconds"})
"""Series that a check times by its own watch; other figures in seconds are what the target said."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the monitor itself was while a check ran."""

    stalled_s: float = 0.0
    offline: bool = False
    nameless: bool = False  # the check waited for a name, and no name server answers


def excused(outcome: Outcome, kind: str, timeout_s: float, during: Circumstances) -> Outcome:
    """What a check found, or unknown where the monitor is the likelier cause."""
    if outcome.status is Status.UNKNOWN:
        return outcome
    if during.stalled_s > 0.0:
        outcome = _without_stall(outcome, timeout_s, during.stalled_s)
    if outcome.status in (Status.OK, Status.UNKNOWN):
        return outcome
    if kind in LOCAL_KINDS:
        return outcome
    if during.offline:
        return _unknown(outcome, CUT_OFF, OFFLINE)
    if during.nameless:
        return _unknown(outcome, "no name server answers the monitor", "monitor_nameless")
    return outcome


def suspicious(outcome: Outcome, kind: str) -> bool:
    """Whether it is worth asking how the monitor itself is."""
    return outcome.status in (Status.DEGRADED, Status.FAILING) and kind not in LOCAL_KINDS


def _without_stall(outcome: Outcome, timeout_s: float, stalled_s: float) -> Outcome:
    """What is left of a finding without what standing still for so long explains."""
    too_slow = max((status for status, _ in outcome.slow), default=Status.OK)
    broken_off = outcome.status > max(outcome.told, too_slow)
    if broken_off and stalled_s <= max(MARGIN_S, LOST_SHARE * timeout_s):
        return outcome
    certain = [status for status, by_s in outcome.slow if by_s > stalled_s + MARGIN_S]
    left = min(outcome.status, max(outcome.told, *certain, Status.OK))
    why = f"the monitor stood still for {stalled_s:.1f} s"
    if outcome.status is not Status.OK and left is Status.OK:
        return _unknown(outcome, why, "monitor_stalled")
    summary = outcome.summary if left is outcome.status else f"{why}; the check saw: {outcome.summary}"
    metrics = {name: value for name, value in outcome.metrics.items() if name not in MEASURED_HERE}
    return replace(outcome, status=left, summary=summary, latency=None, phases={}, metrics=metrics)


def told_elsewhere(outcome: Outcome) -> bool:
    """Whether it is unknown what a check found because of something that an alert about the node says already."""
    return outcome.status is Status.UNKNOWN and outcome.facts.get("reason") == OFFLINE


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
