"""Maintenance windows as plain text, and from what is written on a command line to a window.

What is written goes through the same settings model as the config file, so both are right or wrong together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import show_table
from watchfloor.config.maintenance import MaintenanceKeys
from watchfloor.domain.durations import parse_duration
from watchfloor.domain.planner import Slot
from watchfloor.domain.text import one_line
from watchfloor.domain.windows import WindowRow, in_utc
from watchfloor.operations.actor import Refused


async def windows(desk: Desk) -> Sequence[WindowRow]:
    """The windows."""
    return await desk.windows()


def adding(
    name: str,
    covers: Mapping[str, Sequence[str] | None],
    written: Mapping[str, object],
    opens_with: int | None,
    note: str,
) -> Callable[[Desk], Awaitable[int]]:
    """The request to add a window. Raises `Refused` for what a config file could not hold either."""

    async def request(desk: Desk) -> int:
        now = (await desk.status()).at
        keys = _keys(name, covers, _with_times(written, opens_with, now), opens_with, note)
        return await desk.add_window(keys.name, keys.covers.stored(), keys.spec(), keys.note, opens_with)

    return request


def _with_times(written: Mapping[str, object], opens_with: int | None, now: datetime) -> dict[str, object]:
    """What was written, with the end that a length stands for where a window begins at a moment."""
    given = {key: value for key, value in written.items() if value}
    repeats = opens_with is not None or any(key in given for key in ("weekly", "monthly", "cron"))
    if repeats or "end" in given:
        return given
    lasts = str(given.pop("lasts", ""))
    if not lasts:
        raise Refused("Say how long it is open: --for 2h, or --end.")
    try:
        start = str(given.get("start", "now"))
        begins = now if start == "now" else in_utc(datetime.fromisoformat(start), str(given["time_zone"]))
        ends = begins + timedelta(seconds=parse_duration(lasts))
    except (ValueError, OverflowError) as error:
        raise Refused(f"That is no time: {one_line(str(error), 200)}") from None
    return {**given, "start": begins.isoformat(), "end": ends.isoformat()}


def _keys(
    name: str,
    covers: Mapping[str, Sequence[str] | None],
    given: Mapping[str, object],
    opens_with: int | None,
    note: str,
) -> MaintenanceKeys:
    try:
        return MaintenanceKeys.model_validate(
            {
                "name": name,
                "covers": {key: list(values) for key, values in covers.items() if values},
                "note": note,
                **given,
                **({} if opens_with is None else {"opens_with": f"#{opens_with}"}),
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        words = first["msg"].removeprefix("Value error, ")
        raise Refused(f"{place}: {one_line(words, 200)}" if place else one_line(words, 200)) from None


def show_windows(rows: Sequence[WindowRow]) -> None:
    """Print the windows."""
    table = [
        (f"#{row.id}", row.name, _state(row), row.covers, row.rule, _next(row), row.note) for row in rows
    ]
    show_table(("ID", "NAME", "STATE", "COVERS", "RULE", "NEXT", "NOTE"), table)


def show_slots(rows: Sequence[Slot]) -> None:
    """Print the times of windows: what is open, what comes, what is over."""
    table = [
        (
            f"#{row.window_id}",
            row.name,
            row.state,
            _moment(row.starts),
            _moment(row.ends),
            row.clocks or row.note,
        )
        for row in rows
    ]
    show_table(("ID", "NAME", "STATE", "OPENS", "CLOSES", "NOTE"), table)


def _state(row: WindowRow) -> str:
    if row.open_until is not None:
        muted = f", {row.muted} alerts quiet" if row.muted else ""
        return f"open until {_moment(row.open_until)}{muted}"
    return "waits for a failure" if row.waiting else "closed"


def _next(row: WindowRow) -> str:
    return _moment(row.upcoming[0][0]) if row.upcoming else "-"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
