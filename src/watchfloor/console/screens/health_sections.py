"""The sections of the Health room: the services, the databases among them, the nodes that watch them, and the
components inside those."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, amount, number, share
from watchfloor.console.line import Line, clean, says
from watchfloor.console.reader import Reader
from watchfloor.console.screens.database_section import DATABASES
from watchfloor.console.screens.sections import COMPONENTS, Section, node_mark
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import NodeRow
from watchfloor.domain.node import with_work


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
    """The nodes, each with its share of the services that live ones watch, and with its runs of jobs."""
    rows, workers = await reader.nodes(), {row.node: row for row in await reader.workers()}
    total = sum(row.stats.get("services", 0.0) for row in rows if row.live)
    return [with_work(row, workers.get(row.name), total) for row in rows]


def _stat(name: str, unit: str = "") -> Callable[[NodeRow, Moment, int], Line]:
    return _figure(name, lambda found: f"{number(found)}{unit}")


def _figure(name: str, words: Callable[[float], str]) -> Callable[[NodeRow, Moment, int], Line]:
    def cell(row: NodeRow, moment: Moment, cells: int) -> Line:
        """What a node that is gone said last is no figure of now."""
        found = row.stats.get(name) if row.live else None
        return says("—", "muted") if found is None else says(words(found))

    return cell


def _lost(row: NodeRow, moment: Moment, cells: int) -> Line:
    """Slots that nobody used, and results that were dropped: 0 on a healthy node."""
    bad = sum(row.stats.get(name, 0.0) for name in ("missed", "overlaps", "results_dropped"))
    return says(number(bad), "degraded" if bad else "muted")


def _by(name: str) -> Callable[[NodeRow], float]:
    return lambda row: -row.stats.get(name, 0.0) if row.live else 0.0


NODES = Section(
    "Nodes",
    "node",
    (
        Column("STATE", lambda row, *_: node_mark(row).line, 10, order=lambda row: node_mark(row).word),
        Column(
            "NODE", lambda row, *_: says(clean(row.name)), 10, grow=2, limit=28, order=lambda row: row.name
        ),
        Column("SERVICES", _stat("services"), 8, align="right", order=_by("services")),
        Column("RUNS", _stat("running"), 4, rank=1, align="right", order=_by("running")),
        Column("QUEUED", _stat("queued"), 6, rank=2, align="right", order=_by("queued")),
        Column(
            "CPU",
            _figure("cpu_pct", lambda found: f"{number(round(found, 1))} %"),
            7,
            rank=1,
            align="right",
            order=_by("cpu_pct"),
        ),
        Column(
            "MEMORY",
            _figure("rss_bytes", lambda found: amount(found, "B")),
            8,
            rank=2,
            align="right",
            order=_by("rss_bytes"),
        ),
        Column("LAG P99", _stat("lag_p99_ms", " ms"), 9, rank=1, align="right", order=_by("lag_p99_ms")),
        Column("BEAT", lambda row, moment, _: says(moment.brief(row.beat_at)), 6, align="right"),
        Column("UP", lambda row, moment, _: says(moment.brief(row.started_at)), 6, rank=3, align="right"),
        Column("MISSED", _lost, 6, rank=4, align="right"),
        Column("MACHINE", lambda row, *_: says(clean(row.machine), "muted"), 12, grow=2, limit=24, rank=5),
        Column(
            "TAGS", lambda row, *_: says(clean(", ".join(row.tags)), "muted"), 8, grow=1, limit=24, rank=6
        ),
        Column("VERSION", lambda row, *_: says(clean(row.version), "muted"), 8, rank=6),
        Column("SHARE", lambda row, *_: says(share(row.stats.get("share"))), 7, rank=7, align="right"),
        Column("IN FLIGHT", _stat("in_flight"), 9, rank=8, align="right"),
        Column("ERROR", lambda row, *_: says(clean(row.error), "failing"), 10, grow=3, rank=9),
    ),
    key=lambda row: row.id,
    fields=lambda row: {
        "node": row.name.casefold(),
        "machine": row.machine.casefold(),
        "state": node_mark(row).word,
        "environment": row.environment.casefold(),
        "version": row.version.casefold(),
        "tag": " ".join(row.tags).casefold(),
    },
    is_fault=lambda row: node_mark(row).role in ("failing", "degraded"),
    read=_read_nodes,
    empty="No engine ever ran on this database. Start one with: watchfloor serve",
)

SECTIONS: tuple[Section, ...] = (DATABASES, NODES, COMPONENTS)
