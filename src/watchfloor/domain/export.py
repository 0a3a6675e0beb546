"""Rows on their way out of the building: CSV, JSON and NDJSON, a piece at a time, so that any number of rows takes the
memory of one page.

A text that a spreadsheet would take for a formula is marked as text in CSV, as OWASP's advice on CSV injection says: a
leading apostrophe. Control characters other than line ends and tabs are gone before. This module must never see more
than one page.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

FORMATS = ("csv", "json", "ndjson", "parquet")
KINDS = ("results", "metrics", "uptime", "incidents")
GRAINS = ("raw", "minute", "hour", "day")

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if code not in (9, 10, 13)}

Cell = str | int | float | bool | datetime | None
Row = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported: rows of ``[start, end)`` of the services that both globs match.

    ``grain`` is that of results and metrics; empty globs match everything.
    """

    kind: str
    start: datetime
    end: datetime
    service: str = ""
    group: str = ""
    grain: str = "raw"
    service_id: int | None = None  # exactly this one


class Encoder(Protocol):
    """Turns pages of rows into pieces of a file."""

    def begin(self, columns: Sequence[str]) -> str:
        """What stands before the first row."""

    def page(self, rows: Sequence[Row]) -> str:
        """Some rows."""

    def end(self) -> str:
        """What stands after the last row."""


def inert(text: str) -> str:
    """A text as a cell that no spreadsheet calculates.

    >>> inert("=1+1"), inert("a-b"), inert("  =1")
    ("'=1+1", 'a-b', "'  =1")
    """
    text = text.translate(_CONTROL)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


class CsvEncoder:
    """RFC 4180, with CRLF and a line of names."""

    def begin(self, columns: Sequence[str]) -> str:
        return self.page([columns])

    def page(self, rows: Sequence[Row]) -> str:
        out = io.StringIO()
        csv.writer(out).writerows([[_csv_cell(cell) for cell in row] for row in rows])
        return out.getvalue()

    def end(self) -> str:
        return ""


def _csv_cell(cell: Cell) -> object:
    if isinstance(cell, str):
        return inert(cell)
    if isinstance(cell, datetime):
        return cell.isoformat()
    return "" if cell is None else cell


class NdjsonEncoder:
    """One JSON object on each line."""

    def __init__(self) -> None:
        self._columns: Sequence[str] = ()

    def begin(self, columns: Sequence[str]) -> str:
        self._columns = columns
        return ""

    def page(self, rows: Sequence[Row]) -> str:
        return "".join(f"{line}\n" for line in self.objects(rows))

    def objects(self, rows: Sequence[Row]) -> Iterator[str]:
        """Each row as a JSON object."""
        for row in rows:
            cells = {name: _json_cell(cell) for name, cell in zip(self._columns, row, strict=True)}
            yield json.dumps(cells, ensure_ascii=False, separators=(",", ":"))

    def end(self) -> str:
        return ""


class JsonEncoder(NdjsonEncoder):
    """One JSON array of objects."""

    def __init__(self) -> None:
        super().__init__()
        self._lead = "["

    def page(self, rows: Sequence[Row]) -> str:
        parts = []
        for line in self.objects(rows):
            parts.append(f"{self._lead}\n{line}")
            self._lead = ","
        return "".join(parts)

    def end(self) -> str:
        return "[]\n" if self._lead == "[" else "\n]\n"


def _json_cell(cell: Cell) -> object:
    if isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, float) and not math.isfinite(cell):
        return None  # JSON has no such number
    return cell


def encoder(name: str) -> Encoder:
    """The encoder of a format that is text. Raises `ValueError` for another."""
    match name:
        case "csv":
            return CsvEncoder()
        case "json":
            return JsonEncoder()
        case "ndjson":
            return NdjsonEncoder()
    raise ValueError(f"there is no text format {name!r}")
