"""From a configuration to the definitions that the database keeps. Pure; holds no resolved secret."""

from __future__ import annotations

from watchfloor.config.model import ChannelConfig, Configuration, JobConfig, RuleConfig, ServiceConfig
from watchfloor.store.jobs import JobDefinition
from watchfloor.store.rules import ChannelDefinition, RuleDefinition
from watchfloor.store.services import Definition

BUILT_IN = "built-in configuration"


def services(configuration: Configuration) -> list[Definition]:
    """The services of a configuration."""
    return [_service(service, _origin(configuration, service.line)) for service in configuration.services]


def rules(configuration: Configuration) -> list[RuleDefinition]:
    """The rules of a configuration, in its order."""
    return [_rule(rule, _origin(configuration, rule.line)) for rule in configuration.rules]


def channels(configuration: Configuration) -> list[ChannelDefinition]:
    """The channels of a configuration."""
    return [_channel(channel, _origin(configuration, channel.line)) for channel in configuration.channels]


def jobs(configuration: Configuration) -> list[JobDefinition]:
    """The jobs of a configuration."""
    return [_job(job, _origin(configuration, job.line)) for job in configuration.jobs]


def _job(job: JobConfig, origin: str) -> JobDefinition:
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
    )


def _service(service: ServiceConfig, origin: str) -> Definition:
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
        origin=origin,
        paused=service.paused,
    )


def _rule(rule: RuleConfig, origin: str) -> RuleDefinition:
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
        enabled=rule.enabled,
        origin=origin,
    )


def _channel(channel: ChannelConfig, origin: str) -> ChannelDefinition:
    return ChannelDefinition(channel.name, channel.kind, channel.raw, channel.enabled, origin)


def _origin(configuration: Configuration, line: int) -> str:
    return BUILT_IN if configuration.path is None else f"{configuration.path.name}:{line}"
