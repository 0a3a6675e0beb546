"""The watched databases as plain text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import age, show_table
from watchfloor.cli.services import URGENCY
from watchfloor.console.format import share
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.databases import DatabaseRow
from watchfloor.domain.words import named


def databases(faults: bool) -> Callable[[Desk], Awaitable[tuple[Sequence[DatabaseRow], StatusLine]]]:
    """The question for the watched databases, the most urgent first, and the time they are from."""

    async def question(desk: Desk) -> tuple[Sequence[DatabaseRow], StatusLine]:
        rows = [row for row in await desk.databases() if not faults or row.fault]
        rows.sort(key=lambda row: (URGENCY.index(row.state), not row.over, row.name.casefold()))
        return rows, await desk.status()

    return question


def show_databases(rows: Sequence[DatabaseRow], now: datetime) -> None:
    """Print databases; of the queries that are not as they should be the names."""
    table = [
        (
            row.state,
            row.name,
            row.kind,
            row.environment or "-",
            age(row.checked_at, now),
            "-" if row.latency is None else f"{row.latency * 1000:.1f} ms",
            "-" if row.success_7d is None else share(row.success_7d),
            _connections(row),
            "-" if row.replication_lag is None else f"{row.replication_lag:.1f} s",
            str(len(row.queries)),
            ", ".join(named(row.over)) or "-",
        )
        for row in rows
    ]
    head = (
        "STATE",
        "DATABASE",
        "KIND",
        "ENVIRONMENT",
        "CHECKED",
        "LATENCY",
        "OK 7D",
        "CONNECTIONS",
        "LAG",
        "QUERIES",
    )
    show_table((*head, "NOT OK"), table)


def _connections(row: DatabaseRow) -> str:
    used, most = row.connections_used, row.connections_max
    return "-" if used is None else f"{used:.0f}" + ("" if most is None else f" of {most:.0f}")
