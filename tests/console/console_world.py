# ruff: noqa: E501
"""A made-up operations room for the console's tests and its preview: boards that stand still until told otherwise."""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from incident_world import incident_report
from job_world import detail as job_detail
from job_world import (
    fires,
    job_rows,
    queue_points,
    queue_rows,
    run_details,
    run_output,
    run_row,
    worker_rows,
)
from rule_world import rehearsal, rule_health, rule_lines, week_of_alerts
from telling_world import channel_rows, duty_lines, sent_meets, sent_rows, silence_rows

from watchfloor.cli.channel_words import how_it_reads, notices
from watchfloor.cli.editors import COMMON, JobEditor, kind_fields
from watchfloor.cli.rule_editor import KINDS as RULE_KINDS
from watchfloor.cli.rule_editor import rule_fields
from watchfloor.config.base import Settings
from watchfloor.config.form_fields import fields_of
from watchfloor.config.forms import Form, FormField
from watchfloor.config.jobs import JobKeys
from watchfloor.config.kinds import payload_kinds, probe_kinds
from watchfloor.config.maintenance import MaintenanceKeys
from watchfloor.config.problems import Problem
from watchfloor.config.typed import judge_job, judge_rule, judge_service, judge_window
from watchfloor.console.book import PAGE
from watchfloor.domain import settings as definitions
from watchfloor.domain.alert_boards import AlertChain, AlertStory, ChainStep, Earlier, EarlierAlert
from watchfloor.domain.alert_stats import AlertStats
from watchfloor.domain.backfill import Again, Fire
from watchfloor.domain.boards import (
    BEGUN,
    AlertDetail,
    AlertEventRow,
    AlertRow,
    Begun,
    ComponentRow,
    ConfigFileRow,
    ConfigProblem,
    DeliveryRow,
    HealthRow,
    IncidentRow,
    Kept,
    LogRow,
    NodeRow,
    ResultPoint,
    SentDetail,
    SentRow,
    ServiceDetail,
    SettingRow,
    SilenceRow,
    StatusLine,
    TaskRunRow,
)
from watchfloor.domain.calendar import CalendarFire
from watchfloor.domain.channel_boards import ChannelRow, Replayed, SaidRow
from watchfloor.domain.coming import Coming, coming
from watchfloor.domain.databases import DatabaseRow, Known, databases
from watchfloor.domain.duty_boards import DutyRow, PersonRow
from watchfloor.domain.export import Wanted
from watchfloor.domain.history import Course, Figures, History, Sample
from watchfloor.domain.job_boards import (
    JobDay,
    JobRow,
    QueuePoint,
    QueueRow,
    RunDetail,
    RunLine,
    RunRow,
    WorkerRow,
)
from watchfloor.domain.matchers import BadMatcher, match, parse_all
from watchfloor.domain.node import MEASURED, NodeCourse
from watchfloor.domain.outcome import Status
from watchfloor.domain.planner import Slot, preview
from watchfloor.domain.post_mortem import IncidentReport, LinkedRun, LogLine
from watchfloor.domain.reach import Needs
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.domain.rule_boards import RuleRow
from watchfloor.domain.rule_health import RuleHealth
from watchfloor.domain.severity import Severity
from watchfloor.domain.silences import Reach, Wish
from watchfloor.domain.spark import encode
from watchfloor.domain.told import Told
from watchfloor.domain.tree import Children, Leaf, Tree, tree
from watchfloor.domain.trial import Trial
from watchfloor.domain.why import Reason
from watchfloor.domain.windows import spec_from
from watchfloor.operations.actor import Refused
from watchfloor.operations.backfill import Backfill
from watchfloor.operations.dead_letters import Settled
from watchfloor.operations.editing import Invalid, Overtaken
from watchfloor.store.dead_letters import Selection
from watchfloor.store.deliveries import DeliveryFilter
from watchfloor.store.jobs import schedule_of
from watchfloor.store.logs import LogFilter, LogTerm

NOW = datetime(2026, 8, 20, 14, 2, 31, tzinfo=UTC)

# name, kind, group, status, soft status, base latency
SERVICES: tuple[tuple[str, str, str, Status | None, Status | None, float], ...] = (
    ("shop checkout", "http", "shop", Status.FAILING, None, 0.42),
    ("shop catalogue", "http", "shop", Status.DEGRADED, None, 0.31),
    ("shop images", "http", "shop", Status.OK, Status.FAILING, 0.018),
    ("payments gateway", "http", "shop", Status.OK, None, 0.112),
    ("mail relay", "tcp", "mail", Status.FAILING, None, 0.004),
    ("mail submission", "tcp", "mail", Status.OK, None, 0.0031),
    ("imap", "tcp", "mail", Status.OK, None, 0.0028),
    ("www certificate", "tls", "web", Status.DEGRADED, None, 0.021),
    ("www", "http", "web", Status.OK, None, 0.064),
    ("docs", "http", "web", Status.OK, None, 0.048),
    ("status page", "http", "web", Status.OK, None, 0.052),
    ("orders database", "postgres", "data", Status.OK, None, 0.0009),
    ("reporting database", "postgres", "data", Status.UNKNOWN, None, 0.0014),
    ("search", "http", "data", Status.OK, None, 0.009),
    ("queue", "tcp", "data", Status.OK, None, 0.0006),
    ("this host", "host", "machines", Status.OK, None, 0.2),
    ("build host", "host", "machines", Status.OK, None, 0.2),
    ("backup host", "host", "machines", None, None, 0.2),
    ("sign-in", "http", "internal", Status.OK, None, 0.083),
    ("wiki", "http", "internal", Status.OK, None, 0.144),
    ("git", "http", "internal", Status.OK, None, 0.071),
    ("package mirror", "http", "internal", Status.OK, None, 0.036),
    ("old intranet", "http", "internal", Status.OK, None, 0.4),
    ("time server", "tcp", "machines", Status.OK, None, 0.0012),
)
SUMMARIES = {
    Status.FAILING: "HTTP 503 from https://checkout.shop.example/health, expected 200",
    Status.DEGRADED: "took 812 ms, limit 500 ms",
    Status.UNKNOWN: "the name reporting.db.example does not resolve from here",
    Status.OK: "HTTP 200 in 64 ms",
}


