"""The sections of the Health room: the services, the nodes that watch them, the components inside those."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, number, share
from watchfloor.console.line import Line, clean, says
from watchfloor.console.reader import Reader
from watchfloor.console.screens.sections import COMPONENTS, Section, node_mark
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import NodeRow


@dataclass(frozen=True, slots=True)
class ServicesPart:
    """The first section. Its rows are the room's own business."""

    name: str = "Services"
    noun: str = "service"
    columns: Sequence[Column[Any]] = ()
    empty: str = ""

    def key(self, row: Any, /) -> Hashable:
        key: Hashable = row.id
        return key

    def fields(self, row: Any, /) -> Fields:
        return {}

    def is_fault(self, row: Any, /) -> bool:
        return False


SERVICES = ServicesPart()


async def _read_nodes(reader: Reader) -> Sequence[NodeRow]:
    """The nodes, each with its share of the services that live ones watch."""
    rows = await reader.nodes()
    total = sum(row.stats.get("services", 0.0) for row in rows if row.live)
    return [
        replace(row, stats={**row.stats, "share": row.stats.get("services", 0.0) / total})
        if row.live and total
        else row
        for row in rows
    ]


def _stat(name: str, unit: str = "") -> Callable[[NodeRow, Moment, int], Line]:
    def cell(row: NodeRow, moment: Moment, cells: int) -> Line:
        found = row.stats.get(name)
        return says("—", "muted") if found is None else says(f"{number(found)}{unit}")

    return cell


def _lost(row: NodeRow, moment: Moment, cells: int) -> Line:
    """Slots that nobody used, and results that were dropped: 0 on a healthy node."""
    bad = sum(row.stats.get(name, 0.0) for name in ("missed", "overlaps", "dropped"))
    return says(number(bad), "degraded" if bad else "muted")


NODES = Section(
    "Nodes",
    "node",
    (
        Column("STATE", lambda row, *_: node_mark(row).line, 10, order=lambda row: node_mark(row).word),
        Column(
            "NODE", lambda row, *_: says(clean(row.name)), 12, grow=2, limit=28, order=lambda row: row.name
        ),
        Column(
            "SERVICES", _stat("services"), 8, align="right", order=lambda row: row.stats.get("services", 0)
        ),
        Column("SHARE", lambda row, *_: says(share(row.stats.get("share"))), 7, rank=2, align="right"),
        Column("IN FLIGHT", _stat("in_flight"), 9, rank=3, align="right"),
        Column("LAG P50", _stat("lag_p50_ms", " ms"), 9, rank=4, align="right"),
        Column("LAG P99", _stat("lag_p99_ms", " ms"), 9, rank=1, align="right"),
        Column("MISSED", _lost, 6, rank=3, align="right"),
        Column(
            "TAGS", lambda row, *_: says(clean(", ".join(row.tags)), "muted"), 8, grow=1, limit=24, rank=6
        ),
        Column("UP", lambda row, moment, _: says(moment.brief(row.started_at)), 6, rank=4, align="right"),
        Column("BEAT", lambda row, moment, _: says(moment.brief(row.beat_at)), 6, align="right"),
        Column("MACHINE", lambda row, *_: says(clean(row.machine), "muted"), 12, grow=2, limit=24, rank=5),
        Column("ERROR", lambda row, *_: says(clean(row.error), "failing"), 10, grow=3, rank=7),
    ),
    key=lambda row: row.id,
    fields=lambda row: {
        "node": row.name.casefold(),
        "machine": row.machine.casefold(),
        "state": node_mark(row).word,
        "environment": row.environment.casefold(),
        "tag": " ".join(row.tags).casefold(),
    },
    is_fault=lambda row: node_mark(row).role in ("failing", "degraded"),
    read=_read_nodes,
    empty="No engine ever ran on this database. Start one with: watchfloor serve",
)

SECTIONS: tuple[Section, ...] = (NODES, COMPONENTS)
