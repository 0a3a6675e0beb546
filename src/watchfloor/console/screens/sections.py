"""The sections of the Settings room: what each lists and how a row looks."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from watchfloor import __version__
from watchfloor.console.filters import Fields
from watchfloor.console.format import Moment, latency, number
from watchfloor.console.glyphs import LOOP, Mark, mark
from watchfloor.console.line import Line, clean
from watchfloor.console.reader import Reader
from watchfloor.console.screens.dialogs import shown_setting
from watchfloor.console.views.channel import channel_mark
from watchfloor.console.widgets.table import Column
from watchfloor.domain.boards import ComponentRow, ConfigFileRow, NodeRow, SettingRow
from watchfloor.domain.channel_boards import ChannelRow
from watchfloor.domain.component import without


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the Settings room."""

    name: str
    noun: str
    columns: Sequence[Column[Any]]
    key: Callable[[Any], Hashable]
    fields: Callable[[Any], Fields]
    is_fault: Callable[[Any], bool]
    read: Callable[[Reader], Awaitable[Sequence[Any]]]
    empty: str


@dataclass(frozen=True, slots=True)
class FileLine:
    """A config file, or one of its mistakes."""

    node: str
    text: str
    problem: bool
    row: ConfigFileRow


@dataclass(frozen=True, slots=True)
class Named:
    """A name and a value: a theme, a fact about the program."""

    name: str
    value: str
    note: str = ""


LOST = Mark("✘", "lost", "failing")


def node_mark(row: NodeRow) -> Mark:
    """How a node stands; one that said it runs but no longer renews its lease is lost."""
    return (
        LOST if not row.live and row.state in ("starting", "running", "stopping") else mark(LOOP, row.state)
    )


def _plain(name: str, role: str = "text") -> Callable[[Any, Moment, int], Line]:
    return lambda row, moment, cells: ((clean(str(getattr(row, name))), role),)


def _setting_value(row: SettingRow, moment: Moment, cells: int) -> Line:
    changed = row.source != "default"
    return ((clean(shown_setting(row, row.value)), "accent" if changed else "text"),)


def _setting_source(row: SettingRow, moment: Moment, cells: int) -> Line:
    if row.source == "default":
        return (("default", "muted"),)
    return ((clean(row.changed_by) or "database", "accent"), (f" {moment.brief(row.changed_at)}", "muted"))


CONFIGURATION = Section(
    "Configuration",
    "setting",
    (
        Column("SETTING", _plain("key"), 35, order=lambda row: row.key),
        Column("VALUE", _setting_value, 10, grow=1, limit=20, align="right"),
        Column(
            "DEFAULT",
            lambda row, *_: ((clean(shown_setting(row, row.default)), "muted"),),
            9,
            grow=1,
            limit=20,
            rank=2,
            align="right",
        ),
        Column("SET BY", _setting_source, 14, grow=1, limit=20, rank=1, order=lambda row: row.source),
        Column("WHAT IT IS", _plain("description", "muted"), 30, grow=6, rank=5),
    ),
    key=lambda row: row.key,
    fields=lambda row: {
        "key": row.key,
        "category": row.category,
        "source": row.source,
        "text": row.description.casefold(),
    },
    is_fault=lambda row: row.source != "default",
    read=lambda reader: reader.settings(),
    empty="This version has no settings.",
)


def _file_state(row: FileLine, moment: Moment, cells: int) -> Line:
    if row.problem:
        return (("▲ mistake", "degraded"),)
    return (("● in force", "ok"),) if not row.row.problems else (("▲ old in force", "degraded"),)


def _file_text(row: FileLine, moment: Moment, cells: int) -> Line:
    if row.problem:
        return ((clean(row.text), "degraded"),)
    return ((clean(row.text), "text"), (f"  read {moment.when(row.row.loaded_at)}", "muted"))


async def _read_files(reader: Reader) -> Sequence[FileLine]:
    lines = []
    for row in await reader.config_files():
        lines.append(FileLine(row.node, row.path, False, row))
        lines += [FileLine(row.node, problem, True, row) for problem in row.problems]
    return lines


FILES = Section(
    "Files",
    "line",
    (
        Column("STATE", _file_state, 14),
        Column("NODE", _plain("node", "muted"), 10, grow=1, limit=20, rank=2),
        Column("FILE OR MISTAKE", _file_text, 30, grow=8),
    ),
    key=lambda row: (row.node, row.problem, row.text),
    fields=lambda row: {"node": row.node.casefold(), "text": row.text.casefold()},
    is_fault=lambda row: row.problem,
    read=_read_files,
    empty="No engine has read a config file yet.",
)


def _stat(name: str, unit: str = "") -> Callable[[NodeRow, Moment, int], Line]:
    def cell(row: NodeRow, moment: Moment, cells: int) -> Line:
        found = row.stats.get(name)
        return (("—", "muted"),) if found is None else ((f"{number(found)}{unit}", "text"),)

    return cell


