"""From what a person wrote to what the database keeps, for files and forms alike. Pure; holds no resolved secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.lanes import lane_of
from watchfloor.domain.rules import Rule
from watchfloor.store.jobs import JobDefinition
from watchfloor.store.rules import RuleDefinition
from watchfloor.store.services import Definition

if TYPE_CHECKING:
    from watchfloor.config.model import JobConfig, RuleConfig, ServiceConfig


def job_definition(job: JobConfig, origin: str) -> JobDefinition:
    """A job as the database keeps it, wherever it was written."""
    return JobDefinition(
        name=job.name,
        kind=job.kind,
        settings=job.raw,
        priority=job.priority,
        overlap=job.overlap,
        slots=job.slots,
        at_most_once=job.at_most_once,
        timeout_ms=round(job.timeout_s * 1000),
        deadline_ms=None if job.deadline_s is None else round(job.deadline_s * 1000),
        retry=job.retry,
        contact=job.contact,
        description=job.description,
        runbook=job.runbook,
        origin=origin,
        paused=job.paused,
        schedules=job.schedules,
        lane=lane_of(job.queue, job.tags),
        chains=job.chains,
        pause_after=job.pause_after,
        belongs_to=job.owner,
        role=job.role,
        written=job.written,
    )


def service_definition(service: ServiceConfig, origin: str, environment: str = "") -> Definition:
    """A service as the database keeps it, wherever it was written; ``environment`` holds where it names none."""
    return Definition(
        name=service.name,
        kind=service.kind,
        settings=service.raw,
        every_ms=round(service.every_s * 1000),
        retry_every_ms=round(service.retry_every_s * 1000),
        timeout_ms=round(service.timeout_s * 1000),
        max_attempts=service.attempts,
        recover_attempts=service.recover_attempts,
        group_name=service.group,
        tags=service.tags,
        description=service.description,
        runbook=service.runbook,
        depends_on=service.depends_on,
        depends_on_any=service.depends_on_any,
        origin=origin,
        paused=service.paused,
        environment=service.environment or environment,
        written=service.written,
        on_nodes=service.on_nodes,
        quorum=service.quorum,
    )


def rule_definition(rule: RuleConfig, origin: str) -> RuleDefinition:
    """A rule as the database keeps it, wherever it was written."""
    return RuleDefinition(
        name=rule.name,
        selector={
            "services": list(rule.services),
            "groups": list(rule.groups),
            "kinds": sorted(rule.kinds),
            "tags": sorted(rule.tags),
            "statuses": sorted(status.word for status in rule.statuses),
        },
        for_ms=round(rule.for_s * 1000),
        severity=None if rule.severity is None else int(rule.severity),
        channels=rule.channels,
        cooldown_ms=round(rule.cooldown_s * 1000),
        enabled=rule.enabled,
        origin=origin,
        kind="state" if rule.condition is None else rule.condition.asks.kind,
        condition=None if rule.condition is None else rule.condition.spec(),
        labels=rule.labels,
        written=rule.written,
    )


def rule_of(rule: RuleConfig) -> Rule | EvaluatedRule:
    """A rule as it is applied, before the database knows it: its id is 0."""
    plain = Rule(
        id=0,
        name=rule.name,
        statuses=rule.statuses,
        services=rule.services,
        groups=rule.groups,
        kinds=rule.kinds,
        tags=rule.tags,
        for_s=rule.for_s,
        severity=rule.severity,
        channels=rule.channels,
        labels=rule.labels,
    )
    return plain if rule.condition is None else EvaluatedRule(plain, rule.condition)
