"""Boards: immutable snapshots of what a screen or a command shows.

The store makes them, the console compares them by key.

All moments are aware UTC datetimes, all durations seconds unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from watchfloor.domain.alert_boards import AlertStory
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity
from watchfloor.domain.spans import Uptime
from watchfloor.domain.tree import Tree
from watchfloor.domain.why import Reason


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One service on the health board; its key is ``id``."""

    id: int
    name: str
    kind: str
    group: str
    tags: tuple[str, ...]
    hard: Status | None  # None: not checked yet
    status: Status | None  # the latest outcome, soft or not
    soft: bool  # the latest outcome is not confirmed yet
    attempt: int
    max_attempts: int
    latency: float | None
    recent: bytes  # one byte per result, oldest first: domain.spark
    uptime_24h: float | None  # 0..1 of the time that was observed; None: nothing observed
    since: datetime | None  # when the hard status began
    checked_at: datetime | None  # end of the latest check
    every: float  # the interval of its checks
    paused: bool
    summary: str
    alert_id: int | None  # the open alert about it, if any
    acknowledged: bool
    root: str = ""  # the service whose failure puts it out of reach
    planned: bool = False  # inside a maintenance window
    flapping: bool = False
    environment: str = ""
    owner: str = "file"  # file, console, system
    origin: str = ""  # where it stands in a file


@dataclass(frozen=True, slots=True)
class ResultPoint:
    """One stored check of a service."""

    at: datetime
    status: Status
    latency: float | None
    phases: tuple[
        float | None, ...
    ]  # in the order of outcome.PHASES, None where not reached; empty where not measured
    summary: str  # empty for an ok result
    lag: float  # start minus slot


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A period in which a service was not ok; open while ``closed_at`` is None."""

    id: int
    service_id: int
    service: str
    opened_at: datetime
    closed_at: datetime | None
    worst: Status
    cause: str


@dataclass(frozen=True, slots=True)
class ServiceDetail:
    """Everything the detail view of one service shows."""

    row: HealthRow
    description: str
    runbook: str
    origin: str  # "config.yaml:14" where the file owns it, else ""
    editable: bool
    settings: Mapping[str, object]  # as written, references unresolved
    results: tuple[ResultPoint, ...]  # newest first
    incidents: tuple[IncidentRow, ...]  # newest first
    facts: Mapping[str, object]  # latest known detail: certificate, disks, …
    metrics: Mapping[str, float]  # latest metrics by name
    uptime: Mapping[str, float | None]  # "24h", "7d", "30d", "90d", "365d" -> 0..1
    spent: Mapping[str, Uptime] = field(default_factory=dict)  # the same windows: how the time was spent
    objectives: tuple[ObjectiveRow, ...] = ()
    certificates: tuple[CertificateRow, ...] = ()  # every one it ever showed, the newest change first
    why: tuple[Reason, ...] = ()  # why it is not ok; empty while it is
    tree: Tree = field(default_factory=Tree)  # what it needs, and what needs it


@dataclass(frozen=True, slots=True)
class ObjectiveRow:
    """How one service stands with one objective; its key is both. Times in seconds."""

    objective: str
    promise: str  # "99.9 % of 30d"
    service_id: int
    service: str
    target: float  # 0..1
    ratio: float | None  # what it came to; None: nothing observed
    left: float | None  # of the budget: 1 untouched, 0 used up, below overdrawn
    allowed_s: float
    bad_s: float
    burns: Mapping[str, float | None]  # "1h" -> how many times faster than allowed
    burning: tuple[str, ...]  # the policies it exceeds: "1h", "6h", "1d", "3d"
    urgent: bool  # one of them is worth waking somebody


@dataclass(frozen=True, slots=True)
class UptimeRow:
    """One service on the uptime board; its key is ``service_id``. By window: ratio, and the observed seconds."""

    service_id: int
    service: str
    group: str
    uptime: Mapping[str, float | None]
    observed_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One certificate that a service showed; its key is ``(service_id, fingerprint)``."""

    service_id: int
    service: str
    fingerprint: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    first_seen: datetime
    last_seen: datetime
    current: bool  # it shows it now, perhaps in turns with others
    changed_at: datetime  # when it was last put in the place of another


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert of the list; its key is ``id``."""

    id: int
    state: str  # pending, firing, acknowledged, resolved
    severity: Severity
    title: str
    rule: str
    service_id: int | None
    service: str  # empty for an alert about Watchfloor itself
    active_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    acked_by: str
    acked_until: datetime | None
    note: str
    reopened: int
    unread: bool = False  # changed since this operator looked at it last
    quiet: tuple[str, ...] = ()  # the reasons why nobody is told of it
    root: str = ""  # what puts it out of reach, where that is one of them
    behind: int = 0  # so many services are out of reach because of it


@dataclass(frozen=True, slots=True)
class AlertEventRow:
    """One line of an alert's immutable history."""

    seq: int
    at: datetime
    kind: str
    actor: str
    note: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message of an alert on its way to a channel."""

    id: str
    channel: str
    kind: str
    state: str  # queued, leased, delivered, dead, cancelled
    attempts: int
    created_at: datetime
    last_error: str
    person: str = ""  # whom it is for; empty: everybody on the channel
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SentRow:
    """One message of the delivery history; its key is ``(created_at, id)``."""

    id: str
    channel: str
    kind: str
    reason: str  # why it was sent: first, repeat, new_alerts, …
    state: str  # queued, leased, delivered, dead, cancelled
    alert_id: int | None
    title: str  # of its alert; of a group how many alerts it told of
    attempts: int
    created_at: datetime
    delivered_at: datetime | None
    next_try_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class SentDetail:
    """One message with its words: as they go over the wire, without secrets and safe to show."""

    row: SentRow
    person: str  # for whom it is, if for somebody in particular
    title: str  # the subject, or the first line
    text: str
    made: bool  # whether these are the bytes of an attempt; else how it would read now
    left_out: int = 0  # so many characters of the text are not shown


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """One silence; its key is ``id``."""

    id: int
    state: str  # planned, active, over
    matchers: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None  # None: when nothing that matches is open any more
    until_resolved: bool
    author: str
    comment: str
    created_at: datetime
    ended_by: str  # who ended it before its time
    replaces: int | None
    quiet: int  # alerts that it keeps quiet now


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """Everything the detail view of one alert shows."""

    row: AlertRow
    summary: str  # what the check said when it fired
    runbook: str
    labels: Mapping[str, str]
    events: tuple[AlertEventRow, ...]  # oldest first
    deliveries: tuple[DeliveryRow, ...]  # the latest of them, oldest first
    story: AlertStory = field(default_factory=AlertStory)  # of the past only the incident
    messages: int = 0  # how many there are in all, where that is more
    contact: str = ""  # who knows about the job that it is about


@dataclass(frozen=True, slots=True)
class Kept:
    """From when on the past is kept: ``story`` states, incidents and alerts, ``results`` every single check."""

    story: datetime
    results: datetime


@dataclass(frozen=True, slots=True)
class TaskRunRow:
    """One run of one of the program's own periodic tasks."""

    node: str
    task: str
    started_at: datetime
    duration: float
    outcome: str  # ok, failed, skipped
    error: str
    next_run_at: datetime | None


