"""Reactions: jobs that are run because an alert fires or is over.

A reaction follows what people are told: an alert that is kept quiet, for whatever reason, starts nothing, and starts it
when the reason goes and the alert still fires. An alert about a job that some reaction runs starts nothing at all, so
that no failure feeds itself. This module must never decide whether a run may begin (`watchfloor.operations.reacting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from watchfloor.domain.alert import Alert, AlertState, EventKind
from watchfloor.domain.matchers import Matchers, match, parse_all
from watchfloor.domain.telling import OVER, News

BEGINS = frozenset({EventKind.FIRED, EventKind.REOPENED, EventKind.SUPPRESSION_CHANGED})
"""What an alert begins to be told of with; a reminder or another severity is nothing new to act upon."""

FIRING, RESOLVED = "firing", "resolved"


@dataclass(frozen=True, slots=True)
class Reaction:
    """One reaction as the config file has it; at most ``at_most`` runs come of it in ``per_s`` seconds.

    ``again``: an alert that comes back starts it again; else it runs once for each alert.
    """

    name: str
    matchers: Matchers
    on: str
    job: str
    parameters: Mapping[str, Any]
    at_most: int
    per_s: float
    again: bool


def reactions_of(specs: Iterable[Mapping[str, Any]]) -> tuple[Reaction, ...]:
    """Reactions from what is stored of them."""
    return tuple(
        Reaction(
            each["name"], parse_all(each["match"]), each["on"], each["job"], each["parameters"], each["at_most"],
            each["per_s"], each["again"],
        )
        for each in specs
    )  # fmt: skip


def wanted(
    reactions: Iterable[Reaction], item: News, alert: Alert, labels: Mapping[str, str]
) -> list[Reaction]:
    """The reactions that what is new of an alert asks for; ``labels`` are those that matchers can ask for."""
    known = tuple(reactions)
    if alert.suppressed or labels.get("job") in {each.job for each in known}:
        return []
    if item.type == OVER:
        on = RESOLVED
    elif item.event.kind in BEGINS and alert.state is AlertState.FIRING:
        on = FIRING
    else:
        return []
    return [each for each in known if each.on == on and match(each.matchers, labels)]


def occasion(reaction: Reaction, alert_id: int, alert: Alert) -> str:
    """The name of the occasion for a run: a second run for it is never made."""
    again = f":{alert.reopen_count}" if reaction.again else ""
    return f"a:{alert_id}:{reaction.on}:{reaction.name}{again}"
