"""Log records: appended in batches, read newest first by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.boards import LogRow
from watchfloor.store.database import Connection, fetch_all, fetch_column
from watchfloor.store.jsonb import dumps


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as it is stored; severity is OpenTelemetry's number, 1 to 24."""

    source_id: int
    ts: datetime
    id: int
    sev: int
    channel: str
    msg: str
    attrs: Mapping[str, object]


async def append(connection: Connection, records: Sequence[LogRecord]) -> None:
    """Append records; those that are there already, because a commit's answer was lost, are left alone."""
    channels = sorted({record.channel for record in records})
    await connection.execute(
        "INSERT INTO log_channels (name) SELECT n FROM unnest(%(names)s::text[]) AS n "
        "WHERE NOT EXISTS (SELECT FROM log_channels WHERE name = n) ON CONFLICT DO NOTHING",
        {"names": channels},
    )
    await connection.execute(
        "INSERT INTO logs (source_id, ts, id, sev, channel_id, msg, attrs) "
        "SELECT v.source, v.ts, v.id, v.sev, c.id, v.msg, v.attrs FROM unnest(%(sources)s::int[], "
        "%(ts)s::timestamptz[], %(ids)s::bigint[], %(sevs)s::smallint[], "
        "%(channels)s::text[], %(msgs)s::text[], %(attrs)s::jsonb[]) "
        "AS v(source, ts, id, sev, channel, msg, attrs) JOIN log_channels c ON c.name = v.channel "
        "ON CONFLICT DO NOTHING",
        {
            "sources": [r.source_id for r in records],
            "ts": [r.ts for r in records],
            "ids": [r.id for r in records],
            "sevs": [r.sev for r in records],
            "channels": [r.channel for r in records],
            "msgs": [r.msg for r in records],
            "attrs": [dumps(r.attrs) if r.attrs else None for r in records],
        },
    )


@dataclass(frozen=True, slots=True)
class LogTerm:
    """One condition: `text` in `field` (empty: in any), its letters in this order (`fuzzy`), or not (`without`).

    `severities` meet the condition as well, because their words do.
    """

    text: str
    field: str = ""
    without: bool = False
    fuzzy: bool = False
    severities: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which records to show: severities from one up to below another, this channel, this text (case does not
    matter), and every term."""

    severity: int = 1
    channel: str = ""
    text: str = ""
    below: int = 25
    terms: tuple[LogTerm, ...] = ()


_NODE = "coalesce(n.name, '#' || l.source_id)"
_COLUMNS = {"channel": ("c.name",), "node": (_NODE,), "text": ("l.msg",), "": ("c.name", _NODE, "l.msg")}


def _condition(term: LogTerm, place: int, values: dict[str, object]) -> str:
    """The condition of a term in SQL; what it compares with goes into `values`."""
    text = term.text.replace("\0", "")  # which no stored text holds
    if term.fuzzy:
        letters = (f"\\{letter}" if letter in "\\%_" else letter for letter in text)
        values[f"term_{place}"] = "%" + "%".join(letters) + "%"
        found = f"lower({{}}) LIKE lower(%(term_{place})s)"
    else:
        values[f"term_{place}"] = text
        found = f"position(lower(%(term_{place})s) IN lower({{}})) > 0"
    parts = [found.format(column) for column in _COLUMNS.get(term.field, ())]
    if term.severities:
        values[f"severities_{place}"] = list(term.severities)
        parts.append(f"l.sev = ANY(%(severities_{place})s)")
    met = f"({' OR '.join(parts or ['false'])})"
    return f"AND NOT {met} " if term.without else f"AND {met} "


async def newest(
    connection: Connection,
    now: datetime,
    wanted: LogFilter,
    before: tuple[datetime, int] | None = None,
    limit: int = 200,
    *,
    after: tuple[datetime, int] | None = None,
) -> list[LogRow]:
    """Records newest first, those next older than the key ``before`` or, with ``after``, next newer than that.

    Looks back 30 days at most.
    """
    ts, id_ = after or before or (now + timedelta(days=1), 0)
    values: dict[str, object] = {
        "since": now - timedelta(days=30),
        "ts": ts,
        "id": id_,
        "sev": wanted.severity,
        "below": wanted.below,
        "channel": wanted.channel,
        "text": wanted.text.replace("\0", ""),
        "limit": limit,
    }
    beyond, order = ("<", "DESC") if after is None else (">", "ASC")
    rows = await fetch_all(
        connection,
        f"SELECT l.id, l.ts, l.sev, c.name, {_NODE} AS node, l.msg, "
        "coalesce(l.attrs, '{}') AS attrs "
        "FROM logs l JOIN log_channels c ON c.id = l.channel_id LEFT JOIN nodes n ON n.id = l.source_id "
        f"WHERE l.ts >= %(since)s AND (l.ts, l.id) {beyond} (%(ts)s, %(id)s) "
        + ("AND l.sev >= %(sev)s " if wanted.severity > 1 else "")
        + ("AND l.sev < %(below)s " if wanted.below <= 24 else "")
        + ("AND c.name = %(channel)s " if wanted.channel else "")
        + ("AND position(lower(%(text)s) IN lower(l.msg)) > 0 " if wanted.text else "")
        + "".join(_condition(term, place, values) for place, term in enumerate(wanted.terms))
        + f"ORDER BY l.ts {order}, l.id {order} LIMIT %(limit)s",
        values,
    )
    found = [LogRow(*row) for row in rows]
    return found if after is None else found[::-1]


async def channels(connection: Connection) -> list[str]:
    """The names of every channel that ever logged."""
    return list(await fetch_column(connection, "SELECT name FROM log_channels ORDER BY name"))
