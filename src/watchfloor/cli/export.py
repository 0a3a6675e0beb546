"""The command that exports: what is asked for in words, and where it goes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from watchfloor.cli.desk import Desk
from watchfloor.cli.exporting import write, write_file
from watchfloor.domain.durations import parse_duration
from watchfloor.domain.export import GRAINS, KINDS, Wanted
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count
from watchfloor.operations.actor import Refused
from watchfloor.store.export import services


def stretch(last: str, since: str, until: str, now: datetime) -> tuple[datetime, datetime]:
    """The stretch of time that is asked for: the last so long, or from a moment to another. Raises `Refused`.

    >>> at = datetime(2031, 3, 1, 12, tzinfo=UTC)
    >>> [moment.isoformat()[:16] for moment in stretch("2h", "", "", at)]
    ['2031-03-01T10:00', '2031-03-01T12:00']
    """
    end = _moment("--until", until) if until else now
    if since:
        start = _moment("--since", since)
    else:
        try:
            start = end - timedelta(seconds=parse_duration(last))
        except (ValueError, OverflowError) as error:
            raise Refused(f"--last: {error}") from None
    if start >= end:
        raise Refused(f"the stretch of time ends before it begins: {start.isoformat()} to {end.isoformat()}")
    return start, end


def _nobody(service: str, group: str) -> str:
    """Why nothing was exported: nothing has these names."""
    asked = [
        f"{what} {one_line(name, 40)}" for what, name in (("service", service), ("group", group)) if name
    ]
    return f"there is no {' of '.join(asked)}; * stands for any letters, as in shop*"


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.astimezone()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{option}: {one_line(text, 40)} is no moment such as 2031-03-01T12:00") from None


def request(
    kind: str,
    format_: str,
    span: tuple[str, str, str],
    selection: tuple[str, str],
    grain: str,
    output: Path | None,
) -> Callable[[Desk], Awaitable[str]]:
    """The request to export; gives the sentence about what was done. ``span``: last, since, until.

    Raises `Refused`.
    """
    for word, allowed, what in ((kind, KINDS, "export of"), (grain, GRAINS, "grain")):
        if word not in allowed:
            raise Refused(f"there is no {what} {one_line(word, 40)}; allowed: {', '.join(allowed)}")
    if output is None and format_ == "parquet" and sys.stdout.isatty():
        raise Refused("Parquet is nothing for a terminal: name a file with --output")

    async def export(desk: Desk) -> str:
        start, end = stretch(*span, await desk.now())
        wanted = Wanted(kind, start, end, *selection, grain)
        database = await desk.database()
        if any(selection) and not await services(database, wanted):
            raise Refused(_nobody(*selection))
        if output is None:
            rows = await write(database, wanted, format_, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return f"exported {count(rows, 'row')}"
        rows = await write_file(database, wanted, format_, output)
        return f"exported {count(rows, 'row')} to {output}"

    return export
