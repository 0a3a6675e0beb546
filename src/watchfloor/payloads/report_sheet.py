"""Reports as Excel workbooks: one sheet for each section, with its chart. No text ever becomes a formula."""

from __future__ import annotations

import io
import re
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from watchfloor.payloads.report_data import BARS, PERCENT, Report, Table, number_of, shown

LONGEST_CELL = 32_767
_NO_SHEET = re.compile(r"[\[\]:*?/\\]")
_HEAD = PatternFill("solid", fgColor="2563A8")


def as_workbook(report: Report) -> bytes:
    """The workbook."""
    book = Workbook()
    book.remove(book.active)
    book.properties.title, book.properties.creator = _text(report.title), "Watchfloor"
    for number, table in enumerate(report.tables, 1):
        sheet = book.create_sheet(
            _NO_SHEET.sub(" ", _text(table.title)).strip(" '")[:28] or f"Section {number}"
        )
        _put(sheet, 1, 1, report.title).font = Font(bold=True, size=14)
        _put(sheet, 2, 1, f"{table.title}, {report.period}").font = Font(color="66727F")
        for at, name in enumerate(table.columns, 1):
            cell = _put(sheet, 4, at, name)
            cell.font, cell.fill = Font(bold=True, color="FFFFFF"), _HEAD
        for row_at, row in enumerate(table.rows, 5):
            for at, (value, name) in enumerate(zip(row, table.columns, strict=True), 1):
                _cell(sheet, row_at, at, value, name, report)
        _finish(sheet, table, report)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _text(text: str) -> str:
    return str(ILLEGAL_CHARACTERS_RE.sub("", text)[:LONGEST_CELL])


def _put(sheet: Any, row: int, column: int, text: str) -> Any:
    """A text that stays one, whatever it begins with."""
    cell = sheet.cell(row, column)
    cell.value = _text(text)
    cell.data_type = "s"
    cell.quotePrefix = True
    return cell


def _cell(sheet: Any, row: int, column: int, value: Any, name: str, report: Report) -> None:
    if value is None:
        return
    if number_of(value) is not None:
        cell = sheet.cell(row, column, value)
        if name.endswith(PERCENT):
            cell.number_format = "0.000"
    elif isinstance(value, datetime):
        local = value.astimezone(report.zone) if value.tzinfo else value
        sheet.cell(row, column, local.replace(tzinfo=None)).number_format = "yyyy-mm-dd hh:mm:ss"
    elif isinstance(value, date):
        sheet.cell(row, column, value).number_format = "yyyy-mm-dd"
    else:
        text = shown(value, name, report.zone)
        _put(sheet, row, column, text).alignment = Alignment(wrap_text=len(text) > 60, vertical="top")


def _finish(sheet: Any, table: Table, report: Report) -> None:
    for at, name in enumerate(table.columns):
        longest = max((len(shown(row[at], "", report.zone)) for row in table.rows[:500]), default=0)
        sheet.column_dimensions[get_column_letter(at + 1)].width = max(
            10, min(60, max(longest, len(name)) + 3)
        )
    sheet.freeze_panes = "A5"
    last = len(table.rows) + 4
    if table.rows:
        sheet.auto_filter.ref = f"A4:{get_column_letter(len(table.columns))}{last}"
    if table.cut:
        _put(sheet, last + 1, 1, f"Only the first {len(table.rows):,} rows.")
    if table.chart and table.points:
        chart: Any = BarChart() if table.chart == "bar" else LineChart()
        if table.chart == "bar":
            chart.type = "bar"
            last = min(last, BARS + 4)
        chart.title, chart.legend = table.title, None
        chart.add_data(Reference(sheet, table.value + 1, min_row=5, max_row=last))
        chart.set_categories(Reference(sheet, table.label + 1, min_row=5, max_row=last))
        chart.height, chart.width = 9, 18
        sheet.add_chart(chart, f"{get_column_letter(len(table.columns) + 2)}4")
