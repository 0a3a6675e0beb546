"""Reports as CSV and as one HTML page that needs nothing else. Pure.

Nothing in them is a formula or a tag but what is written here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from html import escape

from watchfloor.payloads.report_data import BARS, Report, Table, heading, number_of, shown

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


def as_csv(report: Report) -> bytes:
    """The only section: a line of names, then the rows. A text that could be a formula gets a ``'`` before it."""
    (table,) = report.tables
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([_harmless(name) for name in table.columns])
    for row in table.rows:
        writer.writerow([_field(value, report) for value in row])
    return b"\xef\xbb\xbf" + file.getvalue().encode(errors="replace")


def _field(value: object, report: Report) -> str:
    if number_of(value) is not None:
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(report.zone).isoformat() if value.tzinfo else value.isoformat()
    return _harmless(shown(value, "", report.zone))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --dim: #66727f; --line: #dde3ea; --fill: #f5f7fa; --accent: #2563a8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf1; --dim: #9aa7b4; --line: #2c3641; --fill: #1a222b; --accent: #6aa9ea }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2.5rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem }
.period, .note, footer { color: var(--dim) } header { border-bottom: 3px solid var(--accent); padding-bottom: .8rem }
table { border-collapse: collapse; width: 100%; font-size: .93rem }
th { text-align: left; border-bottom: 2px solid var(--line) } td { border-bottom: 1px solid var(--line) }
th, td { padding: .35rem .6rem .35rem 0; vertical-align: top; overflow-wrap: anywhere }
.n { text-align: right; font-variant-numeric: tabular-nums } tbody tr:nth-child(even) { background: var(--fill) }
svg { width: 100%; height: auto; margin: .4rem 0 } svg text { fill: var(--ink); font-size: 12px }
svg .bar { fill: var(--accent) }
svg .line { fill: none; stroke: var(--accent); stroke-width: 2 } svg .axis { stroke: var(--line) }
footer { margin: 2.5rem 0; font-size: .85rem }
"""


def as_html(report: Report) -> bytes:
    """One page."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>",
        f'<header><h1>{escape(report.title)}</h1><div class="period">{escape(report.period)}</div></header>',
        *(line for table in report.tables for line in _section(table, report)),
        f"<footer>Watchfloor, {escape(shown(report.made_at, '', report.zone))}</footer></body></html>",
    ]
    return "\n".join(parts).encode(errors="replace")


def _section(table: Table, report: Report) -> Iterator[str]:
    yield f"<h2>{escape(table.title)}</h2>"
    if not table.rows:
        yield '<p class="note">Nothing in this time.</p>'
        return
    yield _chart(table, report)
    right = [table.is_number(at) for at in range(len(table.columns))]
    marks = [' class="n"' if each else "" for each in right]
    heads = (
        f"<th{mark}>{escape(heading(name))}</th>" for name, mark in zip(table.columns, marks, strict=True)
    )
    yield f"<table><thead><tr>{''.join(heads)}</tr></thead><tbody>"
    for row in table.rows:
        cells = (
            f"<td{mark}>{escape(shown(value, name, report.zone))}</td>"
            for value, name, mark in zip(row, table.columns, marks, strict=True)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"
    if table.cut:
        yield f'<p class="note">Only the first {len(table.rows):,} rows.</p>'


def _chart(table: Table, report: Report) -> str:
    points = table.points
    if not table.chart or not points:
        return ""
    column = table.columns[table.value]
    if table.chart == "bar":
        points = points[:BARS]
        most = max((abs(value) for _, value in points), default=0.0) or 1.0
        rows = [
            f'<text x="190" y="{at * 24 + 16}" text-anchor="end">{escape(label)}</text>'
            f'<rect class="bar" x="200" y="{at * 24 + 4}" width="{abs(value) / most * 480:.1f}" height="16" rx="2"/>'
            f'<text x="{208 + abs(value) / most * 480:.1f}" y="{at * 24 + 16}">'
            f"{escape(shown(value, column, report.zone))}</text>"
            for at, (label, value) in enumerate(points)
        ]
        return f'<svg viewBox="0 0 800 {len(points) * 24 + 8}" role="img">{"".join(rows)}</svg>'
    low, high = min(value for _, value in points), max(value for _, value in points)
    low = min(low, 0.0) if low >= 0 and low < high / 2 else low
    span, step = (high - low) or 1.0, 660 / max(1, len(points) - 1)
    places = " ".join(
        f"{110 + at * step:.1f},{170 - (value - low) / span * 150:.1f}"
        for at, (_, value) in enumerate(points)
    )
    return (
        '<svg viewBox="0 0 800 200" role="img"><path class="axis" d="M110 20H770M110 95H770M110 170H770"/>'
        f'<text x="100" y="24" text-anchor="end">{escape(shown(high, column, report.zone))}</text>'
        f'<text x="100" y="174" text-anchor="end">{escape(shown(low, column, report.zone))}</text>'
        f'<text x="110" y="192">{escape(points[0][0])}</text>'
        f'<text x="770" y="192" text-anchor="end">{escape(points[-1][0])}</text>'
        f'<polyline class="line" points="{places}"/></svg>'
    )
