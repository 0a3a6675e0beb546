"""What follows the end of an attempt: success, another attempt after a while, or the end of its run.

Error classes are dotted words such as ``script.exit.3``; a pattern names one or ends in ``*``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

LOST = "worker.lost"
SHUTDOWN = "worker.shutdown"
LOST_TWICE = 2
"""A run whose worker was lost this often starts once more even where its job has no retries."""


@dataclass(frozen=True, slots=True)
class Retry:
    """``attempts`` in all; after the n-th a pause of ``first_s * factor^(n-1)``, at most ``longest_s``, half of it
    random. ``only_on``: classes worth another attempt (all where empty); ``not_on``: classes that are not."""

    attempts: int = 1
    first_s: float = 10.0
    factor: float = 2.0
    longest_s: float = 3600.0
    only_on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended: ``error_class`` is empty for success; ``wait_s``: the pause the other side wants."""

    error_class: str = ""
    error: str = ""
    exit_code: int | None = None
    signal: int | None = None
    wait_s: float = 0.0
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the run from now on: ``succeeded``, ``cancelled``, ``dead`` for ``reason``, or ``waiting`` for
    ``delay_s`` seconds. ``counts``: the attempt is one of those the policy allows."""

    state: str
    delay_s: float = 0.0
    reason: str = ""
    counts: bool = True


def judge(
    policy: Retry,
    ending: Ending,
    *,
    used: int,
    at_most_once: bool,
    deadline: datetime | None,
    now: datetime,
    random: Callable[[], float],
) -> Verdict:
    """Decide about a run; ``used`` attempts counted before this one."""
    if ending.cancelled:
        return Verdict("cancelled")
    if not ending.error_class:
        return Verdict("succeeded")
    lost = ending.error_class == LOST
    if at_most_once:
        broken_off = lost or ending.error_class == SHUTDOWN
        return Verdict(
            "dead", reason="it was broken off and is never started twice" if broken_off else "it failed"
        )
    if ending.error_class == SHUTDOWN:
        return Verdict("waiting", counts=False)
    given_up = matches(ending.error_class, policy.not_on)
    if given_up or (policy.only_on and not matches(ending.error_class, policy.only_on)):
        return Verdict("dead", reason=f"no other attempt after {ending.error_class}")
    if used + 1 >= max(policy.attempts, LOST_TWICE + 1 if lost else 1):
        return Verdict("dead", reason=f"all {used + 1} attempts failed" if used else "it failed")
    delay = 0.0 if lost else max(ending.wait_s, pause(policy, used + 1, random))
    if deadline is not None and now + timedelta(seconds=delay) >= deadline:
        return Verdict("dead", reason="no time is left before its deadline")
    return Verdict("waiting", delay)


def pause(policy: Retry, attempt: int, random: Callable[[], float]) -> float:
    """Seconds to wait after the ``attempt``-th attempt (from 1).

    >>> [pause(Retry(9, 10, 2, 60), n, lambda: 1.0) for n in (1, 2, 3, 4)]
    [10.0, 20.0, 40.0, 60.0]
    """
    grown = policy.first_s * policy.factor ** min(attempt - 1, 64)
    whole = min(policy.longest_s, grown)
    return whole * (0.5 + random() / 2)


def matches(error_class: str, patterns: tuple[str, ...]) -> bool:
    """Whether a class is one of those that ``patterns`` name."""
    return any(fnmatchcase(error_class, pattern) for pattern in patterns)
