"""Heartbeats as plain text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import age, show_table
from watchfloor.config.problems import ConfigError
from watchfloor.config.settings import build_settings
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.durations import compact_duration
from watchfloor.domain.heartbeats import down_at, due_at, word
from watchfloor.domain.text import one_line
from watchfloor.probes.heartbeat import Settings
from watchfloor.store.heartbeats import BeatRow, PingRow


async def heartbeats(desk: Desk) -> tuple[Sequence[BeatRow], StatusLine]:
    """The heartbeats and the time they are from."""
    return await desk.heartbeats(), await desk.status()


def show_heartbeats(rows: Sequence[BeatRow], now: datetime) -> None:
    """Print the heartbeats."""
    table = [(*_row(row, now), str(row.pings), age(row.token_made_at, now)) for row in rows]
    show_table(("STATE", "HEARTBEAT", "LAST PING", "DUE", "DOWN", "PINGS", "TOKEN"), table)


def _row(row: BeatRow, now: datetime) -> tuple[str, ...]:
    last = age(row.beat.last_ping, now)
    try:
        plan = build_settings(Settings, row.settings, os.environ, Path.cwd()).plan()
    except ConfigError:  # a reference that only the nodes can resolve
        return row.beat.status.value, row.name, last, "-", _moment(row.down_at)
    state = "paused" if row.paused else word(row.beat, plan, now)
    return state, row.name, last, _moment(due_at(row.beat, plan)), _moment(down_at(row.beat, plan))


def _moment(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def show_pings(rows: Sequence[PingRow]) -> None:
    """Print the pings of one heartbeat, the newest first."""
    table = [
        (
            _moment(row.at),
            row.signal if row.exit_status is None else f"{row.signal} ({row.exit_status})",
            "-" if row.took_s is None else compact_duration(row.took_s),
            row.run_id or "-",
            row.source,
            one_line(row.body.splitlines()[-1] if row.body.strip() else "", 200),
        )
        for row in rows
    ]
    show_table(("AT", "PING", "TOOK", "RUN", "FROM", "LAST LINE"), table)
