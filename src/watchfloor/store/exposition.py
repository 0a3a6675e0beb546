"""What a collector of metrics is told: services, heartbeats, alerts, nodes and messages as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.nodes import LIVE

_SERVICES = """
SELECT s.name, s.kind, s.group_name, s.paused, t.hard, t.latency_us,
    extract(epoch FROM h.last_ping)::float8 AS last_ping
FROM services s JOIN service_state t ON t.service_id = s.id LEFT JOIN heartbeats h ON h.service_id = s.id
WHERE s.retired_at IS NULL ORDER BY s.name
"""


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """One service; ``hard`` is a `watchfloor.domain.outcome.Status` or None, times are in seconds."""

    name: str
    kind: str
    group: str
    paused: bool
    hard: int | None
    latency_s: float | None
    last_ping: float | None


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """One node; ``stats`` as it last told them."""

    name: str
    live: bool
    stats: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything; alerts by severity and state, messages by state."""

    services: list[ServiceFigures]
    nodes: list[NodeFigures]
    alerts: list[tuple[int, str, int]]
    messages: list[tuple[str, int]]


async def figures(connection: Connection) -> Figures:
    """Read everything."""
    services = await fetch_all(connection, _SERVICES)
    nodes = await fetch_all(
        connection,
        f"SELECT n.name, {LIVE} AS live, n.stats FROM nodes n WHERE n.state <> 'stopped' ORDER BY n.name",
    )
    alerts = await fetch_all(
        connection,
        "SELECT severity, state, count(*) FROM alerts WHERE state IN ('pending', 'firing', 'acknowledged') "
        "GROUP BY 1, 2 ORDER BY 1, 2",
    )
    messages = await fetch_all(
        connection,
        "SELECT state, count(*) FROM outbox WHERE state IN ('queued', 'leased', 'dead') GROUP BY 1 ORDER BY 1",
    )
    return Figures(
        [
            ServiceFigures(
                row.name, row.kind, row.group_name, row.paused, row.hard,
                None if row.latency_us is None else row.latency_us / 1e6, row.last_ping,
            )
            for row in services
        ],
        [NodeFigures(row.name, row.live, row.stats) for row in nodes],
        [tuple(row) for row in alerts],
        [tuple(row) for row in messages],
    )  # fmt: skip
