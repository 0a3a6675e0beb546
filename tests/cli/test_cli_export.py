"""Exports: every format says the same, nothing calculates in a spreadsheet, nothing half-written stays."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.make import EPOCH, at, definition, make_days, make_services
from watchfloor.cli.desk import Desk
from watchfloor.cli.export import request, stretch
from watchfloor.cli.exporting import NO_PARQUET, TextSink, sink, write, write_file
from watchfloor.domain.export import FORMATS, Wanted, inert
from watchfloor.domain.outcome import Status
from watchfloor.domain.spans import SpanState
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import export
from watchfloor.store.database import Database
from watchfloor.store.results import (
    IncidentChange,
    ResultRow,
    SpanStart,
    copy_metrics,
    copy_results,
    open_incidents,
    series_ids,
    switch_spans,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def make_world(database: Database) -> int:
    """Two services: one with a past, one called as a formula."""
    await make_days(database)
    made = await make_services(
        database, definition("shop", group_name="web"), definition("=cmd|' /C calc'!A0")
    )
    shop = made["shop"].id
    async with database.transaction() as connection:
        await copy_results(
            connection,
            [
                ResultRow(shop, at(n), 1, int(Status.FAILING if n % 5 == 0 else Status.OK), 1000 * n, 250,
                          [1, 2, 3, 4, 5], "=HYPERLINK(1)" if n % 5 == 0 else None, 9)
                for n in range(25)
            ],
        )  # fmt: skip
        ids = await series_ids(connection, ["cpu", "load"])
        await copy_metrics(connection, [(shop, ids[name], at(n), n / 2) for name in ids for n in range(12)])
        for second, state in ((0, SpanState.UP), (600, SpanState.DOWN), (900, SpanState.UP)):
            await switch_spans(connection, [SpanStart(shop, at(second), state)])
        await open_incidents(connection, [IncidentChange(shop, Status.FAILING, at(600), at(660), "@refused")])
    return shop


def parsed(format_: str, data: bytes) -> list[dict[str, object]]:
    if format_ == "csv":
        return list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    if format_ == "json":
        return list(json.loads(data))
    if format_ == "ndjson":
        return [json.loads(line) for line in data.splitlines()]
    from pyarrow import parquet

    return list(parquet.read_table(io.BytesIO(data)).to_pylist())


async def exported(database: Database, wanted: Wanted, format_: str) -> list[dict[str, object]]:
    out = io.BytesIO()
    count = await write(database, wanted, format_, _Open(out))
    rows = parsed(format_, out.getvalue())
    assert len(rows) == count
    return rows


class _Open(io.RawIOBase):
    """What is written goes on being readable when the writer closes it."""

    def __init__(self, out: io.BytesIO) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._out.write(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["results", "metrics", "incidents", "uptime"])
async def test_every_format_holds_the_same_rows_whatever_the_size_of_a_page(
    database: Database, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_world(database)
    wanted = Wanted(kind, EPOCH, EPOCH + HOUR, "shop")
    found = {format_: await exported(database, wanted, format_) for format_ in FORMATS}
    assert len(found["json"]) == {"results": 25, "metrics": 24, "incidents": 1, "uptime": 1}[kind]
    assert found["json"] == found["ndjson"]
    assert [list(row) for row in found["csv"]] == [list(row) for row in found["json"]]
    for text, typed in zip(found["json"], found["parquet"], strict=True):
        for name, value in typed.items():
            told = text[name]
            assert value == (datetime.fromisoformat(str(told)) if isinstance(value, datetime) else told)
    monkeypatch.setattr(export, "PAGE", 4)
    assert await exported(database, wanted, "json") == found["json"]


async def test_what_is_exported_is_what_is_stored(database: Database) -> None:
    await make_world(database)
    rows = await exported(database, Wanted("results", at(5), at(10), group="w*"), "json")
    assert [row["at"] for row in rows] == [at(n).isoformat() for n in range(5, 10)]
    assert rows[0] | {"at": ""} == {
        "service": "shop", "at": "", "status": "failing", "latency_ms": 5.0, "lag_ms": 0.25, "dns_ms": 0.001,
        "connect_ms": 0.002, "tls_ms": 0.003, "first_byte_ms": 0.004, "transfer_ms": 0.005, "summary": "=HYPERLINK(1)",
        "source": "full",
    }  # fmt: skip
    (day,) = await exported(database, Wanted("uptime", EPOCH, at(1200), "shop"), "json")
    assert (day["up_s"], day["down_s"], day["ratio" if "ratio" in day else "uptime"]) == (900.0, 300.0, 0.75)
    assert await exported(database, Wanted("results", EPOCH, EPOCH + HOUR, "nothing*"), "json") == []


async def test_no_cell_of_a_csv_file_is_a_formula(database: Database) -> None:
    await make_world(database)
    for kind in ("results", "incidents", "uptime"):
        for row in await exported(database, Wanted(kind, EPOCH, EPOCH + HOUR), "csv"):
            for name, cell in row.items():
                numeric = name.endswith(("_ms", "_s")) or name in ("id", "uptime")
                assert numeric or not str(cell).startswith(("=", "+", "-", "@")), (name, cell)


@given(text=st.text(max_size=40))
def test_a_marked_text_never_begins_as_a_formula_and_loses_nothing_readable(text: str) -> None:
    marked = inert(text)
    assert not marked.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "|", "%"))
    assert "".join(filter(str.isprintable, text)) in (
        "".join(filter(str.isprintable, marked)),
        "".join(filter(str.isprintable, marked[1:])),
    )


async def test_a_file_that_could_not_be_finished_leaves_the_one_before(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_world(database)
    path = tmp_path / "results.csv"
    path.write_text("the one before")

    def fail(self: TextSink, rows: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(TextSink, "page", fail)
    with pytest.raises(OSError, match="the disk is full"):
        await write_file(database, Wanted("results", EPOCH, EPOCH + HOUR), "csv", path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.csv"]
    assert path.read_text() == "the one before"
    monkeypatch.undo()
    assert await write_file(database, Wanted("results", EPOCH, EPOCH + HOUR), "csv", path) == 25
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_its_package_parquet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Refused) as refused:
        sink(io.BytesIO(), "parquet", ["at"])
    assert str(refused.value) == NO_PARQUET


def test_a_stretch_of_time_is_read_and_nonsense_is_refused() -> None:
    now = datetime(2031, 3, 1, 12, tzinfo=UTC)
    assert stretch("7d", "", "", now) == (now - 7 * DAY, now)
    assert stretch("7d", "2031-02-01T00:00+00:00", "2031-02-02T00:00+00:00", now)[1].day == 2
    for last, since, until in (
        ("x", "", ""),
        ("1d", "soon", ""),
        ("1d", "", "\x1b["),
        ("1d", "2032-01-01", ""),
    ):
        with pytest.raises(Refused):
            stretch(last, since, until, now)


@pytest.mark.parametrize(("kind", "grain"), [("secrets", "raw"), ("results", "week")])
def test_what_cannot_be_exported_is_named(kind: str, grain: str) -> None:
    with pytest.raises(Refused, match="allowed: "):
        request(kind, "csv", ("1d", "", ""), ("", ""), grain, None)


async def test_a_name_that_nothing_has_is_refused_and_no_file_is_made(
    database: Database, tmp_path: Path
) -> None:
    async def connect() -> Database:
        return database

    await make_world(database)
    output = tmp_path / "found.csv"
    desk = Desk(connect, str, Actor("kim"))
    for selection, told in ((("shpo", ""), "service shpo"), (("shop", "mail"), "service shop of group mail")):
        with pytest.raises(Refused, match=f"there is no {told};"):
            await request("results", "csv", ("1d", "", ""), selection, "raw", output)(desk)
    assert not output.exists()