@dataclass(frozen=True, slots=True)
class LogRow:
    """One stored log record; its key is ``(at, id)``."""

    id: int
    at: datetime
    severity: int  # OpenTelemetry severity number, 1..24
    channel: str
    node: str
    message: str
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One product setting with where its value comes from."""

    key: str
    category: str
    value: object
    default: object
    source: str  # default, database
    unit: str
    description: str
    kind: str
    choices: tuple[str, ...]
    changed_by: str
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One mistake of a config file as a node saw it."""

    node: str
    text: str  # "config.yaml:14:10: services[2].timeuot: unknown key …"


@dataclass(frozen=True, slots=True)
class ConfigFileRow:
    """The config file of one node."""

    node: str
    path: str
    loaded_at: datetime | None
    digest: str
    problems: tuple[str, ...]  # empty: the file in force is the file on disk


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A running (or once running) engine."""

    id: int
    name: str
    machine: str
    pid: int
    version: str
    environment: str
    tags: tuple[str, ...]
    state: str  # starting, running, stopping, stopped, error
    live: bool
    started_at: datetime
    beat_at: datetime
    stopped_at: datetime | None
    error: str
    stats: Mapping[
        str, float
    ]  # services, checks_per_second, lag_p50_ms, lag_p99_ms, missed, overlaps, dropped, …


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """One loop inside a node (component health)."""

    node_id: int
    node: str
    component: str
    state: str  # running, restarting, stuck, stopped
    beat_at: datetime
    since: datetime
    restarts: int
    last_error: str


BEGUN = 50
"""So many alerts that began to fire lately are told apart at most."""

LATELY_S = 600
"""So long ago is lately."""


@dataclass(frozen=True, slots=True)
class Begun:
    """That an alert, which still fires, fired, fired again or got worse: by the event ``seq`` of its history, `at`.

    Where nobody was to be told of that, the event is the end of the last reason for silence.
    """

    alert_id: int
    seq: int
    at: datetime
    severity: Severity
    title: str


@dataclass(frozen=True, slots=True)
class StatusLine:
    """What the status bar shows on every screen."""

    at: datetime  # the database's clock
    database: str  # "embedded 18.4" or "postgresql 15.19 db.example:5432"
    node: str  # the live node, or the first of several; empty: no engine is live
    nodes_live: int
    newest_beat_age: float | None  # seconds; None: no node ever
    components_bad: int
    services: Mapping[str, int]  # ok, degraded, failing, unknown, pending, paused
    firing: Mapping[str, int]  # severity word -> firing and not acknowledged
    acknowledged: int
    pending: int
    config_problems: tuple[ConfigProblem, ...] = field(default=())
    trouble: str = ""  # why the engine of this very process does not run
    quiet: Mapping[str, int] = field(default_factory=dict)  # so many of those nobody is told of
    begun: tuple[Begun, ...] = ()  # in the last minutes, the newest first, at most `BEGUN`
