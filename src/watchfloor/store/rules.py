"""Rules and channels as they are stored: those of the config file, of the console, and of the product itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from watchfloor.domain.outcome import Status
from watchfloor.domain.rules import BUILT_IN, OWN_RULES, Rule
from watchfloor.domain.severity import Severity
from watchfloor.store.database import Connection, fetch_all, fetch_value
from watchfloor.store.jsonb import dumps

COLUMNS = "id, name, selector, for_ms, severity, channels, labels"

CONSOLE = 500_000  # rules of the console come after those of the file, the oldest first
LAST = 1_000_000  # built-in rules come last


@dataclass(frozen=True, slots=True)
class RuleDefinition:
    """A rule as a config file or a person defines it; ``selector`` holds the JSON-able selectors.

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
    written: Mapping[str, object] = field(default_factory=dict)


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


_UPSERT = """
INSERT INTO rules AS r (name, selector, for_ms, severity, channels, enabled, enabled_by_file, position, owner, origin,
    cooldown_ms, kind, condition, labels, written, changed_by)
SELECT d.name, d.selector, d.for_ms, d.severity, ARRAY(SELECT jsonb_array_elements_text(d.channels)), d.enabled,
    d.enabled, d.position, d.owner, d.origin, d.cooldown_ms, d.kind, d.condition, d.labels, d.written, %(by)s::text
FROM jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, selector jsonb, for_ms bigint, severity smallint,
    channels jsonb, enabled boolean, position int, owner text, origin text, cooldown_ms bigint, kind text,
    condition jsonb, labels jsonb, written jsonb)
ORDER BY d.name
ON CONFLICT (name) DO UPDATE SET
    selector = EXCLUDED.selector, cooldown_ms = EXCLUDED.cooldown_ms, for_ms = EXCLUDED.for_ms,
    severity = EXCLUDED.severity, channels = EXCLUDED.channels, position = EXCLUDED.position, kind = EXCLUDED.kind,
    condition = EXCLUDED.condition, labels = EXCLUDED.labels, owner = EXCLUDED.owner, origin = EXCLUDED.origin,
    written = EXCLUDED.written, changed_by = EXCLUDED.changed_by, changed_at = clock_timestamp(),
    enabled = CASE WHEN r.retired_at IS NULL AND r.enabled_by_file = EXCLUDED.enabled_by_file
        THEN r.enabled ELSE EXCLUDED.enabled END,
    enabled_by_file = EXCLUDED.enabled_by_file, retired_at = NULL, version = r.version + 1
WHERE (r.selector, r.cooldown_ms, r.for_ms, r.severity, r.channels, r.position, r.kind, r.condition, r.labels,
       r.owner, r.origin, r.written, r.enabled_by_file, r.retired_at)
   IS DISTINCT FROM
      (EXCLUDED.selector, EXCLUDED.cooldown_ms, EXCLUDED.for_ms, EXCLUDED.severity, EXCLUDED.channels,
       EXCLUDED.position, EXCLUDED.kind, EXCLUDED.condition, EXCLUDED.labels, EXCLUDED.owner, EXCLUDED.origin,
       EXCLUDED.written, EXCLUDED.enabled_by_file, NULL)
"""


async def apply_rules(
    connection: Connection, definitions: Sequence[RuleDefinition], default_channels: Sequence[str]
) -> None:
    """Make the rules of the file equal to ``definitions``, in that order; the built-in ones and the console's stay.

    ``default_channels`` get what the built-in rules raise, and those of ``definitions`` that the product owns. A rule
    that an operator switched on or off stays so through a reload that leaves ``enabled`` as it was.
    """
    every = [status.word for status in (Status.DEGRADED, Status.FAILING)]
    caught: Mapping[str, object] = {"name": BUILT_IN, "when": {"status": sorted(every, reverse=True)}}
    built_in = [
        RuleDefinition(BUILT_IN, {"statuses": every}, 0, None, (), True, "", owner="system", written=caught),
        *(RuleDefinition(own, {"statuses": []}, 0, None, (), True, "", owner="system") for own in OWN_RULES),
    ]
    rows = [
        *(_row(each, n, default_channels) for n, each in enumerate(definitions)),
        *(_row(each, LAST, default_channels) for each in built_in),
    ]
    await connection.execute(_UPSERT, {"rows": dumps(rows), "by": ""})
    await connection.execute(
        "UPDATE rules SET retired_at = now(), version = version + 1 "
        "WHERE owner = 'file' AND retired_at IS NULL AND NOT name = ANY(%(names)s)",
        {"names": [row["name"] for row in rows]},
    )


def _row(
    definition: RuleDefinition, position: int, default_channels: Sequence[str] = ()
) -> dict[str, object]:
    row = {name: getattr(definition, name) for name in RuleDefinition.__slots__}
    if definition.owner == "system":
        row["channels"] = list(default_channels)
    return {**row, "position": position}