def _history(status: Status | None, base: float, seed: int, count: int) -> list[tuple[Status, float | None]]:
    """A believable past: noise, a daily wave, one slow hour, and an end that fits the present state."""
    dice = random.Random(seed)
    found: list[tuple[Status, float | None]] = []
    for index in range(count):
        wave = 1 + 0.25 * math.sin(index / count * 9 + seed)
        hump = 1.9 if 0.45 < index / count < 0.52 and seed % 3 == 0 else 1.0
        found.append((Status.OK, base * wave * hump * dice.uniform(0.85, 1.25)))
    if status is Status.FAILING:
        found[-6:] = [(Status.FAILING, None)] * 6
    elif status is Status.DEGRADED:
        found[-9:] = [(Status.DEGRADED, base * dice.uniform(2.1, 2.8)) for _ in range(9)]
    elif status is Status.UNKNOWN:
        found[-4:] = [(Status.UNKNOWN, None)] * 4
    if seed % 4 == 1:
        found[count // 3] = (Status.FAILING, None)
    return found


def health_rows(now: datetime = NOW) -> list[HealthRow]:
    """The board of services."""
    rows = []
    for number, (name, kind, group, status, soft, base) in enumerate(SERVICES, 1):
        past = _history(status, base, number, 48)
        latency = None if status in (Status.FAILING, Status.UNKNOWN, None) else past[-1][1]
        paused = name == "old intranet"
        alert = {
            "shop checkout": 42,
            "mail relay": 41,
            "shop catalogue": 40,
            "www certificate": 37,
            "reporting database": 39,
        }
        rows.append(
            HealthRow(
                id=number,
                name=name,
                kind=kind,
                group=group,
                tags=("public",) if group in ("shop", "web") else (),
                hard=status,
                status=soft or status,
                soft=soft is not None,
                attempt=2 if soft else 3,
                max_attempts=3,
                latency=latency,
                recent=b"" if status is None else bytes(encode(s, t) for s, t in past),
                uptime_24h=None
                if status is None
                else {Status.FAILING: 0.9821, Status.DEGRADED: 0.9991}.get(status, 1.0),
                since=None if status is None else now - timedelta(minutes=3 + number * number * 7),
                checked_at=None if status is None else now - timedelta(seconds=(number * 7) % 30),
                every=30.0,
                paused=paused,
                summary="" if status is None else SUMMARIES[status],
                alert_id=alert.get(name),
                acknowledged=name in ("mail relay", "www certificate"),
                environment="staging" if group == "internal" else "production",
                owner="console" if name in ("wiki", "git") else "file",
                origin="console" if name in ("wiki", "git") else "config.yaml:22",
            )
        )
    return rows


def query_rows(now: datetime = NOW) -> list[HealthRow]:
    """Services that send queries to the watched databases; the health board of this world is without them."""
    like = next(row for row in health_rows(now) if row.name == "orders database")
    states = {"late orders": Status.FAILING, "orders a minute": Status.OK, "slow statements": Status.DEGRADED}
    return [
        replace(
            like,
            id=100 + number,
            name=name,
            kind="query",
            hard=state,
            status=state,
            summary=f"PostgreSQL yields {number}0",
            alert_id=None,
        )
        for number, (name, state) in enumerate(states.items())
    ]


def known_databases() -> dict[int, Known]:
    """What is known of the databases of `health_rows` and of the queries."""
    ids = {row.name: row.id for row in [*health_rows(), *query_rows()]}
    orders = {"dsn": "postgresql://watch:${ORDERS}@orders.example.com/orders"}
    figures = {"connections_used": 61.0, "connections_max": 97.0}
    return {
        ids["orders database"]: Known(orders, metrics=figures, succeeded=20_150, judged=20_160),
        ids["reporting database"]: Known(
            {"dsn": "${REPORTS}"}, metrics={"replication_lag_seconds": 12.4}, succeeded=900, judged=1_000
        ),
        **{row.id: Known(orders, succeeded=9, judged=10) for row in query_rows()},
    }


def why(row: HealthRow, now: datetime = NOW) -> tuple[Reason, ...]:
    """Why a service is not ok."""
    if row.hard is not Status.FAILING:
        return ()
    began = row.since
    return (
        Reason("seen", f"failing: {row.summary}", row.checked_at),
        Reason("since", "began: connection refused", began),
        Reason("since", "confirmed after 3 checks in a row that were not ok", began),
        Reason(
            "tried",
            "6 checks since then, all of them not ok: 4 by floor-01 (4 not ok), 2 by floor-02 (2 not ok)",
        ),
        Reason("changed", "its definition was changed by kim: every 1m → 30s", now - timedelta(minutes=14)),
        Reason("behind", "it needs orders database, which is ok"),
        Reason("told", "#42 to chat delivered", now - timedelta(minutes=3)),
    )


def dependencies(row: HealthRow) -> Tree:
    """What a service needs and what needs it."""
    if row.name == "shop checkout":
        router = Leaf(101, "core router", "failing")
        leaves = {
            101: router,
            102: Leaf(102, "orders database", "failing", 101, Needs((101,))),
            103: Leaf(103, "cache a", "failing"),
            104: Leaf(104, "cache b", "ok"),
        }
        own = Leaf(row.id, row.name, "failing", 101, Needs((102,), ((103, 104),)))
        named = tuple(Leaf(200 + n, f"till {n:02}", "failing", 101) for n in range(12))
        return tree(own, leaves, {row.id: Children(named, {"failing": 9_990, "ok": 10}, 9_990)})
    return Tree()


def service_detail(row: HealthRow, now: datetime = NOW) -> ServiceDetail:
    """Everything about a service."""
    past = _history(row.hard, SERVICES[(row.id - 1) % len(SERVICES)][5], row.id, 240)
    results = []
    for index, (status, latency) in enumerate(reversed(past)):
        phases = tuple((latency or 0.0) * part for part in (0.01, 0.06, 0.13, 0.74, 0.06))
        results.append(
            ResultPoint(
                at=now - timedelta(seconds=30 * index + 4),
                status=status,
                latency=latency,
                phases=phases if row.kind == "http" and latency else (),
                summary="" if status is Status.OK else SUMMARIES[status],
                lag=0.002,
            )
        )
    certificate: dict[str, object] = {
        "certificate": {
            "subject": "CN=www.shop.example",
            "issuer": "CN=R11, O=Let's Encrypt, C=US",
            "names": ["www.shop.example", "shop.example"],
            "not_before": (now - timedelta(days=78)).isoformat(),
            "not_after": (now + timedelta(days=12, hours=4)).isoformat(),
            "key": "EC 256",
            "protocol": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
        }
    }
    facts: dict[str, object] = {"status_code": 503, "http_version": "1.1", "size": 118, "server": "nginx"}
    return ServiceDetail(
        row=row,
        description="Takes orders. Without it nobody can buy anything.",
        runbook="https://wiki.example/runbooks/checkout",
        origin="config.yaml:14",
        editable=False,
        settings={
            "url": "https://checkout.shop.example/health",
            "every": "30s",
            "timeout": "5s",
            "expect_status": [200],
            "headers": {"Authorization": "${CHECKOUT_TOKEN}"},
        },
        results=tuple(results) if row.hard is not None else (),
        incidents=(
            IncidentRow(
                12,
                row.id,
                row.name,
                now - timedelta(minutes=3),
                None,
                Status.FAILING,
                SUMMARIES[Status.FAILING],
            ),
            IncidentRow(
                9,
                row.id,
                row.name,
                now - timedelta(hours=9),
                now - timedelta(hours=8, minutes=41),
                Status.FAILING,
                "connection refused",
            ),
            IncidentRow(
                4,
                row.id,
                row.name,
                now - timedelta(days=2, hours=3),
                now - timedelta(days=2),
                Status.DEGRADED,
                "took 1.9 s, limit 500 ms",
            ),
        )
        if row.hard is Status.FAILING
        else (),
        facts={**facts, **certificate} if row.kind in ("http", "tls") else {},
        metrics={"cpu_percent": 12.5, "memory_percent": 63.2, "disk_used_percent{mount=/}": 71.0}
        if row.kind == "host"
        else {},
        uptime={"24h": row.uptime_24h, "7d": 0.9991, "30d": None},
        why=why(row, now),
        tree=dependencies(row),
    )


def _course(samples: Sequence[Sample]) -> Course:
    values = sorted(sample.value for sample in samples if sample.value is not None)
    if not values:
        return Course()
    p95 = values[int(0.95 * (len(values) - 1))]
    return Course(tuple(samples), Figures(values[0], sum(values) / len(values), p95, values[-1]))


HOST_METRICS = {
    "cpu_percent": 31.0, "memory_used_percent": 63.2, "disk_used_percent{mount=/}": 71.0,
    "disk_read_bytes_per_second{disk=sda}": 1.2e6, "disk_written_bytes_per_second{disk=sda}": 3.4e6,
    "network_received_bytes_per_second{interface=eth0}": 4.2e6,
    "network_sent_bytes_per_second{interface=eth0}": 8.1e5, "load_1": 0.84, "processes": 312.0,
}  # fmt: skip


def made_history(row: HealthRow | None, start: datetime, end: datetime) -> History:
    """The course of a service: one sample for each of its checks, with a gap in the second quarter."""
    if row is None or row.hard is None:
        return History(start, end, Course(), {}, {})
    count = max(2, min(240, int((end - start).total_seconds() / 30)))
    base = SERVICES[(row.id - 1) % len(SERVICES)][5]
    past = _history(row.hard, base, row.id, count)
    gap = range(count * 3 // 10, count * 4 // 10)
    times = [start + (end - start) * (n + 0.5) / count for n in range(count)]
    dice = random.Random(row.id)
    kept = [(at, *each) for n, (at, each) in enumerate(zip(times, past, strict=True)) if n not in gap]
    latency = _course(
        [
            Sample(at, value, status, None if value is None else value * dice.uniform(1, 1.3))
            for at, status, value in kept
        ]
    )
    parts = {"dns": 0.01, "connect": 0.06, "tls": 0.13, "first_byte": 0.74, "transfer": 0.06}
    phases = {
        name: _course(
            [
                Sample(at, None if value is None else value * part * dice.uniform(0.8, 1.2))
                for at, _, value in kept
            ]
        )
        for name, part in parts.items()
    }
    metrics = {
        name: _course(
            [
                Sample(at, level * (1 + 0.3 * math.sin(n / 17)) * dice.uniform(0.9, 1.1))
                for n, (at, _, _) in enumerate(kept)
            ]
        )
        for name, level in HOST_METRICS.items()
    }
    return History(
        start, end, latency, phases if row.kind == "http" else {}, metrics if row.kind == "host" else {}
    )


def alert_rows(now: datetime = NOW) -> list[AlertRow]:
    """Open alerts."""

    def row(
        id_: int, state: str, severity: Severity, title: str, service: str, minutes: float, **more: object
    ) -> AlertRow:
        at = now - timedelta(minutes=minutes)
        given: dict[str, object] = {
            "rule": "service is not ok",
            "service_id": next((n for n, s in enumerate(SERVICES, 1) if s[0] == service), None),
            "fired_at": None if state == "pending" else at,
            "resolved_at": None,
            "acked_by": "",
            "acked_until": None,
            "note": "",
            "reopened": 0,
        }
        return AlertRow(
            id=id_,
            state=state,
            severity=severity,
            title=title,
            service=service,
            active_at=at,
            **{**given, **more},
        )  # type: ignore[arg-type]

    return [
        row(42, "firing", Severity.CRITICAL, "shop checkout is failing", "shop checkout", 3, reopened=1, unread=True),
        row(
            41, "acknowledged", Severity.CRITICAL, "mail relay is failing", "mail relay", 118,
            acked_by="robin", acked_until=now + timedelta(hours=2, minutes=2), note="provider is on it, ticket 8841",
        ),
        row(40, "firing", Severity.WARNING, "shop catalogue is degraded", "shop catalogue", 21),
        row(39, "firing", Severity.WARNING, "reporting database is unknown", "reporting database", 1190),
        row(38, "pending", Severity.WARNING, "component courier of node floor-01 is restarting", "", 0.4, rule="component in trouble"),
        row(
            37, "acknowledged", Severity.WARNING, "www certificate is degraded", "www certificate", 2900,
            acked_by="kim", note="renewal runs on Friday",
        ),
    ]  # fmt: skip


def resolved_rows(now: datetime = NOW) -> list[AlertRow]:
    """Alerts that are over."""
    return [
        AlertRow(
            id=36 - n, state="resolved", severity=Severity.CRITICAL, title=f"{name} is failing", rule="service is not ok",
            service_id=1, service=name, active_at=now - timedelta(hours=5 + n * 7), fired_at=now - timedelta(hours=5 + n * 7),
            resolved_at=now - timedelta(hours=4 + n * 7), acked_by="", acked_until=None, note="", reopened=0,
        )
        for n, name in enumerate(("docs", "search", "wiki", "git"))
    ]  # fmt: skip


def alert_story(row: AlertRow) -> AlertStory:
    """What belongs to an alert: an open cause, a chain, two earlier ones, a run and a line of the log."""
    began = row.active_at
    steps = (
        ChainStep(0, "rota operations", Severity.INFO),
        ChainStep(600, "person deputy, group everybody who keeps the shop going", Severity.CRITICAL),
    )
    day = timedelta(days=1)
    earlier = (
        EarlierAlert(
            31, began - 3 * day, began - 3 * day + timedelta(minutes=9), "kim", "", "restarted the pool"
        ),
        EarlierAlert(12, began - 20 * day, began - 20 * day + timedelta(hours=2), "", "robin", ""),
    )
    return AlertStory(
        root="orders database",
        root_alert=39,
        chain=AlertChain("wake somebody", steps, 1, 0, began + timedelta(minutes=10), ""),
        earlier=Earlier(1, 2, earlier),
        runs=(LinkedRun(7, "nightly backup", "failed", began - timedelta(minutes=1), "exit code 3"),),
        logs=(
            LogLine(began, "floor-01", "prober", f"connection refused, and then {'very ' * 30}long words"),
        ),
        incident_id=12,
    )


def alert_detail(row: AlertRow) -> AlertDetail:
    """Everything about an alert."""
    events = [
        AlertEventRow(1, row.active_at, "raised", "watchfloor", "", {"severity": int(row.severity)}),
        AlertEventRow(2, row.fired_at or row.active_at, "fired", "watchfloor", "", {}),
    ]
    if row.acked_by:
        until = row.acked_until.isoformat() if row.acked_until else None
        events.append(
            AlertEventRow(
                3,
                row.active_at + timedelta(minutes=2),
                "acknowledged",
                row.acked_by,
                row.note,
                {"until": until},
            )
        )
    if row.reopened:
        events.append(
            AlertEventRow(4, row.active_at + timedelta(minutes=1), "resolved", "watchfloor", "", {})
        )
        events.append(
            AlertEventRow(
                5, row.active_at + timedelta(minutes=2), "reopened", "watchfloor", "", {"severity": 2}
            )
        )
    return AlertDetail(
        row=row,
        summary=SUMMARIES[Status.FAILING],
        runbook="https://wiki.example/runbooks/checkout",
        labels={"group": "shop", "kind": "http"} | ({"service": row.service} if row.service else {}),
        events=tuple(events),
        deliveries=(
            DeliveryRow("1", "chat", "fired", "delivered", 1, row.active_at + timedelta(seconds=1), ""),
            DeliveryRow(
                "2",
                "pager",
                "fired",
                "dead",
                8,
                row.active_at + timedelta(seconds=1),
                "HTTP 401 from https://pager.example",
                "deputy",
            ),
        ),
        story=alert_story(row) if row.id == 42 else AlertStory(),
    )


def task_rows(now: datetime = NOW) -> list[TaskRunRow]:
    """Runs of internal tasks."""
    tasks = (
        ("make partitions", 3600, 0.041),
        ("age alerts", 5, 0.003),
        ("drop old partitions", 3600, 0.008),
        ("roll up minutes", 60, 0.212),
    )
    rows = []
    for turn in range(12):
        for name, every, took in tasks:
            failed = name == "roll up minutes" and turn == 3
            rows.append(
                TaskRunRow(
                    node="floor-01",
                    task=name,
                    started_at=now - timedelta(seconds=every * turn + took + 2),
                    duration=took * (1 + turn % 3),
                    outcome="failed" if failed else "skipped" if (turn, name) == (5, "age alerts") else "ok",
                    error="the statement took too long and was cancelled" if failed else "",
                    next_run_at=now + timedelta(seconds=every - 2)
                    if turn == 0
                    else now - timedelta(seconds=every * (turn - 1) + 2),
                )
            )
    return sorted(rows, key=lambda row: row.started_at, reverse=True)


def log_rows(now: datetime = NOW, count: int = 700) -> list[LogRow]:
    """Log records, newest first."""
    samples = (
        (9, "engine", "checked 24 services, 0 late"),
        (9, "courier", "delivered fired of #42 to chat in 38 ms"),
        (5, "prober", "shop checkout: HTTP 503 in 412 ms"),
        (13, "prober", "shop images: 2 of 3 failing results, not confirmed yet"),
        (9, "alerts", "#42 fired: shop checkout is failing"),
        (17, "courier", "pager refused fired of #42: HTTP 401 from https://pager.example"),
        (9, "store", "created partitions until 2026-08-27"),
        (1, "heart", "beat"),
    )
    dice = random.Random(7)
    rows = []
    for number in range(count):
        severity, channel, message = samples[dice.choice((0, 0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 7))]
        attributes: dict[str, object] = {"run": number, "took_ms": round(dice.uniform(1, 400), 1)}
        if severity == 17:
            attributes["exception"] = (
                'Traceback (most recent call last):\n  File "courier.py", line 88, in send\n    raise Rejected(401)\nRejected: 401'
            )
        rows.append(
            LogRow(
                count - number,
                now - timedelta(seconds=number * 2.7),
                severity,
                channel,
                "floor-01",
                message,
                attributes,
            )
        )
    return rows


def setting_rows(now: datetime = NOW) -> list[SettingRow]:
    """Every product setting, one of them changed."""
    rows = []
    for setting in definitions.SETTINGS:
        changed = setting.key == "thresholds.disk.critical"
        rows.append(
            SettingRow(
                key=setting.key,
                category=setting.category,
                value=90.0 if changed else setting.default,
                default=setting.default,
                source="database" if changed else "default",
                unit=setting.unit,
                description=setting.description,
                kind=setting.kind,
                choices=setting.choices,
                changed_by="kim" if changed else "",
                changed_at=now - timedelta(days=3) if changed else None,
            )
        )
    return rows


def node_rows(now: datetime = NOW) -> list[NodeRow]:
    """Engines."""
    stats = {"services": 24.0, "lag_p50_ms": 0.4, "lag_p99_ms": 2.31, "missed": 0.0}

    def row(id_: int, name: str, state: str, live: bool, beat: float, error: str = "") -> NodeRow:
        return NodeRow(
            id=id_, name=name, machine=f"{name}.example", pid=4711 + id_, version="0.1.0", environment="production",
            tags=(), state=state, live=live, started_at=now - timedelta(days=3, hours=4), beat_at=now - timedelta(seconds=beat),
            stopped_at=None, error=error, stats=stats,
        )  # fmt: skip

    return [row(1, "floor-01", "running", True, 1), row(2, "floor-02", "running", False, 86_000, "killed")]


def node_course(now: datetime = NOW, length: timedelta = timedelta(hours=1)) -> NodeCourse:
    """What is known of a node: two days, until now."""
    since = now - timedelta(days=2)
    begin, minute = max(since, now - length), timedelta(minutes=1)
    minutes = (now - begin) // minute
    step = max(minute, length / 240)
    samples = tuple(
        Sample(begin + n * step, 1.0 + n % 7, peak=3.0 + n % 11) for n in range(max(1, (now - begin) // step))
    )
    course = Course(samples, Figures(1.0, 4.0, 6.5, 13.0))
    return NodeCourse(now - length, now, since, minutes, dict.fromkeys(MEASURED, course))


def component_rows(now: datetime = NOW) -> list[ComponentRow]:
    """Loops inside the engines."""
    names = ("prober", "recorder", "heart", "courier", "housekeeper", "intake", "evaluator")
    return [
        ComponentRow(
            1, "floor-01", name, "restarting" if name == "courier" else "running", now - timedelta(seconds=2),
            now - timedelta(days=3), 4 if name == "courier" else 0, "HTTP 401 from https://pager.example" if name == "courier" else "",
        )
        for name in names
    ]  # fmt: skip


KINDS = payload_kinds().models
NIGHTLY: dict[str, object] = {
    "name": "nightly backup",
    "kind": "script",
    "run": ["/usr/local/bin/backup", "--to", "/srv/backup"],
    "env": {"PASSPHRASE": "${BACKUP_PASSPHRASE}"},
    "schedules": [{"cron": "30 3 * * *", "time_zone": "Europe/Berlin"}, {"every": "6h"}],
    "timeout": "2h",
    "retry": {"attempts": 3},
    "contact": "kim",
    "description": "Dumps every database and copies it to another house.",
}


PROBES = probe_kinds().models
WIKI: dict[str, object] = {
    "name": "wiki",
    "kind": "http",
    "url": "https://wiki.example",
    "group": "internal",
    "every": "1m",
}


def slot_rows(now: datetime = NOW) -> list[Slot]:
    """Times of maintenance windows."""
    hour = timedelta(hours=1)
    nightly = Slot(
        2, "database patches", "next", now + 11 * hour, now + 13 * hour, "kinds postgres",
        "weekly on fri at 01:00 (Europe/Berlin) for 2h", "minor release", "kim", "console", "",
    )  # fmt: skip
    moved = replace(
        nightly, starts=now + 1600 * hour, ends=now + 1602 * hour, clocks="clocks go back by 1h inside it"
    )
    return [
        Slot(1, "shop move", "open", now - hour, now + hour, "groups shop", "once", "new rack", "kim", "console", "", 2),
        nightly,
        moved,
        Slot(3, "backup", "next", now + 5 * hour, now + 6 * hour, "services *", "cron 0 19 * * * (UTC) for 1h", "", "",
             "file", "config.yaml:40"),
        Slot(1, "shop move", "over", now - 50 * hour, now - 48 * hour, "groups shop", "once", "", "kim", "console", "",
             0, "robin"),
    ]  # fmt: skip


def kinds_of(what: str) -> Mapping[str, type[Settings]]:
    """The settings models of what is defined in forms."""
    if what == "rule":
        return RULE_KINDS
    return PROBES if what == "service" else KINDS


def fields_for(what: str, kind: str) -> tuple[FormField, ...]:
    """The fields of a form."""
    if what == "window":
        return fields_of(MaintenanceKeys)
    if what == "rule":
        return rule_fields(kind)
    return kind_fields(COMMON["service" if what == "service" else "job"], kinds_of(what), kind)


def judged(what: str, values: Mapping[str, object]) -> tuple[Sequence[Problem], Sequence[str]]:
    """What the rules of the file say about what was filled in."""
    if what == "service":
        service = judge_service(values, PROBES, {}, Path("/nowhere"))
        return service.problems, service.notes
    if what == "rule":
        rule = judge_rule(values, {}, Path("/nowhere"))
        return rule.problems, rule.notes
    if what == "window":
        window = judge_window(values, {}, Path("/nowhere"))
        opens = [] if window.made is None else preview(spec_from(window.made.spec), NOW)
        return window.problems, opens
    job = judge_job(values, KINDS, {}, Path("/nowhere"))
    return job.problems, job.notes


def service_forms() -> dict[str, Form]:
    """What was written about services: one by the console, one by a file."""
    kinds, fields = tuple(sorted(PROBES)), fields_for("service", "http")
    filed = {"name": "docs", "kind": "http", "url": "https://docs.example"}
    made = Form("service", "wiki", "http", kinds, fields, WIKI, 3)
    return {
        "wiki": replace(made, changed_by="kim", changed_at=NOW - timedelta(hours=2)),
        "docs": Form("service", "docs", "http", kinds, fields, filed, 1, "file", "config.yaml:22"),
    }


def rule_forms() -> dict[str, Form]:
    """What was written about rules: one by the console, one by a file, one of the product."""
    kinds = tuple(sorted(RULE_KINDS))
    filed = {"name": "web is failing", "when": {"groups": ["web-*"], "status": ["failing"]}, "for": "2m"}
    slow = {"name": "slow queries", "kind": "metric", "metric": "latency", "fire": 500, "severity": "warning"}
    caught = {"name": "service is not ok"}
    return {
        "web is failing": Form(
            "rule", "web is failing", "state", kinds, rule_fields("state"), filed, 1, "file", "config.yaml:14"
        ),
        "slow queries": Form("rule", "slow queries", "metric", kinds, rule_fields("metric"), slow, 2),
        "service is not ok": Form(
            "rule", "service is not ok", "state", kinds, rule_fields("state"), caught, 1, "system"
        ),
    }


def window_forms() -> dict[str, Form]:
    """A maintenance window that the console owns."""
    values = {
        "name": "database patches",
        "covers": {"kinds": ["postgres"]},
        "weekly": ["fri"],
        "at": "01:00",
        "lasts": "2h",
        "time_zone": "Europe/Berlin",
    }
    return {
        "database patches": Form("window", "database patches", "", (), fields_for("window", ""), values, 2)
    }


def job_forms() -> dict[str, Form]:
    """What was written about jobs: one by the console, one by a file."""
    made = Form(
        "job",
        "nightly backup",
        "script",
        tuple(sorted(KINDS)),
        kind_fields(JobKeys, KINDS, "script"),
        NIGHTLY,
        4,
    )
    at = NOW - timedelta(hours=2)
    filed = {"name": "send reports", "kind": "http", "url": "https://reports.example/send"}
    other = Form(
        "job",
        "send reports",
        "http",
        tuple(sorted(KINDS)),
        kind_fields(JobKeys, KINDS, "http"),
        filed,
        2,
        "file",
        "config.yaml:31",
    )
    return {"nightly backup": replace(made, changed_by="kim", changed_at=at), "send reports": other}


def person_rows() -> list[PersonRow]:
    """Who can be told: one on call, one who is not, one who is away."""
    return [
        PersonRow("ops-primary", ("operations",), False),
        PersonRow("ops-secondary", (), False),
        PersonRow("database-primary", (), True),
    ]


@dataclass
class World:
    """What the fake reader reads and the fake operator changes."""

    now: datetime = NOW
    services: list[HealthRow] = field(default_factory=health_rows)
    alerts: list[AlertRow] = field(default_factory=alert_rows)
    resolved: list[AlertRow] = field(default_factory=resolved_rows)
    tasks: list[TaskRunRow] = field(default_factory=task_rows)
    jobs: list[JobRow] = field(default_factory=job_rows)
    runs: list[RunDetail] = field(default_factory=run_details)
    run_log: list[RunLine] = field(default_factory=run_output)
    workers: list[WorkerRow] = field(default_factory=worker_rows)
    queues: list[QueueRow] = field(default_factory=queue_rows)
    forms: dict[str, Form] = field(
        default_factory=lambda: job_forms() | service_forms() | window_forms() | rule_forms()
    )  # by name
    trial: Trial | None = None
    silences: list[SilenceRow] = field(default_factory=lambda: silence_rows(NOW))
    duty: list[DutyRow] = field(default_factory=lambda: duty_lines(NOW))
    sent: list[SentRow] = field(default_factory=lambda: sent_rows(NOW))
    people: list[PersonRow] = field(default_factory=person_rows)
    slots: list[Slot] = field(default_factory=lambda: slot_rows())
    records: list[LogRow] = field(default_factory=log_rows)
    settings: list[SettingRow] = field(default_factory=setting_rows)
    nodes: list[NodeRow] = field(default_factory=node_rows)
    components: list[ComponentRow] = field(default_factory=component_rows)
    queries: list[HealthRow] = field(default_factory=lambda: query_rows(NOW))
    known: dict[int, Known] = field(default_factory=lambda: known_databases())
    problems: tuple[str, ...] = ()
    preferences: dict[str, object] = field(default_factory=dict)
    broken: Exception | None = None  # what every read and operation raises
    database: str = "embedded 18.4"
    history: list[tuple[datetime, World]] = field(
        default_factory=list
    )  # what it was like before, oldest first
    kept: Kept = field(default_factory=lambda: Kept(NOW - timedelta(days=365), NOW - timedelta(days=30)))
    channels: list[ChannelRow] = field(default_factory=lambda: channel_rows(NOW))
    templates: dict[str, Any] = field(default_factory=dict)
    rules: list[RuleRow] = field(default_factory=lambda: rule_lines(NOW))
    previewed: list[dict[str, Any]] = field(default_factory=list)
    gate: asyncio.Event | None = None  # what a preview waits for
    done: list[tuple[object, ...]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    pulse: asyncio.Queue[frozenset[str]] = field(default_factory=asyncio.Queue)

    def changed(self, *topics: str) -> None:
        """Send a pulse."""
        self.pulse.put_nowait(frozenset(topics))

    def status(self) -> StatusLine:
        """The status that follows from the boards."""
        live = [node for node in self.nodes if node.live]
        words = [
            ("paused" if r.paused else "pending" if r.hard is None else r.hard.word) for r in self.services
        ]
        firing = [alert.severity.word for alert in self.alerts if alert.state == "firing"]
        return StatusLine(
            at=self.now,
            database=self.database,
            node=live[0].name if live else "",
            nodes_live=len(live),
            newest_beat_age=min(((self.now - n.beat_at).total_seconds() for n in self.nodes), default=None),
            components_bad=sum(c.state in ("restarting", "stuck") for c in self.components),
            services={word: words.count(word) for word in set(words)},
            firing={word: firing.count(word) for word in set(firing)},
            acknowledged=sum(a.state == "acknowledged" for a in self.alerts),
            pending=sum(a.state == "pending" for a in self.alerts),
            config_problems=tuple(ConfigProblem("floor-01", text) for text in self.problems),
            begun=tuple(
                Begun(alert.id, 1, alert.fired_at or self.now, alert.severity, alert.title)
                for alert in sorted(self.alerts, key=lambda each: -each.id)
                if alert.state == "firing"
            )[:BEGUN],
        )


def _meets(term: LogTerm, row: LogRow) -> bool:
    fields = {"channel": row.channel, "node": row.node, "text": row.message}
    texts = [text.casefold() for name, text in fields.items() if term.field in ("", name)]
    pattern = ".*".join(map(re.escape, term.text)) if term.fuzzy else re.escape(term.text)
    found = any(re.search(pattern, text) for text in texts) or row.severity in term.severities
    return found != term.without


class FakeReader:
    """Reads a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def _read(self, what: str) -> None:
        self.world.reads.append(what)
        if self.world.broken:
            raise self.world.broken

    async def pulses(self) -> AsyncIterator[frozenset[str]]:
        yield frozenset(
            {"health", "alerts", "jobs", "logs", "settings", "nodes", "checks", "services", "outbox"}
        )
        while True:
            yield await self.world.pulse.get()

    async def status(self) -> StatusLine:
        self._read("status")
        return self.world.status()

    async def health(self) -> Sequence[HealthRow]:
        self._read("health")
        return list(self.world.services)

    async def service(self, service_id: int) -> ServiceDetail | None:
        self._read("service")
        row = next((row for row in self.world.services if row.id == service_id), None)
        return None if row is None else service_detail(row, self.world.now)

    async def alerts(self, *, resolved: bool) -> Sequence[AlertRow]:
        self._read("alerts")
        return [*self.world.alerts, *(self.world.resolved if resolved else [])]

    async def alert(self, alert_id: int) -> AlertDetail | None:
        self._read("alert")
        rows = [*self.world.alerts, *self.world.resolved]
        return next((alert_detail(row) for row in rows if row.id == alert_id), None)

    async def history(self, service_id: int, start: datetime, end: datetime) -> History:
        self._read("history")
        row = next((row for row in self.world.services if row.id == service_id), None)
        return made_history(row, start, end)

    async def incident_page(self, incident_id: int) -> IncidentReport | None:
        self._read("incident_page")
        row = self.world.services[0]
        return incident_report(incident_id, row.id, row.name, self.world.now)

    async def post_mortem(self, incident_id: int, directory: Path) -> Path:
        self._read("post_mortem")
        path = directory / f"incident-{incident_id}.md"
        path.write_text(f"# Incident {incident_id}\n")
        return path

    async def export(self, wanted: Wanted, format_: str, path: Path) -> int:
        self._read("export")
        path.write_text(f"{wanted} {format_}")
        return 3

    async def kept(self) -> Kept:
        self._read("kept")
        return self.world.kept

    def past(self, at: datetime) -> FakeReader:
        before = [world for moment, world in self.world.history if moment <= at]
        return FakeReader(before[-1] if before else World(now=at, services=[], alerts=[], resolved=[]))

    async def task_runs(self) -> Sequence[TaskRunRow]:
        self._read("task_runs")
        return list(self.world.tasks)

    async def jobs(self) -> Sequence[JobRow]:
        self._read("jobs")
        return list(self.world.jobs)

    async def job_day(self, job: str) -> JobDay:
        self._read("job_day")
        return JobDay(23, 1, 0, 1, 0, 12.4, 31.0, 0.004, 0.021)

    async def runs(
        self, job: str | None, *, dead: bool = False, before: int | None = None
    ) -> Sequence[RunRow]:
        self._read("runs")
        rows = [detail.row for detail in self.world.runs if job in (None, detail.row.job)]
        rows = [row for row in rows if before is None or row.id < before]
        return [row for row in rows if row.open_letter or not dead][:PAGE]

    async def left_behind(self, job: str) -> str:
        return "no longer started by job close the books, which name it: change them, too"

    async def job_calendar(self, length: timedelta) -> Sequence[CalendarFire]:
        self._read("job_calendar")
        return fires(self.world.now, length) if self.world.jobs else []

    async def workers(self) -> Sequence[WorkerRow]:
        self._read("workers")
        return list(self.world.workers)

    async def queues(self) -> Sequence[QueueRow]:
        self._read("queues")
        return list(self.world.queues)

    async def queue_course(self, queue: str, since: datetime) -> Sequence[QueuePoint]:
        self._read("queue_course")
        return [point for point in queue_points(self.world.now) if point.at >= since]

    async def backfill_plan(self, job: str, since: datetime, until: datetime, again: Again) -> Backfill:
        self._read("backfill_plan")
        coming = [Fire(1, since + timedelta(hours=hour), f"s:1:{hour}") for hour in range(5)]
        return Backfill(7, () if again is Again.FAILED else tuple(coming), (), 0.0)

    async def run(self, run_id: int) -> RunDetail | None:
        self._read("run")
        return next((detail for detail in self.world.runs if detail.row.id == run_id), None)

    async def run_log(self, run_id: int, after: tuple[int, int]) -> Sequence[RunLine]:
        self._read("run_log")
        return [line for line in self.world.run_log if (line.attempt, line.seq) > after]

    async def form(self, what: str, name: str, kind: str) -> Form | None:
        self._read("form")
        kinds = kinds_of(what)
        if not name:
            if what == "window":
                return Form(what, "", "", (), fields_for(what, ""), {})
            chosen = kind or {"job": "script", "rule": "state"}.get(what, "http")
            return Form(what, "", chosen, tuple(sorted(kinds)), fields_for(what, chosen), {"kind": chosen})
        found = self.world.forms.get(name)
        return replace(found, kind=kind, fields=fields_for(what, kind)) if found and kind else found

    async def judge(
        self, what: str, values: Mapping[str, object], was: str = ""
    ) -> tuple[Sequence[Problem], Sequence[str]]:
        return judged(what, values)

    async def slots(self) -> Sequence[Slot]:
        self._read("slots")
        return list(self.world.slots)

    async def trial(self, trial_id: UUID) -> tuple[Trial | None, datetime]:
        self._read("trial")
        return self.world.trial, self.world.now

    async def logs(
        self,
        wanted: LogFilter,
        before: tuple[datetime, int] | None,
        limit: int,
        *,
        after: tuple[datetime, int] | None = None,
    ) -> Sequence[LogRow]:
        self._read("logs")
        found = [
            row
            for row in self.world.records
            if wanted.severity <= row.severity < wanted.below
            and wanted.channel in ("", row.channel)
            and wanted.text in row.message.casefold()
            and all(_meets(term, row) for term in wanted.terms)
            and (before is None or (row.at, row.id) < before)
            and (after is None or (row.at, row.id) > after)
        ]
        return found[:limit] if after is None else found[max(0, len(found) - limit) :]

    async def alerts_over(self, before: tuple[datetime, int] | None) -> Sequence[AlertRow]:
        self._read("alerts_over")
        rows = [row for row in self.world.resolved if row.resolved_at is not None]
        return [row for row in rows if before is None or (row.resolved_at, row.id) < before][:PAGE]

    async def suggested_notes(self, alert_ids: Sequence[int]) -> Sequence[str]:
        self._read("suggested_notes")
        return ["ticket 8841 is open", "restarted the pool"]

    async def people(self) -> Sequence[PersonRow]:
        self._read("people")
        return list(self.world.people)

    async def duty(self) -> Sequence[DutyRow]:
        self._read("duty")
        return self.world.duty

    async def alert_stats(self, over: timedelta) -> AlertStats:
        self._read("alert_stats")
        return week_of_alerts(NOW, over)

    async def channels(self) -> Sequence[ChannelRow]:
        self._read("channels")
        return list(self.world.channels)

    async def channel_words(self, name: str, alert_id: int | None = None) -> Sequence[SaidRow]:
        self._read("channel_words")
        row = next((each for each in self.world.alerts if each.id == alert_id), None)
        alert = None if row is None else AlertDetail(row, "no answer", "", {"service": row.service}, (), ())
        return how_it_reads("slack", self.world.templates, notices(alert, self.world.now))

    async def rules(self) -> Sequence[RuleRow]:
        self._read("rules")
        return list(self.world.rules)

    async def preview_rule(self, values: Mapping[str, Any], over: timedelta) -> Rehearsal:
        self._read("preview_rule")
        written = {**values, "name": values.get("name") or "new rule"}
        problems, _ = judged("rule", written)
        if problems:
            raise Invalid(tuple(problems))
        self.world.previewed.append(dict(values))
        if self.world.gate is not None:
            await self.world.gate.wait()
        found = rehearsal(NOW, over)
        return replace(found, fired=()) if values.get("fire") == 9000 else found

    async def foresee(self, job: str, schedules: Sequence[Mapping[str, Any]], count: int) -> Sequence[Coming]:
        self._read("foresee")
        specs = JobEditor().specs(schedules)
        return coming([schedule_of(each, self.world.now) for each in specs], self.world.now, count)

    async def rule_health(self, name: str) -> RuleHealth | None:
        self._read("rule_health")
        rows = [row for row in self.world.rules if row.name == name and row.kind != "state"]
        return rule_health(rows[0], self.world.now) if rows else None

    async def rehearse(self, rule: str, over: timedelta) -> Rehearsal:
        self._read("rehearse")
        return rehearsal(NOW, over)

    async def silences(self, *, over: bool = False, before: int | None = None) -> Sequence[SilenceRow]:
        self._read("silences")
        rows = [row for row in self.world.silences if over or row.state != "over"]
        return [row for row in rows if before is None or row.id < before][:PAGE]

    async def silence_reach(self, matchers: Sequence[str]) -> Reach:
        self._read("silence_reach")
        try:
            wanted = parse_all(matchers)
        except BadMatcher as error:
            raise Refused(f"{error}.") from None
        hit = [row for row in self.world.alerts if match(wanted, {"service": row.service, "rule": row.rule})]
        return Reach(len(hit), len({row.service for row in hit if row.service}))

    async def deliveries(
        self, wanted: DeliveryFilter, before: tuple[datetime, UUID] | None = None, limit: int = 200
    ) -> Sequence[SentRow]:
        self._read("deliveries")
        return [row for row in self.world.sent if sent_meets(row, wanted, before)][:limit]

    async def sent(self, message: str) -> SentDetail | None:
        row = next((row for row in self.world.sent if row.id == message), None)
        text = "no answer\nrunbook: [b]x[/b]"
        return None if row is None else SentDetail(row, "ann", f"CRITICAL {row.title}", text, True, 1234)

    async def settings(self) -> Sequence[SettingRow]:
        self._read("settings")
        return list(self.world.settings)

    async def config_files(self) -> Sequence[ConfigFileRow]:
        self._read("config_files")
        at = self.world.now - timedelta(hours=2)
        return [ConfigFileRow("floor-01", "/etc/watchfloor/config.yaml", at, "ab12", self.world.problems)]

    async def nodes(self) -> Sequence[NodeRow]:
        self._read("nodes")
        return list(self.world.nodes)

    async def node_course(self, node_id: int, length: timedelta) -> NodeCourse:
        self._read("node_course")
        return node_course(self.world.now, length)

    async def components(self) -> Sequence[ComponentRow]:
        self._read("components")
        return list(self.world.components)

    async def databases(self) -> Sequence[DatabaseRow]:
        self._read("databases")
        return databases([*self.world.services, *self.world.queries], self.world.known)

    async def preferences(self) -> Mapping[str, object]:
        self._read("preferences")
        return self.world.preferences


class FakeOperator:
    """Changes a world, and writes down what it was asked."""

    def __init__(self, world: World, name: str = "robin") -> None:
        self.world, self.name = world, name
        self.refuses = ""

    def _note(self, *what: object) -> None:
        if self.world.broken:
            raise self.world.broken
        if self.refuses:
            raise Refused(self.refuses)
        self.world.done.append(what)

    def _alerts(self, ids: Sequence[int], **change: object) -> None:
        self.world.alerts = [replace(a, **change) if a.id in ids else a for a in self.world.alerts]  # type: ignore[arg-type]
        acknowledged = {a.service_id for a in self.world.alerts if a.state == "acknowledged"}
        self.world.services = [replace(s, acknowledged=s.id in acknowledged) for s in self.world.services]
        self.world.changed("alerts", "health")

    async def acknowledge(
        self, alert_ids: Sequence[int], note: str, lasts: timedelta | None, *, sticky: bool
    ) -> Sequence[int]:
        self._note("acknowledge", tuple(alert_ids), note, lasts, sticky)
        until = None if lasts is None else self.world.now + lasts
        firing = [a.id for a in self.world.alerts if a.id in alert_ids and a.state == "firing"]
        self._alerts(firing, state="acknowledged", acked_by=self.name, acked_until=until, note=note)
        return firing

    async def unacknowledge(self, alert_ids: Sequence[int]) -> None:
        self._note("unacknowledge", tuple(alert_ids))
        self._alerts(alert_ids, state="firing", acked_by="", acked_until=None, note="")

    async def resolve(self, alert_ids: Sequence[int], note: str) -> Sequence[int]:
        self._note("resolve", tuple(alert_ids), note)
        found = [alert.id for alert in self.world.alerts if alert.id in alert_ids]
        self._alerts(found, state="resolved", resolved_at=self.world.now)
        self.world.resolved += [alert for alert in self.world.alerts if alert.state == "resolved"]
        self.world.alerts = [alert for alert in self.world.alerts if alert.state != "resolved"]
        return found

    async def hand_over(self, alert_ids: Sequence[int], person: str, note: str = "") -> Sequence[int]:
        self._note("hand_over", tuple(alert_ids), person)
        return alert_ids

    async def look(self, alert_ids: Sequence[int]) -> None:
        self.world.alerts = [replace(a, unread=False) if a.id in alert_ids else a for a in self.world.alerts]

    async def add_note(self, alert_ids: Sequence[int], note: str) -> None:
        self._note("add_note", tuple(alert_ids), note)

    async def note_incident(self, incident_id: int, text: str) -> None:
        self._note("note_incident", incident_id, text)

    async def add_silences(self, wishes: Sequence[Wish]) -> Sequence[int]:
        self._note("add_silences", *wishes)
        return [10 + n for n, _ in enumerate(wishes)]

    async def change_silence(self, silence: int, wish: Wish) -> int:
        self._note("change_silence", silence, wish)
        made = max([10, *(row.id for row in self.world.silences)]) + 1
        (was,) = [row for row in self.world.silences if row.id == silence] or [self.world.silences[0]]
        self.world.silences = [
            replace(was, id=made, replaces=silence),
            *(replace(row, state="over") if row.id == silence else row for row in self.world.silences),
        ]
        return made

    async def expire_silences(self, ids: Sequence[int]) -> Sequence[int]:
        self._note("expire_silences", tuple(ids))
        self.world.silences = [
            replace(row, state="over", ends_at=self.world.now) if row.id in ids else row
            for row in self.world.silences
        ]
        self.world.changed("alerts")
        return ids

    async def reinstate_silence(self, silence: int, ends_at: datetime | None) -> int:
        self._note("reinstate_silence", silence, ends_at)
        return 12

    async def try_channel(self, name: str) -> UUID:
        self._note("try_channel", name)
        return UUID(int=77)

    async def test_rule(self, name: str) -> Told:
        self._note("test_rule", name)
        return Told(("chat", "kim on phone"), ("pager has a mute time now",), "website")

    async def replay(self, ids: Sequence[UUID] = (), channel: str | None = None) -> Replayed:
        self._note("replay", tuple(str(each) for each in ids))
        self.world.sent = [
            replace(row, state="queued") if UUID(row.id) in ids else row for row in self.world.sent
        ]
        self.world.changed("outbox")
        return Replayed(len(ids))

    async def discard_letters(self, ids: Sequence[UUID]) -> int:
        self._note("discard_letters", tuple(str(each) for each in ids))
        self.world.sent = [
            replace(row, state="cancelled") if UUID(row.id) in ids else row for row in self.world.sent
        ]
        self.world.changed("outbox")
        return len(ids)

    async def set_channel_enabled(self, name: str, enabled: bool) -> int | None:
        self._note("set_channel_enabled", name, enabled)
        was = {each.name: each.enabled for each in self.world.channels}[name]
        self.world.channels = [
            replace(each, enabled=enabled) if each.name == name else each for each in self.world.channels
        ]
        self.world.changed("settings")
        return None if was is enabled else 2

    async def set_rule_enabled(self, name: str, enabled: bool) -> bool:
        self._note("set_rule_enabled", name, enabled)
        was = {each.name: each.enabled for each in self.world.rules}[name]
        self.world.rules = [
            replace(each, enabled=enabled) if each.name == name else each for each in self.world.rules
        ]
        self.world.changed("settings")
        return was is not enabled

    async def set_paused(self, service_id: int, paused: bool) -> bool:
        self._note("set_paused", service_id, paused)
        was = {s.id: s.paused for s in self.world.services}.get(service_id)
        self.world.services = [
            replace(s, paused=paused) if s.id == service_id else s for s in self.world.services
        ]
        self.world.changed("health", "services")
        return was is not paused

    async def check_now(self, service_id: int) -> None:
        self._note("check_now", service_id)

    async def change_setting(self, key: str, value: object) -> None:
        self._note("change_setting", key, value)
        self.world.settings = [
            replace(s, value=value, source="database", changed_by=self.name, changed_at=self.world.now)
            if s.key == key
            else s
            for s in self.world.settings
        ]
        self.world.changed("settings")

    async def reset_setting(self, key: str) -> None:
        self._note("reset_setting", key)
        self.world.settings = [
            replace(s, value=s.default, source="default") if s.key == key else s for s in self.world.settings
        ]
        self.world.changed("settings")

    async def run_now(self, job: str, key: UUID, parameters: Mapping[str, object] | None = None) -> int:
        self._note("run_now", job, dict(parameters or {}))
        made = run_row(
            900 + len(self.world.done), job, "ready", None, None, origin="manual", asked_by=self.name
        )
        self.world.runs = [job_detail(made, self.world.now), *self.world.runs]
        self.world.changed("jobs")
        return made.id

    async def set_job_paused(self, job: str, paused: bool) -> bool:
        self._note("set_job_paused", job, paused)
        self.world.jobs = [replace(row, paused=paused) if row.name == job else row for row in self.world.jobs]
        self.world.changed("jobs")
        return True

    def _runs(self, ids: Sequence[int], **change: object) -> None:
        self.world.runs = [
            replace(each, row=replace(each.row, **change)) if each.row.id in ids else each  # type: ignore[arg-type]
            for each in self.world.runs
        ]
        self.world.changed("jobs")

    async def cancel_run(self, run_id: int) -> None:
        self._note("cancel_run", run_id)
        self._runs([run_id], state="cancelled")

    async def kill_run(self, run_id: int) -> None:
        self._note("kill_run", run_id)
        self._runs([run_id], state="cancelled")

    async def backfill(self, job: str, since: datetime, until: datetime, again: Again) -> Backfill:
        self._note("backfill", job, since, until, again)
        return Backfill(7, (), (1, 2, 3, 4, 5), 0.0)

    async def settle_letters(self, selection: Selection, *, discard: bool) -> Settled:
        self._note("settle_letters", selection.run_ids, discard)
        self._runs(selection.run_ids, open_letter=False)
        return Settled((), (), 0.0, 0)

    async def save_form(self, what: str, values: Mapping[str, object], was: str, version: int) -> str:
        self._note("save_form", what, dict(values), was, version)
        problems, _ = judged(what, values)
        before = self.world.forms.get(was)
        if problems:
            raise Invalid(problems)
        if before is not None and before.version != version:
            raise Overtaken(f"{before.changed_by} changed {was} in between; nothing was written over.", None)
        name, kind = str(values["name"]), str(values.get("kind", ""))
        kinds = () if what == "window" else tuple(sorted(kinds_of(what)))
        made = Form(what, name, kind, kinds, fields_for(what, kind), dict(values), version + 1)
        self.world.forms[name] = replace(made, changed_by=self.name, changed_at=self.world.now)
        self.world.changed("jobs", "services", "settings")
        return name

    async def end_window(self, window_id: int) -> None:
        self._note("end_window", window_id)
        self._slots(window_id, "open", state="over", ends=self.world.now, ended_by=self.name)

    async def reopen_window(self, window_id: int) -> None:
        self._note("reopen_window", window_id)
        self._slots(window_id, "over", state="open", ends=self.world.now + timedelta(hours=1), ended_by="")

    def _slots(self, window_id: int, was: str, **change: object) -> None:
        self.world.slots = [
            replace(each, **change) if (each.window_id, each.state) == (window_id, was) else each  # type: ignore[arg-type]
            for each in self.world.slots
        ]
        self.world.changed("health")

    async def try_service(self, values: Mapping[str, object]) -> UUID:
        self._note("try_service", dict(values))
        return UUID(int=7)

    async def delete_thing(self, what: str, name: str) -> None:
        self._note("delete_thing", what, name)
        self.world.forms.pop(name, None)
        self.world.jobs = [job for job in self.world.jobs if job.name != name]
        self.world.rules = [rule for rule in self.world.rules if rule.name != name]
        self.world.services = [row for row in self.world.services if row.name != name]
        self.world.changed("jobs", "services", "settings")

    async def save_preference(self, key: str, value: object) -> None:
        self._note("save_preference", key, value)
        self.world.preferences[key] = value
