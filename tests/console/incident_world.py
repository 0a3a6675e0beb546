"""A made-up incident for the console's tests: short, or so long that a screen shows a part of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchfloor.domain.outcome import Status
from watchfloor.domain.post_mortem import (
    HEAD,
    TAIL,
    Dependant,
    IncidentReport,
    LinkedRun,
    LogLine,
    TimelineEntry,
)

OPEN, OVER, LONG = 12, 9, 4
"""The incidents there are, by what they are."""


def incident_report(incident_id: int, service_id: int, service: str, now: datetime) -> IncidentReport | None:
    """One of the three; None for any other."""
    if incident_id not in (OPEN, OVER, LONG):
        return None
    began = now - timedelta(minutes=3)
    timeline = [
        TimelineEntry(began, "opened", "watchfloor", "the first check that was not ok"),
        TimelineEntry(began + timedelta(seconds=20), "failing", "watchfloor", "HTTP 503, expected 200"),
        TimelineEntry(
            began + timedelta(seconds=20), "alert fired", "watchfloor", f"#42 {service} is failing"
        ),
        TimelineEntry(began + timedelta(seconds=90), "alert acknowledged", "kim", "#42 on it"),
        TimelineEntry(
            began + timedelta(seconds=95), "note", "kim", f"restarting the pool, and {'very ' * 40}long"
        ),
    ]
    if incident_id != OPEN:
        timeline.append(TimelineEntry(now, "closed", "watchfloor", "the first good check"))
    left_out = 0
    if incident_id == LONG:
        flips = [TimelineEntry(began, "failing", "watchfloor", f"flip {n}") for n in range(HEAD + TAIL)]
        timeline, left_out = flips, 9_600
    return IncidentReport(
        id=incident_id,
        service_id=service_id,
        service=service,
        kind="http",
        group="shop",
        opened_at=began,
        confirmed_at=began + timedelta(seconds=20),
        closed_at=None if incident_id == OPEN else now,
        worst=Status.FAILING,
        cause="HTTP 503 from https://checkout.shop.example/health, expected 200",
        root="orders database",
        previous_id=OVER if incident_id == OPEN else None,
        runbook="https://wiki.example/runbooks/checkout",
        timeline=tuple(timeline),
        dependants=(Dependant("shop till", began, 150.0), Dependant("payments \x1b[2J gateway", began, 90.0)),
        runs=(LinkedRun(7, "nightly backup", "failed", began - timedelta(minutes=1), "exit code 3"),),
        logs=(LogLine(began, "floor-01", "prober", "connection refused\nTraceback:\n  File 1"),),
        left_out=left_out,
        unnamed=9_998 if incident_id == LONG else 0,
    )
