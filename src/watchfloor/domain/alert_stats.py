"""What alerts cost in a stretch of time: how many, how soon somebody took charge, how long they lasted. Pure.

An alert counts from when it first fired; one that ended before that woke nobody and is not here. Ranks go by count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

DAYS, HOURS = 7, 24

Week = tuple[tuple[int, ...], ...]
"""A line a day, Monday first, with a count for each hour of that day."""


@dataclass(frozen=True, slots=True)
class FiredAlert:
    """One alert that fired; ``acked_at`` is the first time that somebody took charge."""

    rule: str
    service: str
    fired_at: datetime
    acked_at: datetime | None
    resolved_at: datetime | None
    reopened: int


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """Alerts of one rule or service, or of all. Means are seconds over those that came so far; None without any.

    ``week`` counts them by the hour of the week in which they fired.
    """

    name: str
    alerts: int
    acknowledged: int
    resolved: int
    reopened: int
    to_acknowledge: float | None
    to_resolve: float | None
    week: Week


@dataclass(frozen=True, slots=True)
class AlertStats:
    """All alerts of a stretch of time, by rule and by service (the noisiest first), and by hour of the week."""

    start: datetime
    end: datetime
    all: AlertCounts
    rules: tuple[AlertCounts, ...]
    services: tuple[AlertCounts, ...]
    week: Week


def alert_stats(alerts: Sequence[FiredAlert], start: datetime, end: datetime) -> AlertStats:
    """The statistics of ``alerts``; days and hours are those of the zone that their moments are in."""
    whole = _counts("", alerts)
    return AlertStats(
        start,
        end,
        whole,
        _ranked(alerts, lambda alert: alert.rule),
        _ranked((alert for alert in alerts if alert.service), lambda alert: alert.service),
        whole.week,
    )


def _ranked(alerts: Iterable[FiredAlert], name: Callable[[FiredAlert], str]) -> tuple[AlertCounts, ...]:
    named: dict[str, list[FiredAlert]] = defaultdict(list)
    for alert in alerts:
        named[name(alert)].append(alert)
    counts = (_counts(key, members) for key, members in named.items())
    return tuple(sorted(counts, key=lambda each: (-each.alerts, each.name)))


def _counts(name: str, alerts: Sequence[FiredAlert]) -> AlertCounts:
    acked = [(a.acked_at - a.fired_at).total_seconds() for a in alerts if a.acked_at is not None]
    resolved = [(a.resolved_at - a.fired_at).total_seconds() for a in alerts if a.resolved_at is not None]
    return AlertCounts(
        name, len(alerts), len(acked), len(resolved), sum(a.reopened for a in alerts), _mean(acked), _mean(resolved),
        _week(alerts),
    )  # fmt: skip


def _week(alerts: Sequence[FiredAlert]) -> Week:
    week = [[0] * HOURS for _ in range(DAYS)]
    for alert in alerts:
        week[alert.fired_at.weekday()][alert.fired_at.hour] += 1
    return tuple(tuple(day) for day in week)


def _mean(seconds: Sequence[float]) -> float | None:
    return sum(seconds) / len(seconds) if seconds else None
