"""What may be written in ``config.yaml`` beside the settings of kinds: the keys every service has, and so on.

Descriptions here are the ones documentation and forms show. Rules between several keys, such as a time-out
that must fit into its interval, are in `watchfloor.config.checks`.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from watchfloor.config.base import Settings
from watchfloor.config.fields import LABEL, DurationField, InWords, Name, Seconds, Tag, WebAddress
from watchfloor.domain.rules import ALERT_LABELS

Interval = Annotated[float, DurationField("1s", "7d")]
TimeOut = Annotated[float, DurationField("100ms", "10m")]
Attempts = Annotated[int, Field(ge=1, le=100)]
Description = Annotated[str, Field(max_length=2000)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=50)]
_SENTINEL = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+):([1-9][0-9]{0,4})", re.ASCII)


def _sentinel(text: str) -> str:
    match = _SENTINEL.fullmatch(text)
    if match is None or int(match[2]) > 65_535:
        raise ValueError("is not an address with a port")
    return text


def _enough(sentinels: tuple[str, ...]) -> tuple[str, ...]:
    if sentinels and len(set(sentinels)) < 2:
        raise ValueError("one alone proves nothing: when it fails, it may be the one that is down")
    return sentinels


Sentinel = Annotated[str, AfterValidator(_sentinel), InWords('an address with a port such as "192.0.2.1:53"')]
Sentinels = Annotated[tuple[Sentinel, ...], Field(max_length=10), AfterValidator(_enough)]
ServiceNames = Annotated[tuple[str, ...], InWords("a list of names of services in this file")]
ChannelNames = Annotated[tuple[str, ...], InWords("a list of names of channels in this file")]
Patterns = Annotated[tuple[Name, ...], InWords('a list of names or patterns such as "shop-*"')]

EVERY = Seconds(30)
TIMEOUT = Seconds(10)
TIMEOUT_SHARE = 0.8
"""A check that is given no time-out of its own takes at most this share of its interval."""
RETRY_EVERY = Seconds(60)


def _directory(text: str) -> str:
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or not text.isprintable():
        raise PydanticCustomError("directory", "is no directory that jobs may have")
    return str(path)


Directory = Annotated[
    str, AfterValidator(_directory), InWords("an absolute path such as /var/backups; not / itself, no ..")
]


class DefaultKeys(Settings):
    """What services without a value of their own use."""

    every: Interval = Field(EVERY, description="How often each service is checked.")
    timeout: TimeOut = Field(
        TIMEOUT, description="How long a check may take; never more than 80 % of the interval."
    )
    attempts: Attempts = Field(3, description="Failed checks in a row that confirm a fault.")
    recover_attempts: Attempts = Field(1, description="Good checks in a row that confirm a recovery.")
    retry_every: Interval = Field(
        RETRY_EVERY, description="How soon a check that failed is repeated; never later than the interval."
    )


class AnyOfKeys(Settings):
    """A redundancy group: one of these is enough."""

    any_of: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] = Field(
        description="Names of services; it is gone only when all of them are."
    )


Dependencies = Annotated[
    tuple[str | AnyOfKeys, ...],
    InWords("a list of names of services in this file; any_of: [a, b] for a group of which one is enough"),
]


class ServiceKeys(Settings):
    """The keys every service has, whatever its kind."""

    name: Name = Field(description="What people call it; unique.")
    kind: str = Field(description="The kind of check.")
    every: Interval | None = Field(None, description="How often it is checked; 30s.")
    timeout: TimeOut | None = Field(None, description="How long a check may take; 10s or 80 % of every.")
    attempts: Attempts | None = Field(None, description="Failed checks in a row that confirm a fault; 3.")
    recover_attempts: Attempts | None = Field(
        None, description="Good checks in a row that confirm a recovery; 1."
    )
    retry_every: Interval | None = Field(
        None, description="How soon a failed check is repeated until it is confirmed; every, at most 60s."
    )
    group: Name | None = Field(None, description="The heading under which the board shows it.")
    tags: Tags = Field((), description="Words that rules and filters select it by.")
    environment: Name | None = Field(
        None, description="Such as production; that of the node whose file this is."
    )
    runbook: WebAddress | None = Field(None, description="Where to read what to do when it fails.")
    description: Description = Field("", description="What it is, in a sentence.")
    paused: bool = Field(False, description="Not checked until this is removed or an operator resumes it.")
    on_nodes: Tags = Field((), description="Only nodes with all of these tags check it.")
    quorum: Annotated[int, Field(ge=1, le=9)] = Field(
        1,
        description="So many nodes must find it failing before it is; of 2, three nodes check it, of 3, five.",
    )
    depends_on: Dependencies = Field((), description="Services without which this one cannot work.")


class WhenKeys(Settings):
    """Which services, in which states, a rule speaks about. What is left out matches everything."""

    services: Patterns = Field((), description="Names or patterns; one of them matches.")
    groups: Patterns = Field((), description="Groups or patterns of groups; one of them matches.")
    kinds: tuple[str, ...] = Field((), description="Kinds of check; one of them matches.")
    tags: Tags = Field((), description="Tags; the service has all of them.")
    status: Annotated[tuple[Literal["failing", "degraded", "unknown"], ...], Field(min_length=1)] = Field(
        ("failing", "degraded"), description="Confirmed states that raise an alert."
    )


def _own_labels(labels: dict[str, str]) -> dict[str, str]:
    for name in labels:
        if not LABEL.fullmatch(name):
            raise PydanticCustomError("label", "hold a name that is none: letters, digits and _ . - only")
        if name in ALERT_LABELS:
            raise PydanticCustomError(
                "label", "hold a name that every alert has by itself, or a key of its own"
            )
    return labels


class RuleBase(Settings):
    """What every rule has."""

    name: Name = Field(description="What people call it; unique.")
    for_: Annotated[float, DurationField("0s", "7d")] = Field(
        Seconds(0), alias="for", description="How long the condition must last before the alert fires."
    )
    severity: Literal["info", "warning", "critical", "emergency"] | None = Field(
        None, description="Severity of the alert; if left out critical for failing and warning for the rest."
    )
    channels: ChannelNames = Field((), description="Channels that are told, unless a route says otherwise.")
    category: Name | None = Field(
        None, description="What the problem is about, such as capacity; the label category of its alerts."
    )
    runbook: WebAddress | None = Field(
        None,
        description="Where to read what to do; told with its alerts. That of the service or the job if left out.",
    )
    labels: Annotated[dict[str, Name], Field(max_length=20), AfterValidator(_own_labels)] = Field(
        {}, description="What its alerts carry besides their own labels, for routes, silences and filters."
    )
    cooldown: Annotated[float, DurationField("0s", "1d")] = Field(
        Seconds(0),
        description="Least time between two messages that the same problem begins; told later, with their number.",
    )
    enabled: bool = Field(True, description="Whether the rule takes part.")

    @property
    def carried(self) -> dict[str, str]:
        """The labels that its alerts carry besides their own."""
        own = {"category": self.category, "runbook": self.runbook}
        return dict(self.labels) | {name: text for name, text in own.items() if text}


class RuleKeys(RuleBase):
    """A rule on service states: what raises an alert, how severe, who hears of it."""

    kind: Literal[
        "state",
        "metric",
        "rate",
        "absence",
        "logs",
        "jobs",
        "certificate",
        "burn",
        "forecast",
        "anomaly",
        "unknown",
    ] = Field("state", description="What the rule looks at.")
    when: WhenKeys = Field(WhenKeys(), description="Which services, in which states.")


class CoverKeys(Settings):
    """Which services something is about. What is left out matches everything."""

    services: Patterns = Field((), description="Names or patterns; one of them matches.")
    groups: Patterns = Field((), description="Groups or patterns of groups; one of them matches.")
    kinds: tuple[str, ...] = Field((), description="Kinds of check; one of them matches.")
    tags: Tags = Field((), description="Tags; the service has all of them.")


class ObjectiveKeys(Settings):
    """An objective: how much of the time services promise to be up."""

    name: Name = Field(description="What people call it; unique.")
    for_: CoverKeys = Field(CoverKeys(), alias="for", description="Which services promise it.")
    target: Annotated[float, Field(gt=0, lt=100), InWords("a percentage such as 99.9")] = Field(
        description="Of the observed time so much, in percent, is to be good."
    )
    window: Annotated[float, DurationField("1d", "365d")] = Field(
        Seconds(30 * 86_400), description="The stretch of time up to now that it is about."
    )
    planned_counts: bool = Field(False, description="Whether planned downtime counts as bad.")
    unreachable_counts: bool = Field(
        False, description="Whether time in which something it depends on was down counts as bad."
    )


class ChannelKeys(Settings):
    """The keys every channel has, whatever its kind."""

    name: Name = Field(description="What rules call it; unique.")
    kind: str = Field(description="The kind of channel.")
    enabled: bool = Field(True, description="Whether anything is sent.")


class NodeKeys(Settings):
    """The process that reads this file."""

    name: Name | None = Field(None, description="Unique among the nodes of a database; the host name.")
    environment: Annotated[str, Field(max_length=100)] = Field("", description="Such as production.")
    tags: Tags = Field((), description="Words about this node; jobs may ask for them.")
    queues: Annotated[tuple[Name, ...], Field(max_length=50)] = Field(
        (), description="Queues whose jobs it runs; every queue."
    )
    at_once: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Runs of jobs that go on here at once; the setting jobs.max_concurrent_runs."
    )
    run_as: Annotated[tuple[Name, ...], Field(max_length=100)] = Field(
        (), description="Users as whom scripts may run; the node itself must run as root."
    )
    roots: Annotated[tuple[Directory, ...], Field(max_length=100)] = Field(
        (), description="Directories in which jobs may read and write files; nothing outside of them."
    )
    listen: Sentinel | None = Field(
        None,
        description="Where `serve` answers HTTP (/healthz, /readyz, /metrics, /ping), as in 127.0.0.1:8421; nowhere.",
    )
    sentinels: Sentinels = Field(
        (), description="At least two addresses far apart; while none of them answers, this node is cut off."
    )
