"""The made-up rules of the console's world, what one would have done, and a month of alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from watchfloor.domain.alert_stats import AlertStats, FiredAlert, alert_stats
from watchfloor.domain.questions.question import Instance
from watchfloor.domain.rehearsal import Rehearsal, WouldFire
from watchfloor.domain.rule_boards import RuleRow
from watchfloor.domain.rule_health import RuleHealth, RuleHour
from watchfloor.domain.severity import Severity


def rule_lines(now: datetime) -> list[RuleRow]:
    """A rule that fires, one that cannot be evaluated, one that is off, and one of the product."""
    base = RuleRow(
        1, "web is failing", "state", "a service is failing", "group web-*, kind http", "by state", 120.0,
        ("chat", "pager"), True, "config.yaml:14", 2, 7, now - timedelta(minutes=3),
    )  # fmt: skip
    return [
        base,
        replace(
            base, id=2, name="slow queries", kind="metric", words="latency is above 500", severity="warning",
            firing=0, fired_week=0, tried_at=now - timedelta(seconds=8), took_ms=4.2, instances=0,
            error="there is no metric called query_time", owner="console", origin="",
        ),
        replace(
            base, id=3, name="disk full within a day", kind="forecast", words="the disk is full within 24h",
            severity="critical", enabled=False, firing=0, fired_week=0, fired_at=None,
        ),
        replace(
            base, id=4, name="service is not ok", words="a service is degraded or failing", about="every service",
            waits_s=0.0, origin="", owner="system", firing=1, fired_week=31,
        ),
    ]  # fmt: skip


def rule_health(row: RuleRow, now: datetime) -> RuleHealth:
    """A rule that is evaluated since yesterday: nobody looked for two hours, and of late it cannot be evaluated."""
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=19)

    def hour(n: int) -> RuleHour:
        failures = {18: 40, 19: 21}.get(n, 0)
        return RuleHour(
            first + timedelta(hours=n),
            21 if n == 19 else 360,
            failures,
            2.0 + n % 5,
            9.5 + n,
            3 if 4 < n < 8 else 0,
        )

    hours = tuple(hour(n) for n in range(20) if n not in (11, 12))
    return RuleHealth(
        row.name, row.kind, row.enabled, row.tried_at, now - timedelta(minutes=14), row.took_ms, 12, 1, 2,
        row.over_limit, row.error, now - timedelta(minutes=13), sum(each.evaluations for each in hours), 61, 4.2,
        28.5, 3, hours,
    )  # fmt: skip


def rehearsal(now: datetime, over: timedelta) -> Rehearsal:
    """Three times, of which the last goes on."""

    def fired(hours: float, lasted: float | None, severity: Severity) -> WouldFire:
        begins = now - timedelta(hours=hours)
        ends = None if lasted is None else begins + timedelta(hours=lasted)
        return WouldFire(
            Instance("service:1", "website", {}, 1), severity, begins, begins, ends, "website is failing", ""
        )

    times = (
        fired(100, 2, Severity.WARNING),
        fired(30, 1, Severity.CRITICAL),
        fired(1, None, Severity.CRITICAL),
    )
    return Rehearsal(
        now - over, now, timedelta(minutes=5), times, 12, 3, ("Looked at every 5m instead of every 10s.",)
    )


def week_of_alerts(now: datetime, over: timedelta) -> AlertStats:
    """Alerts of two rules, most of them on Thursdays, some never acknowledged."""
    alerts = [
        FiredAlert(
            "web is failing" if n % 3 else "slow queries", "website" if n % 3 else "stock database",
            fired := now - timedelta(hours=n * n % 600), fired + timedelta(minutes=3) if n % 4 else None,
            fired + timedelta(minutes=40 + n) if n else None, n % 5 == 0,
        )
        for n in range(40)
    ]  # fmt: skip
    return alert_stats(alerts, now - over, now)
