"""Incidents as plain text, and the post-mortem of one as a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import age, show_table
from watchfloor.domain.boards import IncidentRow, StatusLine
from watchfloor.domain.durations import compact_duration
from watchfloor.domain.post_mortem import IncidentReport, markdown
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Refused


def incidents(only_open: bool) -> Callable[[Desk], Awaitable[tuple[Sequence[IncidentRow], StatusLine]]]:
    """The request for the list and the time it is from."""

    async def request(desk: Desk) -> tuple[Sequence[IncidentRow], StatusLine]:
        return await desk.incidents(only_open=only_open), await desk.status()

    return request


def one(incident_id: int) -> Callable[[Desk], Awaitable[tuple[IncidentReport, StatusLine]]]:
    """The request for one incident. Raises `Refused` where there is none."""

    async def request(desk: Desk) -> tuple[IncidentReport, StatusLine]:
        report = await desk.incident(incident_id)
        if report is None:
            raise Refused(f"There is no incident #{incident_id}.")
        return report, await desk.status()

    return request


def show_incidents(rows: Sequence[IncidentRow], now: datetime) -> None:
    """Print the incidents."""
    table = [
        (
            f"#{row.id}",
            "open" if row.closed_at is None else "closed",
            row.worst.word,
            row.service,
            f"{age(row.opened_at, now)} ago",
            compact_duration(((row.closed_at or now) - row.opened_at).total_seconds()),
            one_line(row.cause),
        )
        for row in rows
    ]
    show_table(("ID", "STATE", "WORST", "SERVICE", "OPENED", "LASTED", "CAUSE"), table)


def write(report: IncidentReport, now: datetime, path: Path | None) -> None:
    """Write the post-mortem to a new file, or to standard output. Raises `Refused` where the file is there."""
    text = markdown(report, now)
    if path is None:
        print(text, end="")
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(f"{path} is there already; name another file.") from None
