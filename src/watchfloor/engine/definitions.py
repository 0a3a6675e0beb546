"""From a configuration to the definitions that the database keeps. Pure; holds no resolved secret."""

from __future__ import annotations

from collections.abc import Iterator

from watchfloor.config.model import ChannelConfig, Configuration
from watchfloor.domain.default_rules import DEFAULT_RULES, DefaultRule
from watchfloor.domain.durations import format_duration
from watchfloor.domain.questions.jobs import Jobs
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.rate import Rate
from watchfloor.domain.questions.unknown import Unknown
from watchfloor.operations.definitions import job_definition, rule_definition, service_definition
from watchfloor.store.jobs import JobDefinition
from watchfloor.store.maintenance import WindowDefinition
from watchfloor.store.objectives import ObjectiveDefinition
from watchfloor.store.rules import ChannelDefinition, RuleDefinition
from watchfloor.store.services import Definition
from watchfloor.store.watchdog import CHANNEL as WATCHDOG

BUILT_IN = "built-in configuration"


def services(configuration: Configuration) -> Iterator[Definition]:
    """The services of a configuration, one after another: they may be many."""
    environment = configuration.node.environment
    for service in configuration.services:
        yield service_definition(service, origin(configuration, service.line), environment)


def rules(configuration: Configuration) -> list[RuleDefinition]:
    """The rules of a configuration, in its order, and after them those that come with the product.

    A rule of the file takes the place of one that comes with the product and has the same name.
    """
    taken = {rule.name for rule in configuration.rules}
    return [
        *(rule_definition(rule, origin(configuration, rule.line)) for rule in configuration.rules),
        *(
            _default_rule(rule, rule.name in configuration.default_rules)
            for rule in DEFAULT_RULES
            if rule.name not in taken
        ),
    ]


def channels(configuration: Configuration) -> list[ChannelDefinition]:
    """The channels of a configuration, with the one to the dead man's switch outside."""
    found = [_channel(channel, origin(configuration, channel.line)) for channel in configuration.channels]
    if configuration.watchdog is not None:
        file = BUILT_IN if configuration.path is None else configuration.path.name
        found.append(ChannelDefinition(WATCHDOG, "webhook", configuration.watchdog, True, file))
    return found


def jobs(configuration: Configuration) -> list[JobDefinition]:
    """The jobs of a configuration."""
    return [job_definition(job, origin(configuration, job.line)) for job in configuration.jobs]


def objectives(configuration: Configuration) -> list[ObjectiveDefinition]:
    """The objectives of a configuration, in its order."""
    return [
        ObjectiveDefinition(
            name=objective.name,
            target=objective.target,
            window_ms=round(objective.window_s * 1000),
            planned_counts=objective.planned_counts,
            unreachable_counts=objective.unreachable_counts,
            selector={
                "services": list(objective.services),
                "groups": list(objective.groups),
                "kinds": sorted(objective.kinds),
                "tags": sorted(objective.tags),
            },
            origin=origin(configuration, objective.line),
        )
        for objective in configuration.objectives
    ]


def windows(configuration: Configuration) -> list[WindowDefinition]:
    """The maintenance windows of a configuration."""
    return [
        WindowDefinition(
            window.name,
            window.covers,
            window.spec,
            window.opens_with,
            window.note,
            origin(configuration, window.line),
        )
        for window in configuration.maintenance
    ]


def _default_rule(rule: DefaultRule, enabled: bool) -> RuleDefinition:
    return RuleDefinition(
        name=rule.name,
        selector={"kinds": list(rule.kinds)} if rule.kinds else {},
        for_ms=round(rule.condition.threshold.for_s * 1000),
        severity=rule.severity,
        channels=(),
        enabled=enabled,
        origin="",
        kind=rule.condition.asks.kind,
        condition=rule.condition.spec(),
        owner="system",
        written=_as_written(rule),
    )


def _as_written(rule: DefaultRule) -> dict[str, object]:
    """A rule of the product as a file would hold it, to look at and to copy."""
    asks, threshold = rule.condition.asks, rule.condition.threshold
    own: dict[str, object] = {"name": rule.name, "kind": asks.kind}
    if isinstance(asks, Jobs | Unknown):
        if isinstance(asks, Jobs):
            own |= {"failures": round(threshold.fire[0])}
        else:
            own |= {"for": format_duration(threshold.for_s)}
        own |= {"every": format_duration(rule.condition.every_s)}
        return own if rule.severity is None else own | {"severity": rule.severity.word}
    if isinstance(asks, Metric):
        own |= {"metric": asks.metric}
    elif isinstance(asks, Rate):
        own |= {"metric": asks.metric, "window": format_duration(asks.window_s)}
        own |= {"per": asks.per, "counter": asks.counter}
    own |= {"operator": str(threshold.operator), "fire": threshold.fire[0], "critical": threshold.critical[0]}
    own |= {"every": format_duration(rule.condition.every_s), "when": {"kinds": list(rule.kinds)}}
    return own | ({"for": format_duration(threshold.for_s)} if threshold.for_s else {})


def _channel(channel: ChannelConfig, origin: str) -> ChannelDefinition:
    return ChannelDefinition(channel.name, channel.kind, channel.raw, channel.enabled, origin)


def origin(configuration: Configuration, line: int) -> str:
    """Where something is defined, as people are told."""
    return BUILT_IN if configuration.path is None else f"{configuration.path.name}:{line}"
