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

from watchfloor.domain import settings as definitions
from watchfloor.domain.boards import (
    AlertDetail,
    AlertEventRow,
    AlertRow,
    ComponentRow,
    ConfigFileRow,
    ConfigProblem,
    DeliveryRow,
    HealthRow,
    IncidentRow,
    JobRow,
    Kept,
    LogRow,
    NodeRow,
    ResultPoint,
    RunDetail,
    RunLine,
    RunRow,
    ServiceDetail,
    SettingRow,
    StatusLine,
    TaskRunRow,
)
from watchfloor.domain.history import Course, Figures, History, Sample
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity
from watchfloor.domain.spark import encode
from watchfloor.operations.actor import Refused
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
            )
        )
    return rows


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
        row(42, "firing", Severity.CRITICAL, "shop checkout is failing", "shop checkout", 3, reopened=1),
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
        labels={"group": "shop", "kind": "http"},
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
            ),
        ),
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


@dataclass
class World:
    """What the fake reader reads and the fake operator changes."""

    now: datetime = NOW
    services: list[HealthRow] = field(default_factory=health_rows)
    alerts: list[AlertRow] = field(default_factory=alert_rows)
    resolved: list[AlertRow] = field(default_factory=resolved_rows)
    tasks: list[TaskRunRow] = field(default_factory=task_rows)
    jobs: list[JobRow] = field(default_factory=list)
    runs: list[RunDetail] = field(default_factory=list)
    run_log: list[RunLine] = field(default_factory=list)
    records: list[LogRow] = field(default_factory=log_rows)
    settings: list[SettingRow] = field(default_factory=setting_rows)
    nodes: list[NodeRow] = field(default_factory=node_rows)
    components: list[ComponentRow] = field(default_factory=component_rows)
    problems: tuple[str, ...] = ()
    preferences: dict[str, object] = field(default_factory=dict)
    broken: Exception | None = None  # what every read and operation raises
    database: str = "embedded 18.4"
    history: list[tuple[datetime, World]] = field(
        default_factory=list
    )  # what it was like before, oldest first
    kept: Kept = field(default_factory=lambda: Kept(NOW - timedelta(days=365), NOW - timedelta(days=30)))
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

    async def runs(self, job: str | None) -> Sequence[RunRow]:
        self._read("runs")
        return [detail.row for detail in self.world.runs if job in (None, detail.row.job)]

    async def run(self, run_id: int) -> RunDetail | None:
        self._read("run")
        return next((detail for detail in self.world.runs if detail.row.id == run_id), None)

    async def run_log(self, run_id: int, after: tuple[int, int]) -> Sequence[RunLine]:
        self._read("run_log")
        return [line for line in self.world.run_log if (line.attempt, line.seq) > after]

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

    async def components(self) -> Sequence[ComponentRow]:
        self._read("components")
        return list(self.world.components)

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

    async def resolve(self, alert_ids: Sequence[int], note: str) -> None:
        self._note("resolve", tuple(alert_ids), note)
        self._alerts(alert_ids, state="resolved", resolved_at=self.world.now)
        self.world.resolved += [alert for alert in self.world.alerts if alert.state == "resolved"]
        self.world.alerts = [alert for alert in self.world.alerts if alert.state != "resolved"]

    async def set_paused(self, service_id: int, paused: bool) -> None:
        self._note("set_paused", service_id, paused)
        self.world.services = [
            replace(s, paused=paused) if s.id == service_id else s for s in self.world.services
        ]
        self.world.changed("health", "services")

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

    async def save_preference(self, key: str, value: object) -> None:
        self._note("save_preference", key, value)
        self.world.preferences[key] = value
