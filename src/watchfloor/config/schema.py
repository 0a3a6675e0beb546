"""What may be written in ``config.yaml`` beside the settings of kinds: the keys every service has, and so on.

Descriptions here are the ones documentation and forms show. Rules between several keys, such as a time-out
that must fit into its interval, are in `watchfloor.config.checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from watchfloor.config.base import Settings
from watchfloor.config.fields import DurationField, InWords, Name, Seconds, Tag, WebAddress

Interval = Annotated[float, DurationField("1s", "7d")]
TimeOut = Annotated[float, DurationField("100ms", "10m")]
Attempts = Annotated[int, Field(ge=1, le=100)]
Description = Annotated[str, Field(max_length=2000)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=50)]
ServiceNames = Annotated[tuple[str, ...], InWords("a list of names of services in this file")]
ChannelNames = Annotated[tuple[str, ...], InWords("a list of names of channels in this file")]
Patterns = Annotated[tuple[Name, ...], InWords('a list of names or patterns such as "shop-*"')]

EVERY = Seconds(30)
TIMEOUT = Seconds(10)
TIMEOUT_SHARE = 0.8
"""A check that is given no time-out of its own takes at most this share of its interval."""
RETRY_EVERY = Seconds(60)


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
    runbook: WebAddress | None = Field(None, description="Where to read what to do when it fails.")
    description: Description = Field("", description="What it is, in a sentence.")
    paused: bool = Field(False, description="Not checked until this is removed or an operator resumes it.")
    depends_on: ServiceNames = Field((), description="Services without which this one cannot work.")


class WhenKeys(Settings):
    """Which services, in which states, a rule speaks about. What is left out matches everything."""

    services: Patterns = Field((), description="Names or patterns; one of them matches.")
    groups: Patterns = Field((), description="Groups or patterns of groups; one of them matches.")
    kinds: tuple[str, ...] = Field((), description="Kinds of check; one of them matches.")
    tags: Tags = Field((), description="Tags; the service has all of them.")
    status: Annotated[tuple[Literal["failing", "degraded", "unknown"], ...], Field(min_length=1)] = Field(
        ("failing", "degraded"), description="Confirmed states that raise an alert."
    )


class RuleKeys(Settings):
    """A rule: what raises an alert, how severe, who hears of it."""

    name: Name = Field(description="What people call it; unique.")
    when: WhenKeys = Field(WhenKeys(), description="Which services, in which states.")
    for_: Annotated[float, DurationField("0s", "7d")] = Field(
        Seconds(0), alias="for", description="How long the confirmed state must last before the alert fires."
    )
    severity: Literal["info", "warning", "critical", "emergency"] | None = Field(
        None, description="Severity of the alert; critical for failing and warning for the rest if left out."
    )
    channels: ChannelNames = Field((), description="Channels that are told.")
    enabled: bool = Field(True, description="Whether the rule takes part.")


class ChannelKeys(Settings):
    """The keys every channel has, whatever its kind."""

    name: Name = Field(description="What rules call it; unique.")
    kind: str = Field(description="The kind of channel.")
    enabled: bool = Field(True, description="Whether anything is sent.")


class NodeKeys(Settings):
    """The process that reads this file."""

    name: Name | None = Field(None, description="Unique among the nodes of a database; the host name.")
    environment: Annotated[str, Field(max_length=100)] = Field("", description="Such as production.")
    tags: Tags = Field((), description="Words about this node.")