NODES = Section(
    "Nodes",
    "node",
    (
        Column("STATE", lambda row, *_: node_mark(row).line, 10, order=lambda row: node_mark(row).word),
        Column("NODE", _plain("name"), 14, grow=2, limit=28, order=lambda row: row.name),
        Column("MACHINE", _plain("machine", "muted"), 12, grow=2, limit=24, rank=3),
        Column("VERSION", _plain("version", "muted"), 8, rank=4),
        Column("SERVICES", _stat("services"), 8, rank=2, align="right"),
        Column("LAG P99", _stat("lag_p99_ms", " ms"), 9, rank=2, align="right"),
        Column(
            "UP", lambda row, moment, _: ((moment.brief(row.started_at), "text"),), 6, rank=1, align="right"
        ),
        Column("BEAT", lambda row, moment, _: ((moment.brief(row.beat_at), "text"),), 6, align="right"),
        Column("ERROR", _plain("error", "failing"), 10, grow=3, rank=5),
    ),
    key=lambda row: row.id,
    fields=lambda row: {
        "name": row.name.casefold(),
        "machine": row.machine.casefold(),
        "state": node_mark(row).word,
    },
    is_fault=lambda row: node_mark(row).role in ("failing", "degraded"),
    read=lambda reader: reader.nodes(),
    empty="No engine ever ran on this database. Start one with: watchfloor serve",
)


def _without(row: ComponentRow, moment: Moment, cells: int) -> Line:
    """What does not work while it does not run: plain to see where that is so."""
    return ((clean(without(row.component)), "text" if row.state == "running" else "degraded"),)


COMPONENTS = Section(
    "Components",
    "component",
    (
        Column("STATE", lambda row, *_: mark(LOOP, row.state).line, 12, order=lambda row: row.state),
        Column("COMPONENT", _plain("component"), 16, grow=1, limit=24, order=lambda row: row.component),
        Column("NODE", _plain("node", "muted"), 10, grow=1, limit=24, rank=1, order=lambda row: row.node),
        Column(
            "SINCE", lambda row, moment, _: ((moment.brief(row.since), "text"),), 6, rank=1, align="right"
        ),
        Column("BEAT", lambda row, moment, _: ((moment.brief(row.beat_at), "text"),), 6, align="right"),
        Column("RESTARTS", _plain("restarts"), 8, rank=2, align="right", order=lambda row: row.restarts),
        Column("WITHOUT IT", _without, 24, grow=6),
        Column("LAST ERROR", _plain("last_error", "failing"), 10, grow=4, rank=3),
    ),
    key=lambda row: (row.node_id, row.component),
    fields=lambda row: {
        "component": row.component,
        "node": row.node.casefold(),
        "state": row.state,
        "without": without(row.component).casefold(),
    },
    is_fault=lambda row: row.state != "running",
    read=lambda reader: reader.components(),
    empty="No engine ever ran on this database.",
)


def _counted(name: str, role: str = "text") -> Callable[[ChannelRow, Moment, int], Line]:
    def cell(row: ChannelRow, moment: Moment, cells: int) -> Line:
        found = getattr(row, name)
        return ((str(found), role),) if found else (("·", "muted"),)

    return cell


CHANNELS = Section(
    "Channels",
    "channel",
    (
        Column("STATE", lambda row, *_: channel_mark(row).line, 10, order=lambda row: channel_mark(row).word),
        Column("CHANNEL", _plain("name"), 14, grow=2, limit=28, order=lambda row: row.name),
        Column("KIND", _plain("kind", "muted"), 8, grow=1, limit=12, rank=2, order=lambda row: row.kind),
        Column("SENT", _counted("delivered"), 6, align="right", order=lambda row: -row.delivered),
        Column("WAITS", _counted("waiting", "degraded"), 5, rank=1, align="right"),
        Column("DEAD", _counted("dead", "failing"), 4, align="right", order=lambda row: -row.dead),
        Column(
            "HALF IN",
            lambda row, *_: ((latency(row.p50), "text"),),
            8,
            rank=3,
            align="right",
            order=lambda r: r.p50 or 0.0,
        ),
        Column("95 % IN", lambda row, *_: ((latency(row.p95), "text"),), 8, rank=4, align="right"),
        Column(
            "LATEST",
            lambda row, moment, _: ((moment.brief(row.last_delivered_at), "text"),),
            6,
            rank=1,
            align="right",
        ),
        Column("LAST ERROR", _plain("last_error", "failing"), 10, grow=5, rank=5),
    ),
    key=lambda row: row.name,
    fields=lambda row: {
        "name": row.name.casefold(),
        "kind": row.kind,
        "state": channel_mark(row).word,
        "text": row.last_error.casefold(),
    },
    is_fault=lambda row: channel_mark(row).role in ("failing", "degraded") or row.dead > 0,
    read=lambda reader: reader.channels(),
    empty="No channel yet: nobody outside is told. docs/channels.md has every kind.",
)

_NAMES = (
    Column("NAME", _plain("name"), 12, grow=1, limit=20),
    Column("VALUE", _plain("value"), 20, grow=3, limit=50),
    Column("NOTE", _plain("note", "muted"), 12, grow=3, rank=1),
)


def named_section(name: str, noun: str, rows: Callable[[], Sequence[Named]]) -> Section:
    """A section of names and values that are known without reading."""

    async def read(reader: Reader) -> Sequence[Named]:
        return rows()

    return Section(
        name,
        noun,
        _NAMES,
        key=lambda row: row.name,
        fields=lambda row: {"name": row.name.casefold(), "value": row.value.casefold()},
        is_fault=lambda row: False,
        read=read,
        empty="Nothing here.",
    )


def about(database: str, theme_directories: Sequence[str]) -> Sequence[Named]:
    """Facts about this program."""
    return [
        Named("Watchfloor", __version__, "the operations room of a small team, in one terminal"),
        Named("Database", database or "not known yet"),
        Named("Python", platform.python_version(), platform.platform(terse=True)),
        Named("Textual", version("textual")),
        Named(
            "Your themes",
            theme_directories[-1] if theme_directories else "",
            "*.yaml, as in themes/ of the program",
        ),
        Named("Licence", "MIT"),
    ]
