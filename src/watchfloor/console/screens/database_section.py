"""The section of Health with the watched databases: how each stands, and which of its queries is over its limit."""

from __future__ import annotations

from typing import Any

from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment
from watchfloor.console.glyphs import health
from watchfloor.console.line import Line, clean, says
from watchfloor.console.screens.health_columns import (
    LONG_AGO,
    URGENCY,
    age_cell,
    latency_cell,
    state_cell,
)
from watchfloor.console.screens.sections import Section
from watchfloor.console.views.database import connections, queries, replication_lag, success
from watchfloor.console.widgets.table import Column
from watchfloor.domain.databases import DatabaseRow


def _name(row: DatabaseRow, moment: Moment, cells: int) -> Line:
    return says(clean(row.name), "muted" if row.service.paused else "text")


def _fields(row: DatabaseRow) -> Fields:
    return {
        "name": row.name.casefold(),
        "state": health(row.service).word,
        "kind": row.kind.casefold(),
        "environment": row.environment.casefold(),
        "group": row.service.group.casefold(),
        "tag": " ".join(row.service.tags).casefold(),
        "query": " ".join(each.name for each in row.queries).casefold(),
        "address": row.address.casefold(),
        "says": row.summary.casefold(),
    }


def database_order(row: DatabaseRow) -> tuple[Any, ...]:
    """The most urgent first, then those whose queries are not as they should be."""
    return (URGENCY[health(row.service).word], not row.over, row.name.casefold(), row.id)


DATABASES = Section(
    "Databases",
    "database",
    (
        Column(
            "STATE",
            lambda row, moment, cells: state_cell(row.service, moment, cells),
            11,
            order=database_order,
        ),
        Column("DATABASE", _name, 14, grow=5, limit=36, order=lambda row: row.name.casefold()),
        Column("KIND", lambda row, *_: says(clean(row.kind), "muted"), 9, rank=5, order=lambda row: row.kind),
        Column(
            "ENVIRONMENT",
            lambda row, *_: says(clean(row.environment), "muted"),
            11,
            rank=6,
            order=lambda row: row.environment,
        ),
        Column(
            "LATENCY",
            lambda row, moment, cells: latency_cell(row.service, moment, cells),
            8,
            rank=2,
            align="right",
            order=lambda row: row.latency or -1.0,
        ),
        Column(
            "OK 7D",
            lambda row, *_: success(row),
            7,
            align="right",
            order=lambda row: 2.0 if row.success_7d is None else row.success_7d,
        ),
        Column(
            "CONN",
            lambda row, *_: connections(row),
            7,
            rank=1,
            align="right",
            order=lambda row: -(row.connections_used or 0.0) / (row.connections_max or 1.0),
        ),
        Column(
            "LAG",
            lambda row, *_: replication_lag(row),
            6,
            rank=4,
            align="right",
            order=lambda row: -(row.replication_lag or 0.0),
        ),
        Column(
            "QUERIES",
            lambda row, *_: queries(row),
            10,
            grow=4,
            limit=40,
            order=lambda row: (-len(row.over), -len(row.queries)),
        ),
        Column(
            "AGE",
            lambda row, moment, cells: age_cell(row.service, moment, cells),
            4,
            rank=1,
            align="right",
            order=lambda row: row.checked_at or LONG_AGO,
        ),
    ),
    key=lambda row: ("database", row.id),
    fields=_fields,
    is_fault=lambda row: row.fault,
    read=lambda reader: reader.databases(),
    empty="No database is watched yet, as services of the kind postgres do.",
)
