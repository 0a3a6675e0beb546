"""Makes a report of what the product knows, or of what queries yield: PDF, Excel, CSV or HTML, with charts, written
into a directory that the node allows, mailed, or both.

Sections are about uptime, incidents, alerts or jobs, or come from a statement. PDF and Excel need
`watchfloor[report]`.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from watchfloor.config import base
from watchfloor.config.fields import Name, ZoneName
from watchfloor.domain.zones import zone
from watchfloor.payloads.child import run_child
from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.payloads.file_system import FilePath
from watchfloor.payloads.report_data import Report
from watchfloor.payloads.report_mail import Mail, send
from watchfloor.payloads.rows import Row, query
from watchfloor.payloads.sql_settings import Dsn, Params, Statement, check_params, one_statement
from watchfloor.payloads.sql_work import packed

ERRORS = {
    "report.column": "a section yields no such column",
    "mail.connection": "no connection to the mail server",
    "mail.permission": "the mail server refuses the sign-in",
    "mail.refused": "the mail server refuses the mail or all its receivers",
    "mail.too_large": "the report is too large for a mail",
    "db.*": "a statement failed; see the kind database",
    "io.*": "it cannot be written; see the kind file_system",
}

About = Literal["uptime", "incidents", "alerts", "jobs"]
Period = Literal["last_24_hours", "last_7_days", "last_30_days", "yesterday", "last_week", "last_month"]

_MEDIA = {
    "pdf": ("application", "pdf"),
    "xlsx": ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "csv": ("text", "csv"),
    "html": ("text", "html"),
}
_TITLES = {"uptime": "Uptime", "incidents": "Incidents", "alerts": "Alerts", "jobs": "Jobs"}
_CHARTS = {"uptime": ("Service", "Down (s)"), "jobs": ("Job", "Runs")}
"""Columns of the charts that the product's own sections have."""


