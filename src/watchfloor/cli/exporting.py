"""Writes an export: pages of rows into a file or standard output, in the memory of one page.

A file appears under its name only when it is whole, readable by its owner alone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from watchfloor.domain.export import FORMATS, Row, Wanted, encoder
from watchfloor.operations.actor import Refused
from watchfloor.store import export
from watchfloor.store.database import Database

MOMENTS = frozenset({"at", "day", "opened_at", "confirmed_at", "closed_at"})
NUMBERS = frozenset({"id", "results", "degraded", "failing", "unknown", "values"})
TEXTS = frozenset({"service", "series", "status", "summary", "source", "worst", "cause"})

NO_PARQUET = "Parquet needs one more package: pip install 'watchfloor[parquet]'"


class Sink(Protocol):
    """Where pages go."""

    def page(self, rows: Sequence[Row]) -> None:
        """Write some rows."""

    def end(self) -> None:
        """Write what stands after the last one."""


class TextSink:
    """CSV, JSON or NDJSON in UTF-8."""

    def __init__(self, out: IO[bytes], format_: str, columns: Sequence[str]) -> None:
        self._out, self._encoder = out, encoder(format_)
        self._write(self._encoder.begin(columns))

    def _write(self, text: str) -> None:
        self._out.write(text.encode("utf-8", "replace"))

    def page(self, rows: Sequence[Row]) -> None:
        self._write(self._encoder.page(rows))

    def end(self) -> None:
        self._write(self._encoder.end())


class ParquetSink:
    """One row group a page. Raises `Refused` where the package for it is missing."""

    def __init__(self, out: IO[bytes], columns: Sequence[str]) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise Refused(NO_PARQUET) from None
        kinds: dict[str, Any] = {
            **dict.fromkeys(MOMENTS, pyarrow.timestamp("us", "UTC")),
            **dict.fromkeys(NUMBERS, pyarrow.int64()),
            **dict.fromkeys(TEXTS, pyarrow.string()),
        }
        self._schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in columns])
        self._batch = pyarrow.RecordBatch
        self._array = pyarrow.array
        self._writer = parquet.ParquetWriter(out, self._schema, compression="zstd")

    def page(self, rows: Sequence[Row]) -> None:
        arrays = [
            self._array(list(column), type=field.type)
            for field, column in zip(self._schema, zip(*rows, strict=True), strict=True)
        ]
        self._writer.write_batch(self._batch.from_arrays(arrays, schema=self._schema))

    def end(self) -> None:
        self._writer.close()


def sink(out: IO[bytes], format_: str, columns: Sequence[str]) -> Sink:
    """Where pages of a format go. Raises `Refused`."""
    if format_ not in FORMATS:
        raise Refused(f"there is no format {format_}; allowed: {', '.join(FORMATS)}")
    return ParquetSink(out, columns) if format_ == "parquet" else TextSink(out, format_, columns)


async def write(database: Database, wanted: Wanted, format_: str, out: IO[bytes]) -> int:
    """Write everything that is wanted; returns how many rows. Raises `Refused`."""
    return await _pour(export.pages(database, wanted), sink(out, format_, export.columns(wanted)))


async def _pour(pages: AsyncIterator[list[Row]], into: Sink) -> int:
    count = 0
    async for page in pages:
        into.page(page)
        count += len(page)
    into.end()
    return count


def _beside(path: Path) -> tuple[int, str]:
    """A new file next to another, that only this person can read."""
    if path.is_dir():
        raise Refused(f"{path} is a directory")
    return tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name[:100]}.")


async def write_file(database: Database, wanted: Wanted, format_: str, path: Path) -> int:
    """Write a file, whole or not at all; returns how many rows. Raises `Refused`, `OSError`."""
    handle, name = _beside(path)
    try:
        with os.fdopen(handle, "wb") as file:
            count = await write(database, wanted, format_, file)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return count
