"""Gives a report its form, in a child, and writes it into an allowed directory or hands it back to be mailed."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from watchfloor.domain.zones import zone
from watchfloor.payloads.child_side import Out
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.file_copy import Desk
from watchfloor.payloads.file_place import Roots
from watchfloor.payloads.report_data import Report, Table
from watchfloor.payloads.report_text import as_csv, as_html
from watchfloor.payloads.sql_work import unpacked

PIECE = 45_000


def work(asked: dict[str, Any], out: Out) -> None:
    """Do it. Raises `PayloadError`."""
    tables = [
        Table(
            each["title"],
            each["columns"],
            [[unpacked(value) for value in row] for row in each["rows"]],
            each["chart"],
            each["label"],
            each["value"],
            each["cut"],
        )
        for each in asked["tables"]
    ]
    report = Report(
        title=asked["title"],
        since=datetime.fromisoformat(asked["since"]),
        until=datetime.fromisoformat(asked["until"]),
        zone=zone(asked["time_zone"]),
        made_at=datetime.now(UTC),
        tables=tables,
    )
    out.check()
    data = maker_of(asked["format"])(report)
    out.check()
    out.say(f"the report has {len(data):,} bytes")
    if asked["file"]:
        os.umask(0o022)
        spot = Roots(asked["roots"]).spot(asked["file"])
        desk = Desk(out, asked["mark"], dry=False)
        with (
            spot.parent(create=True) as directory,
            desk.writing(directory, spot.name, spot.shown, replace=True) as file,
        ):
            file.write(data)
            os.fchmod(file.fileno(), 0o640)
        out.say(f"written to {spot.shown}")
    if asked["mailed"]:
        for start in range(0, len(data), PIECE):
            out.give(base64.b64encode(data[start : start + PIECE]).decode())


def maker_of(form: str) -> Callable[[Report], bytes]:
    """What makes a form. Raises `PayloadError` where a library is missing."""
    try:
        if form == "pdf":
            from watchfloor.payloads.report_pdf import as_pdf

            return as_pdf
        if form == "xlsx":
            from watchfloor.payloads.report_sheet import as_workbook

            return as_workbook
    except ImportError as error:
        raise PayloadError(
            "config.driver", f"{form} reports need {error.name}; install watchfloor[report]"
        ) from None
    return as_csv if form == "csv" else as_html