class Section(base.Settings):
    """One section of a report."""

    title: Name | None = Field(None, description="Its heading; what it is about.")
    about: About | None = Field(None, description="What of the product's own records it shows.")
    database: Dsn | None = Field(None, description="The database to ask instead.")
    sql: Statement | None = Field(
        None, description="One statement that reads; `:since` and `:until` are the time."
    )
    params: Params = Field({}, description="Values for other parameters.")
    chart: Literal["none", "bar", "line"] = Field("none", description="What is drawn above the table.")
    label_column: Name | None = Field(None, description="The column that names what is drawn; the first.")
    value_column: Name | None = Field(
        None, description="The column with the numbers that are drawn; the second."
    )
    rows: Annotated[int, Field(ge=1, le=20_000)] = Field(200, description="Rows at most.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Section:
        if (self.about is None) == (self.sql is None):
            raise ValueError("a section needs either about or sql")
        if (self.sql is None) != (self.database is None):
            raise ValueError("database and sql belong together")
        if self.about in ("incidents", "alerts") and self.chart != "none" and self.value_column is None:
            raise ValueError(f"a chart of {self.about} needs a value_column")
        if self.sql is not None and self.database is not None:
            sql = one_statement(self.sql, self.database, "sql")
            if taken := {"since", "until"} & self.params.keys():
                raise ValueError(f"params has {min(taken)!r}, which is the time of the report")
            check_params([sql], self.database, self.params, ("since", "until"))
        return self


class Settings(base.Settings):
    """Settings of a report job."""

    title: Name = Field(description="The title.")
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=30)] = Field(
        description="What is in it."
    )
    covers: Period = Field("last_7_days", description="The time that it covers, up to when the run was due.")
    time_zone: ZoneName = Field("UTC", description="The zone of its days and times.")
    format: Literal["pdf", "xlsx", "csv", "html"] = Field(
        "pdf", description="Its form; csv has one section only."
    )
    file: FilePath | None = Field(
        None,
        description="Where it is written, in one of node.roots; `{date}` is its last day. Replaced if there.",
    )
    mail: Mail | None = Field(None, description="To whom it is mailed.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Settings:
        if self.file is None and self.mail is None:
            raise ValueError("needs file or mail, or nobody would see it")
        if self.format == "csv" and len(self.sections) != 1:
            raise ValueError("csv has exactly one section")
        return self


def time_of(covers: str, due: datetime, name: str) -> tuple[datetime, datetime]:
    """From when to when a report goes that is due at a moment."""
    hours = {"last_24_hours": 24, "last_7_days": 24 * 7, "last_30_days": 24 * 30}
    if covers in hours:
        return due - timedelta(hours=hours[covers]), due
    where = zone(name)
    today = due.astimezone(where).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if covers == "yesterday":
        begin, end = _days(today, -1, where), today
    elif covers == "last_week":
        end = _days(today, -today.weekday(), where)
        begin = _days(end, -7, where)
    else:
        end = today.replace(day=1)
        begin = _days(end, -1, where).replace(day=1)
    return begin.astimezone(UTC), end.astimezone(UTC)


def _days(moment: datetime, days: int, where: ZoneInfo) -> datetime:
    """The same clock time so many days later, whatever clocks do in between."""
    return (moment.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=where)


async def run(settings: Settings, attempt: Attempt) -> None:
    """Make it and hand it over. Raises `PayloadError`."""
    attempt.must_hold()
    since, until = time_of(settings.covers, attempt.scheduled_for, settings.time_zone)
    tables = []
    for section in settings.sections:
        table = await _table(section, attempt, since, until)
        await attempt.say(f"{table['title']}: {len(table['rows']):,} rows")
        tables.append(table)
    last_day = (until - timedelta(microseconds=1)).astimezone(zone(settings.time_zone))
    pieces: list[bytes] = []

    async def take(piece: str) -> None:
        pieces.append(base64.b64decode(piece))

    asked = {
        "title": settings.title,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "time_zone": settings.time_zone,
        "format": settings.format,
        "tables": tables,
        "file": settings.file and settings.file.replace("{date}", f"{last_day:%Y-%m-%d}"),
        "mailed": settings.mail is not None,
        "roots": attempt.grants.roots,
        "mark": str(attempt.run_id),
    }
    await run_child("report_work", asked, attempt, take)
    if settings.mail is not None:
        period = Report("", since, until, zone(settings.time_zone), until).period
        words = "".join(each if each.isalnum() else "-" for each in settings.title.lower()).strip("-")
        name = f"{words[:80] or 'report'}-{last_day:%Y-%m-%d}.{settings.format}"
        subject = f"{settings.title}: {period}"
        await send(
            settings.mail,
            subject,
            name,
            _MEDIA[settings.format],
            b"".join(pieces),
            datetime.now(UTC),
            attempt,
        )


async def _table(section: Section, attempt: Attempt, since: datetime, until: datetime) -> dict[str, Any]:
    columns: Sequence[str]
    rows: list[Row]
    if section.about is not None:
        if attempt.read is None:
            raise PayloadError("internal", "there is nothing to read the records with")
        found = await attempt.read(section.about, since, until)
        columns, rows = found.columns, [[packed(value) for value in row] for row in found.rows]
    else:
        columns, rows = await _asked(section, attempt, since, until)
    label, value = _CHARTS.get(section.about or "", (None, None))
    return {
        "title": section.title or _TITLES.get(section.about or "", "Result"),
        "columns": list(columns),
        "rows": rows[: section.rows],
        "cut": len(rows) > section.rows,
        "chart": "" if section.chart == "none" else section.chart,
        "label": _position(columns, section.label_column or label, 0),
        "value": _position(columns, section.value_column or value, 1),
    }


class _Enough(Exception):
    """There are more rows than the section shows."""


async def _asked(
    section: Section, attempt: Attempt, since: datetime, until: datetime
) -> tuple[Sequence[str], list[Row]]:
    assert section.sql is not None
    assert section.database is not None
    columns: Sequence[str] = ()
    rows: list[Row] = []

    async def take(names: Sequence[str], found: Sequence[Row]) -> None:
        nonlocal columns
        columns = list(names)
        rows.extend(found)
        if len(rows) > section.rows:
            raise _Enough

    sql = one_statement(section.sql, section.database, "sql")
    params = {**section.params, "since": packed(since), "until": packed(until)}
    with contextlib.suppress(_Enough):
        await query(section.database, sql, params, attempt, take)
    return columns, rows


def _position(columns: Sequence[str], wanted: str | None, usual: int) -> int:
    if wanted is None:
        return min(usual, max(0, len(columns) - 1))
    if wanted not in columns:
        if not columns:
            return 0  # a query without rows tells no columns, and draws no chart
        raise PayloadError("report.column", f"the section yields no column {wanted!r}")
    return list(columns).index(wanted)
