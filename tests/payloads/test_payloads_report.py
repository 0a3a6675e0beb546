"""REPORT jobs: of the product's own records and of queries, in every form, written and mailed, with nothing hostile."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pydantic import ValidationError

from payloads.conftest import Stage
from payloads.payload_services import POSTGRES, needed
from support.mailboxes import mailbox
from watchfloor.domain.zones import zone
from watchfloor.payloads import report_pdf
from watchfloor.payloads.contract import Grants, PayloadError, Records
from watchfloor.payloads.report import Settings, run, time_of
from watchfloor.payloads.report_data import Report, Table
from watchfloor.payloads.report_work import maker_of

START = datetime(2026, 3, 1, tzinfo=UTC)
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
HOSTILE = "<script>alert(1)</script> & \x1b[31m \x00 \u202e ü 東京 💥 " + "x" * 50_000


def report(*tables: Table) -> Report:
    return Report("Title <b>&", START, START + timedelta(days=7), zone("Europe/Berlin"), START, tables)


def table(**more: Any) -> Table:
    values: dict[str, Any] = {
        "title": "Jobs", "columns": ("Job", "Runs", "Median (s)", "Uptime %", "Last"),
        "rows": [("backup", 1200, 61.25, 99.5, START), (HOSTILE, 3, None, Decimal("1.5"), date(2026, 3, 1))],
        "chart": "bar", "value": 1, **more,
    }  # fmt: skip
    return Table(**values)


def text_of(pdf: bytes, tmp_path: Path) -> str:
    path = tmp_path / "x.pdf"
    path.write_bytes(pdf)
    try:
        return subprocess.run(
            ["pdftotext", "-layout", path, "-"], capture_output=True, check=True
        ).stdout.decode()
    except FileNotFoundError:
        pytest.skip("there is no pdftotext (poppler-utils)")


def test_a_pdf_holds_what_it_should_and_takes_anything(tmp_path: Path) -> None:
    pdf = maker_of("pdf")(report(table(), table(chart="line"), table(title="Empty", rows=[], chart="bar")))
    assert pdf.startswith(b"%PDF-")
    text = text_of(pdf, tmp_path)
    for wanted in (
        "Title <b>&",
        "backup",
        "1,200",
        "1m1s",
        "99.5 %",
        "2026-03-01 01:00",
        "Nothing in this time",
    ):
        assert wanted in text, wanted
    assert re.search(r"1\s*/\s*\d", text)


@pytest.mark.parametrize("number", [1, 2, 60])
@pytest.mark.parametrize("columns", [1, 4, 30])
def test_a_pdf_of_any_shape_can_be_made(number: int, columns: int) -> None:
    rows = [tuple(f"{row} {at}" * (1 + at % 5) ** 4 for at in range(columns)) for row in range(number)]
    made = table(columns=[f"c{at}" for at in range(columns)], rows=rows, chart="line", value=0, cut=True)
    assert maker_of("pdf")(report(made)).startswith(b"%PDF-")


def test_without_a_font_of_its_own_a_pdf_is_made_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(report_pdf.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(report_pdf, "MORE", tmp_path)
    assert "backup" in text_of(maker_of("pdf")(report(table())), tmp_path)


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-3.0, 4.0, 0.0], [1e12, 1e-9]])
@pytest.mark.parametrize("chart", ["bar", "line"])
@pytest.mark.parametrize("form", ["pdf", "html", "xlsx"])
def test_charts_of_any_numbers_can_be_drawn(form: str, chart: str, values: list[float]) -> None:
    made = table(columns=("a", "b"), rows=[(f"{at}", value) for at, value in enumerate(values)], chart=chart)
    assert maker_of(form)(report(made))


def test_in_a_workbook_no_text_is_a_formula_and_numbers_are_numbers() -> None:
    rows = [(text, 5, 1.5, 99.5, START) for text in FORMULAS] + [(HOSTILE, None, Decimal("2.5"), None, None)]
    data = maker_of("xlsx")(report(table(rows=rows), table(title="=a/b[c]:*?\\" * 5)))
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert len(book.sheetnames) == 2
    sheet = book.worksheets[0]
    for row in sheet.iter_rows():
        for cell in row:
            assert cell.data_type != "f"
    assert [sheet.cell(5 + at, 1).value.strip() for at in range(4)] == [text.strip() for text in FORMULAS[:4]]
    assert (sheet.cell(5, 2).value, sheet.cell(5, 4).value) == (5, 99.5)
    assert sheet.cell(5, 5).value == datetime(2026, 3, 1, 1, 0)
    assert sheet.freeze_panes == "A5"
    assert len(sheet._charts) == 1


def test_in_csv_no_text_is_a_formula() -> None:
    rows = [(text, -5, None, 1.5, START) for text in FORMULAS]
    data = maker_of("csv")(report(table(rows=rows))).decode("utf-8-sig")
    head, *lines = csv.reader(io.StringIO(data, newline=""))
    assert head[0] == "Job"
    for line in lines:
        assert not line[0].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert line[1] == "-5", "a number stays one"


def test_a_page_holds_no_tag_that_is_not_its_own() -> None:
    page = maker_of("html")(report(table(), table(chart="line"), table(rows=[]))).decode()
    assert "<script" not in page
    assert "Title &lt;b&gt;&amp;" in page
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "div", "p", "table", "thead", "tbody",
        "tr", "th", "td", "svg", "rect", "text", "path", "polyline", "footer",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("covers", "since", "until"),
    [
        ("last_24_hours", "2026-03-29T10:00", "2026-03-30T10:00"),
        ("last_7_days", "2026-03-23T10:00", "2026-03-30T10:00"),
        ("yesterday", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("last_week", "2026-03-22T23:00", "2026-03-29T22:00"),
        ("last_month", "2026-01-31T23:00", "2026-02-28T23:00"),
    ],
)
def test_the_time_of_a_report_ends_where_its_days_end(covers: str, since: str, until: str) -> None:
    due = datetime(2026, 3, 30, 10, tzinfo=UTC)  # the day after clocks went forward in Berlin
    found = time_of(covers, due, "Europe/Berlin")
    assert [f"{each:%Y-%m-%dT%H:%M}" for each in found] == [since, until]


async def _read(name: str, since: datetime, until: datetime) -> Records:
    columns = {"uptime": ("Service", "Group", "Uptime %", "Down (s)", "Planned (s)", "Incidents")}
    return Records(columns[name], [("shop", "web", 99.5, 432.0, 0.0, 2)])


def written(root: Path, **more: Any) -> dict[str, Any]:
    return {
        "title": "Weekly report", "sections": [{"about": "uptime", "chart": "bar"}], "covers": "last_week",
        "file": str(root / "reports/{date}.pdf"), **more,
    }  # fmt: skip


async def make(stage: Stage, settings: dict[str, Any], root: Path) -> None:
    attempt = stage.attempt(
        grants=Grants(roots=(str(root),)), read=_read, scheduled_for=datetime(2026, 3, 30, 6, tzinfo=UTC)
    )
    await run(Settings.model_validate(settings), attempt)


async def test_the_product_s_own_records_are_written_into_an_allowed_place(
    stage: Stage, tmp_path: Path
) -> None:
    await make(stage, written(tmp_path), tmp_path)
    file = tmp_path / "reports/2026-03-29.pdf"
    assert "shop" in text_of(file.read_bytes(), tmp_path)
    with pytest.raises(PayloadError) as caught:
        await make(stage, written(tmp_path, file="/etc/report.pdf"), tmp_path)
    assert caught.value.error_class == "config.roots"


async def test_a_query_s_rows_are_limited_and_know_the_time(stage: Stage, tmp_path: Path) -> None:
    sql = "SELECT n, :since::timestamptz AS since FROM (SELECT generate_series(1, 100000000) AS n) s"
    section = {"database": needed(POSTGRES), "sql": sql, "rows": 10, "title": "Numbers"}
    await make(
        stage, written(tmp_path, sections=[section], format="html", file=str(tmp_path / "x.html")), tmp_path
    )
    page = (tmp_path / "x.html").read_text()
    assert page.count("<tr>") == 11
    assert "Only the first 10 rows" in page
    assert "2026-03-23 00:00" in page


async def test_a_report_is_mailed_with_what_it_is_called(stage: Stage, tmp_path: Path) -> None:
    async with mailbox() as box:
        mail = {
            "host": "127.0.0.1", "port": box.port, "security": "none", "from": "Reports <reports@example.com>",
            "to": ["ann@example.com", "Bob <bob@example.com>"],
        }  # fmt: skip
        await make(stage, written(tmp_path, file=None, format="xlsx", mail=mail), tmp_path)
        (got,) = box.mails
        assert box.recipients == [["ann@example.com", "bob@example.com"]]
        assert got["Subject"] == "Weekly report: 2026-03-23 to 2026-03-29 (UTC)"
        assert got["Message-ID"] == "<00000000-0000-0000-0000-000000000007@example.com>"
        (attached,) = got.iter_attachments()
        assert attached.get_filename() == "weekly-report-2026-03-29.xlsx"
        assert (
            openpyxl.load_workbook(io.BytesIO(attached.get_content())).worksheets[0].cell(5, 1).value
            == "shop"
        )
        box.answers = ["554 No"]
        with pytest.raises(PayloadError) as caught:
            await make(stage, written(tmp_path, file=None, mail=mail), tmp_path)
    assert caught.value.error_class == "mail.refused"
    with pytest.raises(PayloadError) as caught:
        await make(stage, written(tmp_path, file=None, mail={**mail, "port": 1}), tmp_path)
    assert caught.value.error_class == "mail.connection"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"file": None}, "needs file or mail"),
        ({"format": "csv", "sections": [{"about": "jobs"}, {"about": "alerts"}]}, "exactly one section"),
        ({"sections": []}, "sections"),
        ({"sections": [{}]}, "either about or sql"),
        ({"sections": [{"sql": "SELECT 1"}]}, "database and sql belong together"),
        ({"sections": [{"about": "alerts", "chart": "bar"}]}, "needs a value_column"),
        ({"sections": [{"sql": "SELECT 1; SELECT 2", "database": POSTGRES}]}, "holds 2 statements"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"file": "relative.pdf"}, "file"),
    ],
)
def test_mistakes_are_found_when_they_are_written(more: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(written(tmp_path, **more))
    assert words in str(caught.value)
