"""What decides who is told and what is run, read in one go: routes, inhibitions, silences, rules, chains, reactions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from watchfloor.domain.escalation import Choice
from watchfloor.domain.matchers import match, parse_all
from watchfloor.domain.muting import Inhibition, Silence
from watchfloor.domain.reactions import Reaction, reactions_of
from watchfloor.domain.routes import Route, name_channels, tree
from watchfloor.store.database import Connection, fetch_one
from watchfloor.store.duty import choices
from watchfloor.store.jsonb import dumps


@dataclass(frozen=True, slots=True)
class RulePolicy:
    """What a rule says about telling; retired rules count too: an alert outlives the rule that raised it."""

    name: str
    channels: tuple[str, ...]
    cooldown_s: float


NO_RULE = RulePolicy("", (), 0.0)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything in force at one moment."""

    root: Route
    inhibitions: tuple[Inhibition, ...]
    silences: tuple[Silence, ...]
    rules: Mapping[int, RulePolicy]
    chains: tuple[Choice, ...] = ()
    reactions: tuple[Reaction, ...] = ()

    def rule(self, rule_id: int) -> RulePolicy:
        """What the rule of an alert says."""
        return self.rules.get(rule_id, NO_RULE)

    def unheard(self, channels: Sequence[str]) -> bool:
        """Whether nobody ever hears of a rule with these channels: it has none, and no route and no chain tells any."""
        return not channels and not self.chains and not name_channels(self.root)

    def chain(self, labels: Mapping[str, str]) -> Mapping[str, Any] | None:
        """The chain for an alert as it is stored: the first that matches; None: none does."""
        return next((each.spec for each in self.chains if match(each.matchers, labels)), None)


_QUERY = """
SELECT (SELECT jsonb_build_array(routes, inhibitions) FROM routing)::text AS routing,
    (SELECT oncall -> 'escalations' FROM routing)::text AS chains,
    (SELECT reactions FROM routing)::text AS reactions,
    (SELECT jsonb_agg(jsonb_build_array(id, name, channels, cooldown_ms) ORDER BY id) FROM rules)::text AS rules,
    (SELECT jsonb_agg(jsonb_build_array(id, matchers, starts_at, ends_at, until_resolved, author, comment) ORDER BY id)
        FROM silences WHERE ends_at IS NULL OR ends_at > %(now)s)::text AS silences
"""


async def load(connection: Connection, now: datetime) -> Policy:
    """What is in force at ``now``."""
    row = await fetch_one(connection, _QUERY, {"now": now})
    root, inhibitions = _routing(row.routing)
    return Policy(
        root,
        inhibitions,
        _silences(row.silences or "[]"),
        _rules(row.rules or "[]"),
        choices(row.chains),
        _reactions(row.reactions),
    )


async def apply_routing(
    connection: Connection, routes: Sequence[Mapping[str, Any]], inhibitions: Sequence[Mapping[str, Any]]
) -> None:
    """Make routes and inhibitions those of the config file."""
    await connection.execute(
        "UPDATE routing SET routes = %(routes)s::jsonb, inhibitions = %(inhibitions)s::jsonb",
        {"routes": dumps(list(routes)), "inhibitions": dumps(list(inhibitions))},
    )


@lru_cache(maxsize=4)
def _routing(text: str) -> tuple[Route, tuple[Inhibition, ...]]:
    routes, inhibitions = json.loads(text)
    return tree(routes), tuple(
        Inhibition(each["name"], parse_all(each["source"]), parse_all(each["target"]), tuple(each["equal"]))
        for each in inhibitions
    )


@lru_cache(maxsize=4)
def _reactions(text: str) -> tuple[Reaction, ...]:
    return reactions_of(json.loads(text))


@lru_cache(maxsize=4)
def _rules(text: str) -> Mapping[int, RulePolicy]:
    return {
        id_: RulePolicy(name, tuple(channels), cooldown / 1000)
        for id_, name, channels, cooldown in json.loads(text)
    }


@lru_cache(maxsize=4)
def _silences(text: str) -> tuple[Silence, ...]:
    return tuple(
        Silence(
            id_, parse_all(matchers), datetime.fromisoformat(starts),
            None if ends is None else datetime.fromisoformat(ends), until, author, comment,
        )
        for id_, matchers, starts, ends, until, author, comment in json.loads(text)
    )  # fmt: skip
