"""Short ways to make what tests of the store, the operations and the engine begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from watchfloor.domain.alert import raise_alert
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity
from watchfloor.store import alerts, rules
from watchfloor.store.alerts import NewAlert, StoredAlert
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.partitions import ensure_partitions
from watchfloor.store.results import StateRow
from watchfloor.store.rules import RuleDefinition
from watchfloor.store.services import Definition, Service, apply_definitions, load_services

EPOCH = datetime(2031, 3, 1, 12, tzinfo=UTC)
"""A moment with nothing special about it."""


def at(seconds: float) -> datetime:
    """So many seconds after `EPOCH`."""
    return EPOCH + timedelta(seconds=seconds)


_DEFINITION = Definition(
    name="",
    kind="fake",
    settings={},
    every_ms=30_000,
    retry_every_ms=30_000,
    timeout_ms=10_000,
    max_attempts=3,
    recover_attempts=1,
    group_name="",
    tags=(),
    description="",
    runbook="",
    depends_on=(),
    origin="config.yaml:1",
    paused=False,
)


def definition(name: str, **values: Any) -> Definition:
    """A service as a file would define it."""
    return replace(_DEFINITION, name=name, **values)


async def make_services(database: Database, *definitions: Definition | str) -> dict[str, Service]:
    """Exactly these services, by name."""
    made = [definition(each) if isinstance(each, str) else each for each in definitions]
    async with database.transaction() as connection:
        await apply_definitions(connection, made)
        return {service.name: service for service in await load_services(connection)}


def rule(name: str, **values: Any) -> RuleDefinition:
    """A rule as a file would define it."""
    selector = {"statuses": ["failing", "degraded"], **values.pop("selector", {})}
    wanted: dict[str, Any] = {
        "for_ms": 0, "severity": None, "channels": (), "enabled": True, "origin": "config.yaml:9", **values,
    }  # fmt: skip
    return RuleDefinition(name=name, selector=selector, **wanted)


async def make_rules(
    database: Database, *definitions: RuleDefinition, channels: Sequence[str] = ("ops",)
) -> None:
    """Exactly these rules and the built-in ones, which send to ``channels``."""
    async with database.transaction() as connection:
        await rules.apply_rules(connection, definitions, channels)


async def make_days(database: Database, moment: datetime = EPOCH) -> None:
    """Partitions around a moment."""
    async with database.transaction() as connection:
        await ensure_partitions(connection, moment.date())


async def now(database: Database) -> datetime:
    """The database's clock."""
    async with database.transaction() as connection:
        return await clock(connection)


async def make_alerts(
    database: Database, *services: Service, severity: Severity = Severity.CRITICAL, for_s: float = 0.0
) -> list[StoredAlert]:
    """A firing alert (a pending one with ``for_s``) of the built-in rule about each service."""
    async with database.transaction() as connection:
        rule_id = await rules.own_rule_id(connection, rules.BUILT_IN)
        moment = await clock(connection)
        alert, events = raise_alert(severity, moment, for_s)
        new = [
            NewAlert(
                uuid=uuid4(),
                subject=f"service:{service.id}",
                fingerprint=f"service:{service.id}/{rule_id}",
                rule_id=rule_id,
                service_id=service.id,
                incident_id=None,
                title=f"{service.name} is failing",
                summary="no answer",
                labels={"service": service.name},
                fire_at=moment + timedelta(seconds=for_s),
                alert=alert,
                events=events,
            )
            for service in services
        ]
        return await alerts.insert(connection, new)


def state_row(service_id: int, moment: datetime = EPOCH, **values: Any) -> StateRow:
    """The state of an ok service after a check at ``moment``."""
    state = CheckState(Status.OK, Status.OK, since=moment, last_started=moment)
    row = StateRow(service_id, state, moment + timedelta(seconds=1), 1000, "", b"\x01")
    return replace(row, **values)
