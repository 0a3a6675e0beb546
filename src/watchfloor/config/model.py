"""A configuration as the rest of the program sees it: validated, immutable, with every default filled in.

Nothing here prints a secret: what may hold one is left out of ``repr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchfloor.config.base import Settings
from watchfloor.config.problems import ConfigError, Problem
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """One service. Durations are in seconds.

    ``settings`` are ready to probe with. ``raw`` are the same settings as written, JSON-able, references
    unresolved: the only form that may be stored. ``line`` does not count when two are compared.
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
    settings: Settings = field(repr=False)
    raw: Mapping[str, Any]
    line: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """One rule, in the order of the file; `watchfloor.domain.rules` says what its selectors mean."""

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


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """One notification channel; ``settings`` and ``raw`` as in `ServiceConfig`."""

    name: str
    kind: str
    enabled: bool
    settings: Settings = field(repr=False)
    raw: Mapping[str, Any]
    line: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class JobConfig:
    """One job; ``settings`` and ``raw`` as in `ServiceConfig`, ``schedules`` and ``retry`` as they are stored."""

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
    settings: Settings = field(repr=False)
    raw: Mapping[str, Any]
    line: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The process that reads the file."""

    name: str
    environment: str
    tags: tuple[str, ...]


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