async def put_rule(connection: Connection, definition: RuleDefinition, by: str) -> None:
    """Add a rule that the console owns, or make it what ``definition`` says; it is asked after those of the file."""
    rows = [_row(replace(definition, owner="console"), CONSOLE)]
    await connection.execute(_UPSERT, {"rows": dumps(rows), "by": by})


async def retire_rule(connection: Connection, rule_id: int, by: str) -> None:
    """Ask a rule no more; its alerts and statistics stay."""
    await connection.execute(
        "UPDATE rules SET retired_at = now(), changed_at = clock_timestamp(), changed_by = %(by)s, "
        "version = version + 1 WHERE id = %(id)s",
        {"id": rule_id, "by": by},
    )


async def set_enabled(connection: Connection, rule_id: int, enabled: bool, by: str) -> None:
    """Switch a rule on or off; where the console owns it, that is how it is written from now on."""
    await connection.execute(
        "UPDATE rules SET enabled = %(enabled)s, changed_by = %(by)s, changed_at = clock_timestamp(), "
        "version = version + 1, "
        "enabled_by_file = CASE WHEN owner = 'console' THEN %(enabled)s ELSE enabled_by_file END, "
        "written = CASE WHEN owner <> 'console' THEN written WHEN %(enabled)s THEN written - 'enabled' "
        "ELSE written || '{\"enabled\": false}' END WHERE id = %(id)s",
        {"id": rule_id, "enabled": enabled, "by": by},
    )


async def is_enabled(connection: Connection, rule_id: int) -> bool:
    """Whether a rule takes part."""
    found: bool = await fetch_value(
        connection, "SELECT enabled FROM rules WHERE id = %(id)s", {"id": rule_id}
    )
    return found


@dataclass(frozen=True, slots=True)
class Known:
    """The names that a rule may refer to."""

    channels: frozenset[str]
    services: frozenset[str]
    jobs: frozenset[str]
    objectives: frozenset[str]


async def names_known(connection: Connection) -> Known:
    """What a rule may name now."""
    found: dict[str, set[str]] = {name: set() for name in Known.__slots__}
    every = " UNION ALL ".join(
        f"SELECT '{table}' AS what, name FROM {table} WHERE retired_at IS NULL" for table in Known.__slots__
    )
    for row in await fetch_all(connection, every):
        found[row.what].add(row.name)
    return Known(**{name: frozenset(names) for name, names in found.items()})


async def open_by_state(connection: Connection, rule_id: int) -> dict[int, Any]:
    """What a rule on states has open: the summary and the incident of its alert, by service."""
    rows = await fetch_all(
        connection,
        "SELECT a.service_id, t.summary, a.incident_id FROM alerts a "
        "JOIN service_state t ON t.service_id = a.service_id WHERE a.rule_id = %(id)s AND a.state <> 'resolved' "
        "AND a.subject = 'service:' || a.service_id ORDER BY a.id",
        {"id": rule_id},
    )
    return {row.service_id: row for row in rows}


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


async def own_rule_id(connection: Connection, name: str) -> int:
    """The id of one of `OWN_RULES`, which is made if no configuration was in force yet: it tells no channel so far."""
    wanted = "SELECT id FROM rules WHERE name = %(name)s"
    found: int | None = await fetch_value(connection, wanted, {"name": name})
    if found is not None:
        return found
    await connection.execute(
        "INSERT INTO rules (name, selector, for_ms, channels, enabled, enabled_by_file, position, owner, origin) "
        "VALUES (%(name)s, '{\"statuses\": []}', 0, '{}', true, true, %(last)s, 'system', '') "
        "ON CONFLICT (name) DO NOTHING",
        {"name": name, "last": LAST},
    )
    made: int = await fetch_value(connection, wanted, {"name": name})  # perhaps by somebody else
    return made


async def apply_channels(connection: Connection, definitions: Sequence[ChannelDefinition]) -> None:
    """Make the file-owned channels equal to ``definitions``; one that an operator switched stays as a rule does."""
    rows = [{f: getattr(d, f) for f in ChannelDefinition.__slots__} for d in definitions]
    await connection.execute(
        "INSERT INTO channels AS c (name, kind, settings, enabled, enabled_by_file, owner, origin) "
        "SELECT d.name, d.kind, d.settings, d.enabled, d.enabled, 'file', d.origin FROM "
        "jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, kind text, settings jsonb, enabled boolean, "
        "origin text) ORDER BY d.name ON CONFLICT (name) DO UPDATE SET kind = EXCLUDED.kind, "
        "settings = EXCLUDED.settings, owner = 'file', origin = EXCLUDED.origin, retired_at = NULL, "
        "enabled = CASE WHEN c.retired_at IS NULL AND c.enabled_by_file = EXCLUDED.enabled_by_file "
        "THEN c.enabled ELSE EXCLUDED.enabled END, enabled_by_file = EXCLUDED.enabled_by_file, "
        "on_since = CASE WHEN c.enabled OR NOT EXCLUDED.enabled OR c.retired_at IS NULL "
        "AND c.enabled_by_file = EXCLUDED.enabled_by_file THEN c.on_since ELSE clock_timestamp() END",
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
