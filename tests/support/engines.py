"""Engines for tests: kinds that do as they are told, configurations made by hand, engines on the loop of the test."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from watchfloor.channels.message import Message
from watchfloor.config.base import Settings
from watchfloor.config.kinds import Kind, Kinds
from watchfloor.config.model import (
    ChannelConfig,
    Configuration,
    JobConfig,
    NodeConfig,
    RuleConfig,
    ServiceConfig,
)
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.settings import SETTINGS
from watchfloor.engine import (
    ager,
    alive,
    courier,
    engine,
    escalator,
    evaluator,
    firer,
    heart,
    heartbeats,
    housekeeper,
    intake,
    listener,
    reaper,
    recorder,
    registration,
    roller,
    runner,
    sentry,
    share,
    steward,
    supervisor,
    trier,
    warden,
)
from watchfloor.engine.engine import Engine, Plan, Progress
from watchfloor.engine.finding import Finding
from watchfloor.engine.intake import LogBuffer
from watchfloor.engine.node import Node
from watchfloor.store import pulse
from watchfloor.store.pulse import Pulse
from watchfloor.store.services import Service

OK = Outcome(Status.OK, "fine", 0.001)
FAILING = Outcome(Status.FAILING, "refused", None)
DEGRADED = Outcome(Status.DEGRADED, "slow", 2.0)

Act = Callable[[], Awaitable[object]]


class MemoryKinds(Kinds):
    """Kinds that are not found through entry points."""

    def __init__(self, *kinds: Kind) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def __getitem__(self, name: str) -> Kind:
        return self._kinds[name]

    def __iter__(self) -> Any:
        return iter(list(self._kinds))

    def __len__(self) -> int:
        return len(self._kinds)


NO_PAYLOADS = MemoryKinds()


class FakeSettings(Settings):
    """Settings of a fake check: whom it is about."""

    target: str = ""
    token: str = ""


class NoSettings(Settings):
    """Settings of what needs none."""


class FakeChannelSettings(Settings):
    """Settings of a fake channel."""

    token: str = ""


@dataclass
class Stage:
    """What fake checks find and fake channels do, and what they were asked."""

    finds: dict[str, Outcome | Act] = field(default_factory=dict)
    calls: dict[str, list[FakeSettings]] = field(default_factory=lambda: defaultdict(list))
    sent: list[Message] = field(default_factory=list)
    refuse: Callable[[Message], Awaitable[None]] | None = None

    async def probe(self, settings: FakeSettings, timeout: float) -> object:
        self.calls[settings.target].append(settings)
        found = self.finds.get(settings.target, OK)
        return found if isinstance(found, Outcome) else await found()

    async def deliver(self, settings: FakeChannelSettings, message: Message) -> None:
        if self.refuse is not None:
            await self.refuse(message)
        self.sent.append(message)

    @property
    def probes(self) -> MemoryKinds:
        return MemoryKinds(Kind("fake", FakeSettings, self.probe))

    @property
    def channels(self) -> MemoryKinds:
        return MemoryKinds(Kind("fake", FakeChannelSettings, self.deliver))

    def count(self, target: str) -> int:
        """How often ``target`` was checked."""
        return len(self.calls[target])


def service(name: str, **values: Any) -> ServiceConfig:
    """A service that is checked ten times a second and believed at once."""
    made = ServiceConfig(
        name=name, kind="fake", every_s=0.1, timeout_s=1.0, attempts=1, recover_attempts=1, retry_every_s=0.1,
        group="", tags=(), runbook="", description="", paused=False, depends_on=(),
        raw={"target": name}, line=1,
    )  # fmt: skip
    return replace(made, **values)


def channel(name: str = "ops", **values: Any) -> ChannelConfig:
    """A fake channel."""
    return replace(ChannelConfig(name, "fake", True, {}, 1), **values)


UNCHANGING = Path(__file__)
"""Stands for the config file where a test is not about it: it is there and never changes."""


def _digest(path: Path | None) -> str:
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def configuration(
    *services: ServiceConfig,
    node: str = "one",
    path: Path | None = UNCHANGING,
    rules: Sequence[RuleConfig] = (),
    channels: Sequence[ChannelConfig] = (),
    jobs: Sequence[JobConfig] = (),
) -> Configuration:
    """A configuration as a file would give it."""
    return Configuration(
        path=path, digest=_digest(path), database=None, data_dir=Path("/nowhere"), node=NodeConfig(node, "test", ()),
        services=services, rules=tuple(rules), channels=tuple(channels), jobs=tuple(jobs),
    )  # fmt: skip


def plan(dsn: str, stage: Stage, config: Configuration, **values: Any) -> Plan:
    """What an engine needs."""
    return Plan(
        dsn,
        config,
        stage.probes,
        stage.channels,
        values.pop("payloads", NO_PAYLOADS),
        values.pop("buffer", LogBuffer()),
        **values,
    )


@dataclass
class Running:
    """An engine at work."""

    engine: Engine
    progress: Progress
    task: asyncio.Task[None]


@asynccontextmanager
async def running(made: Plan) -> AsyncIterator[Running]:
    """An engine that runs on the loop of the test and is drained at the end."""
    progress = Progress()
    runs = Engine(made, progress, lambda: None)
    task = asyncio.create_task(runs.run())
    try:
        yield Running(runs, progress, task)
    finally:
        runs.stop()
        if not task.done():
            await asyncio.wait({task}, timeout=30)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise AssertionError("the engine did not drain")
    task.result()


_BRISK: dict[Any, dict[str, float]] = {
    heart: {"BEAT_S": 0.2},
    heartbeats: {"IDLE_S": 0.2},
    supervisor: {
        "REPORT_EVERY_S": 0.2, "TOLERANCE_S": 3.0, "HEALTHY_AFTER_S": 1.0, "FIRST_PAUSE_S": 0.02, "AWAY_PAUSE_S": 0.1,
        "WATCH_EVERY_S": 0.1,
    },
    ager: {"EVERY_S": 0.1},
    alive: {"BEAT_S": 0.2},
    sentry: {"EVERY_S": 0.2},
    roller: {"EVERY_S": 0.2, "STANDBY_S": 0.2},
    warden: {"EVERY_S": 0.1},
    runner: {"POLL_S": 0.1, "AWAY_PAUSE_S": 0.1},
    reaper: {"EVERY_S": 0.1},
    firer: {"LONGEST_SLEEP_S": 0.2},
    housekeeper: {"BEAT_S": 0.2, "AWAY_PAUSE_S": 0.1},
    steward: {"LOOK_S": 0.1},
    courier: {"POLL_S": 0.1, "FIRST_RETRY_S": 0.02},
    recorder: {"GATHER_S": 0.02, "AWAY_PAUSE_S": 0.1, "IDLE_S": 0.2},
    share: {"IDLE_S": 0.2},
    trier: {"IDLE_S": 0.2},
    registration: {"PATIENCE_S": 0.5},
    listener: {"IDLE_S": 0.2},
    intake: {"EVERY_S": 0.1},
    evaluator: {"EVERY_S": 0.2, "LOOK_S": 0.1},
    escalator: {"LONGEST_SLEEP_S": 0.2},
    engine: {"WAIT_S": 0.1, "STANDBY_S": 0.1},
    pulse: {"IDLE_S": 0.2, "RECONNECT_S": 0.1},
}  # fmt: skip


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that happens every few seconds happens several times a second."""
    for module, values in _BRISK.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


def lone_node(node_id: int = 1) -> Node:
    """A node without a database, for loops that need none."""
    nobody: Any = None
    return Node(node_id, "one", nobody, Pulse(nobody), {setting.key: setting.default for setting in SETTINGS})


def stored_service(name: str, service_id: int = 1, **values: Any) -> Service:
    """A service as the store would give it."""
    made = Service(
        id=service_id, uuid=uuid4(), name=name, kind="fake", settings={"target": name}, every_ms=100,
        retry_every_ms=100, timeout_ms=1000, max_attempts=1, recover_attempts=1, group_name="", tags=(),
        description="", runbook="", depends_on=(), owner="file", origin="", paused=False,
    )  # fmt: skip
    return replace(made, **values)


def finding(service_id: int, started: datetime, outcome: Outcome = OK, lasted: float = 0.01) -> Finding:
    """A finished check."""
    return Finding(service_id, started, started, started + timedelta(seconds=lasted), 0.0, outcome)
