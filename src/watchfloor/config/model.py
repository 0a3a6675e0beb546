"""A configuration as the rest of the program sees it: validated, immutable, with every default filled in.

Nothing here prints a secret: what may hold one is left out of ``repr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchfloor.config.maintenance import MaintenanceConfig
from watchfloor.config.problems import ConfigError, Problem
from watchfloor.domain.conditions import Condition
from watchfloor.domain.lanes import DEFAULT_QUEUE
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """One service. Durations are in seconds.

    ``raw`` are the settings of its kind as written, JSON-able, references unresolved: the only form that may be stored
    or kept; ``written`` is the whole entry like that. It and ``line`` do not count when two are compared.
    """

    name: str
    kind: str
    every_s: float
    timeout_s: float
    attempts: int
    recover_attempts: int
    retry_every_s: float
    group: str
    tags: tuple[str, ...]
    runbook: str
    description: str
    paused: bool
    depends_on: tuple[str, ...]
    raw: Mapping[str, Any]
    line: int = field(compare=False)
    depends_on_any: tuple[tuple[str, ...], ...] = ()
    environment: str = ""
    written: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    on_nodes: tuple[str, ...] = ()
    quorum: int = 1


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """One rule, in the order of the file; `watchfloor.domain.rules` says what its selectors mean.

    A rule that is evaluated has a ``condition`` and no ``statuses``.
    """

    name: str
    services: tuple[str, ...]
    groups: tuple[str, ...]
    kinds: frozenset[str]
    tags: frozenset[str]
    statuses: frozenset[Status]
    for_s: float
    severity: Severity | None
    channels: tuple[str, ...]
    enabled: bool
    line: int = field(compare=False)
    cooldown_s: float = 0.0
    condition: Condition | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ObjectiveConfig:
    """One objective; ``target`` is a share. Selectors as in `RuleConfig`."""

    name: str
    target: float
    window_s: float
    planned_counts: bool
    unreachable_counts: bool
    services: tuple[str, ...]
    groups: tuple[str, ...]
    kinds: frozenset[str]
    tags: frozenset[str]
    line: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """One notification channel; ``raw`` as in `ServiceConfig`."""

    name: str
    kind: str
    enabled: bool
    raw: Mapping[str, Any]
    line: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class JobConfig:
    """One job; ``raw`` as in `ServiceConfig`, ``schedules`` and ``retry`` as they are stored."""

    name: str
    kind: str
    schedules: tuple[Mapping[str, object], ...]
    overlap: str
    slots: int | None  # None: no limit
    priority: int
    at_most_once: bool
    timeout_s: float
    deadline_s: float | None
    retry: Mapping[str, object]
    contact: str
    description: str
    runbook: str
    paused: bool
    raw: Mapping[str, Any]
    line: int = field(compare=False)
    queue: str = DEFAULT_QUEUE
    tags: tuple[str, ...] = ()
    chains: tuple[Mapping[str, object], ...] = ()
    pause_after: int | None = None
    owner: str = ""
    role: str = ""
    written: Mapping[str, Any] = field(
        default_factory=dict, repr=False
    )  # the whole entry, references unresolved


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The process that reads the file; ``run_as`` and ``roots`` are what jobs may do on its machine."""

    name: str
    environment: str
    tags: tuple[str, ...]
    queues: tuple[str, ...] = ()  # empty: every queue
    at_once: int | None = None  # None: the setting of all nodes
    run_as: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    sentinels: tuple[str, ...] = ()
    listen: str | None = None  # host:port


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole configuration. ``path`` is None for the built-in one; ``digest`` is SHA-256 of the file.

    ``database`` is the connection string of an existing PostgreSQL; None means the embedded one. ``files``
    are all files that references name, for a watch to follow.
    """

    path: Path | None
    digest: str
    database: str | None = field(repr=False)
    data_dir: Path
    node: NodeConfig
    services: tuple[ServiceConfig, ...]
    rules: tuple[RuleConfig, ...]
    channels: tuple[ChannelConfig, ...]
    files: frozenset[Path] = frozenset()
    jobs: tuple[JobConfig, ...] = ()
    objectives: tuple[ObjectiveConfig, ...] = ()
    calendars: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    maintenance: tuple[MaintenanceConfig, ...] = ()
    routes: tuple[Mapping[str, object], ...] = ()
    inhibitions: tuple[Mapping[str, object], ...] = ()
    oncall: Mapping[str, Any] = field(default_factory=dict)  # people, groups, rotas, escalations, as stored
    reactions: tuple[Mapping[str, Any], ...] = ()  # as stored
    watchdog: Mapping[str, Any] | None = None  # as written: settings of a webhook
    default_rules: frozenset[str] = frozenset()  # names of those that are on


@dataclass(frozen=True, slots=True)
class Loaded:
    """What reading a file came to: a configuration, or the mistakes because of which there is none.

    ``files`` are all files that references named, for a watch to follow.
    """

    configuration: Configuration | None
    problems: tuple[Problem, ...]
    files: frozenset[Path]

    def required(self) -> Configuration:
        """The configuration. Raises `ConfigError` with every mistake where there is none."""
        if self.configuration is None:
            raise ConfigError(self.problems)
        return self.configuration
