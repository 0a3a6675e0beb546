"""Rules and channels as they are stored: what the config file owns, and the rules that come with the product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchfloor.domain.outcome import Status
from watchfloor.domain.rules import BUILT_IN, OWN_RULES, Rule
from watchfloor.domain.severity import Severity
from watchfloor.store.database import Connection, fetch_all, fetch_value
from watchfloor.store.jsonb import dumps

COLUMNS = "id, name, selector, for_ms, severity, channels, labels"

LAST = 1_000_000  # built-in rules come after those of the file


@dataclass(frozen=True, slots=True)
class RuleDefinition:
    """A rule as a config file defines it; ``selector`` holds the JSON-able selectors.

    One whose ``owner`` is ``system`` comes with the product and tells every channel that is on.
    """

    name: str
    selector: Mapping[str, Sequence[str]]
    for_ms: int
    severity: int | None
    channels: tuple[str, ...]
    enabled: bool
    origin: str
    cooldown_ms: int = 0
    kind: str = "state"
    condition: Mapping[str, object] | None = None
    owner: str = "file"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChannelDefinition:
    """A channel as a config file defines it; ``settings`` holds references, never a resolved secret."""

    name: str
    kind: str
    settings: Mapping[str, object]
    enabled: bool
    origin: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as it is stored."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    enabled: bool


async def apply_rules(
    connection: Connection, definitions: Sequence[RuleDefinition], default_channels: Sequence[str]
) -> None:
    """Make the rules equal to ``definitions``, in that order, and keep the built-in ones.

    ``default_channels`` get what the built-in rules raise, and those of ``definitions`` that the product owns.
    """
    every = [status.word for status in (Status.DEGRADED, Status.FAILING)]
    rows: list[dict[str, object]] = [
        {**{f: getattr(d, f) for f in RuleDefinition.__slots__}, "position": n}
        for n, d in enumerate(definitions)
    ]
    for row in rows:
        if row["owner"] == "system":
            row["channels"] = list(default_channels)
    for name, selector in ((BUILT_IN, {"statuses": every}), *((own, {"statuses": []}) for own in OWN_RULES)):
        rows.append(
            {
                "name": name, "selector": selector, "for_ms": 0, "severity": None, "channels": list(default_channels),
                "enabled": True, "origin": "", "cooldown_ms": 0, "position": LAST, "owner": "system",
                "kind": "state", "condition": None, "labels": {},
            }
        )  # fmt: skip
    await connection.execute(
        "INSERT INTO rules (name, selector, for_ms, severity, channels, enabled, position, owner, origin, "
        "cooldown_ms, kind, condition, labels) SELECT d.name, d.selector, d.for_ms, d.severity, "
        "ARRAY(SELECT jsonb_array_elements_text(d.channels)), d.enabled, d.position, d.owner, d.origin, d.cooldown_ms, "
        "d.kind, d.condition, d.labels "
        "FROM jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, selector jsonb, for_ms bigint, severity smallint, "
        "channels jsonb, enabled boolean, position int, owner text, origin text, cooldown_ms bigint, "
        "kind text, condition jsonb, labels jsonb) "
        "ORDER BY d.name ON CONFLICT (name) DO UPDATE SET selector = EXCLUDED.selector, "
        "cooldown_ms = EXCLUDED.cooldown_ms, for_ms = EXCLUDED.for_ms, severity = EXCLUDED.severity, "
        "channels = EXCLUDED.channels, enabled = EXCLUDED.enabled, position = EXCLUDED.position, "
        "kind = EXCLUDED.kind, condition = EXCLUDED.condition, labels = EXCLUDED.labels, owner = EXCLUDED.owner, "
        "origin = EXCLUDED.origin, retired_at = NULL",
        {"rows": dumps(rows)},
    )
    await connection.execute(
        "UPDATE rules SET retired_at = now() WHERE owner = 'file' AND retired_at IS NULL AND NOT name = ANY(%(names)s)",
        {"names": [row["name"] for row in rows]},
    )


async def load_rules(connection: Connection) -> list[Rule]:
    """The rules on service states that are in force, in the order in which they are asked."""
    rows = await fetch_all(
        connection,
        f"SELECT {COLUMNS} FROM rules "
        "WHERE kind = 'state' AND retired_at IS NULL AND enabled AND NOT name = ANY(%(own)s) ORDER BY position, id",
        {"own": list(OWN_RULES)},
    )
    return [rule(row) for row in rows]


def rule(row: Any) -> Rule:
    """A rule from a row with the columns of `COLUMNS`."""
    return Rule(
        id=row.id,
        name=row.name,
        statuses=frozenset(Status[word.upper()] for word in row.selector.get("statuses", ())),
        services=tuple(row.selector.get("services", ())),
        groups=tuple(row.selector.get("groups", ())),
        kinds=frozenset(row.selector.get("kinds", ())),
        tags=frozenset(row.selector.get("tags", ())),
        for_s=row.for_ms / 1000,
        severity=None if row.severity is None else Severity(row.severity),
        channels=tuple(row.channels),
        labels=row.labels,
    )


async def rule_id(connection: Connection, name: str) -> int:
    """The id of a rule that must exist."""
    found: int = await fetch_value(connection, "SELECT id FROM rules WHERE name = %(name)s", {"name": name})
    return found


async def apply_channels(connection: Connection, definitions: Sequence[ChannelDefinition]) -> None:
    """Make the file-owned channels equal to ``definitions``."""
    rows = [{f: getattr(d, f) for f in ChannelDefinition.__slots__} for d in definitions]
    await connection.execute(
        "INSERT INTO channels (name, kind, settings, enabled, owner, origin) "
        "SELECT d.name, d.kind, d.settings, d.enabled, 'file', d.origin FROM "
        "jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, kind text, settings jsonb, enabled boolean, "
        "origin text) ORDER BY d.name ON CONFLICT (name) DO UPDATE SET kind = EXCLUDED.kind, "
        "settings = EXCLUDED.settings, enabled = EXCLUDED.enabled, owner = 'file', origin = EXCLUDED.origin, "
        "retired_at = NULL",
        {"rows": dumps(rows)},
    )
    await connection.execute(
        "UPDATE channels SET retired_at = now() WHERE owner = 'file' AND retired_at IS NULL "
        "AND NOT name = ANY(%(names)s)",
        {"names": [d.name for d in definitions]},
    )


async def load_channels(connection: Connection) -> dict[str, Channel]:
    """The channels that are in force, by name."""
    rows = await fetch_all(
        connection, "SELECT name, kind, settings, enabled FROM channels WHERE retired_at IS NULL"
    )
    return {row.name: Channel(*row) for row in rows}
