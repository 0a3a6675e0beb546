"""Carries out statements on a database, in a child: for the log of a run, or row by row for whoever asked.

Values are handed to the driver beside the statement, never put into it. What is asked:
``dsn statements params transaction read_only statement_timeout rows bytes``; with ``stream`` the rows are given in
batches of so many, and each batch is taken before the next is made.
"""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from watchfloor.payloads.child_side import Out
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.sql_makes import MYSQL, POSTGRES, Session, failure
from watchfloor.payloads.sql_text import for_binding, parameters

if TYPE_CHECKING:
    import sqlalchemy

FETCH = 200
LONGEST_VALUE = 10_000


def work(asked: dict[str, Any], out: Out) -> None:
    """Do it. Raises `PayloadError`."""
    import sqlalchemy.exc

    session = Session(asked["dsn"], asked["statement_timeout"])
    out.on_end = session.cancel
    try:
        out.check()
        session.prepare(asked["read_only"], asked["transaction"])
        for number, statement in enumerate(asked["statements"], 1):
            out.check()
            _carry_out(session, statement, number, asked, out)
        if asked["transaction"]:
            session.connection.commit()
    except sqlalchemy.exc.DBAPIError as error:
        out.check()  # what was cancelled says so, however its server puts it
        raise failure(session.make, error) from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise PayloadError("db.statement", " ".join(str(error).split())[:300]) from None
    finally:
        out.on_end = None
        session.close()


def _carry_out(session: Session, statement: str, number: int, asked: dict[str, Any], out: Out) -> None:
    result = _execute(session, statement, asked)
    with result:
        if not result.returns_rows:
            touched = max(0, result.rowcount)
            out.say(f"statement {number}: {touched:,} {'row' if touched == 1 else 'rows'} touched")
        elif asked.get("stream"):
            _stream(result, int(asked["stream"]), out)
        else:
            _show(result, number, asked, out)


def _execute(session: Session, statement: str, asked: dict[str, Any]) -> sqlalchemy.CursorResult[Any]:
    import sqlalchemy

    make = session.make
    names = parameters(statement, make.name)
    values = {name: unpacked(asked["params"][name]) for name in names}
    # A cursor of the server's own, where one can be had: the driver would fetch everything at once.
    reads = statement.lstrip("( \n\t").upper().startswith(("SELECT", "VALUES", "TABLE", "SHOW"))
    streams = make is MYSQL if asked.get("stream") else False
    streams = streams or (make is POSTGRES and reads and asked["transaction"])
    connection = session.connection
    if make is MYSQL and not asked.get("stream"):
        connection.exec_driver_sql(f"SET SESSION sql_select_limit = {asked['rows'] + 1}")
    text = sqlalchemy.text(for_binding(statement, make.name))
    return connection.execute(text, values, execution_options={"stream_results": streams})


def _stream(result: sqlalchemy.CursorResult[Any], batch: int, out: Out) -> None:
    out.give({"columns": list(result.keys())})
    while rows := result.fetchmany(batch):
        out.check()
        out.give({"rows": [[packed(value) for value in row] for row in rows]})


def _show(result: sqlalchemy.CursorResult[Any], number: int, asked: dict[str, Any], out: Out) -> None:
    columns, shown, size = list(result.keys()), 0, 0
    while rows := result.fetchmany(min(FETCH, asked["rows"] - shown + 1)):
        for row in rows:
            out.check()
            line = json.dumps(dict(zip(columns, map(_shown, row), strict=True)), ensure_ascii=False)
            size += len(line.encode(errors="replace"))
            if shown == asked["rows"] or size > asked["bytes"]:
                out.say(f"statement {number}: {shown:,} rows shown, the rest is left out")
                return
            out.say(line, "result")
            shown += 1
    out.say(f"statement {number}: {shown:,} {'row' if shown == 1 else 'rows'}")


def _shown(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, bytes | memoryview):
        return "0x" + bytes(value[: LONGEST_VALUE // 2]).hex()
    if isinstance(value, dict | list):
        return json.loads(json.dumps(value, default=str))
    return str(value)[:LONGEST_VALUE]


def packed(value: object) -> object:
    """A value as JSON carries it: a pair of its type and its text where JSON has no such type."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else {"text": str(value)}
    for kind, name in ((datetime, "moment"), (date, "day"), (time, "time")):
        if isinstance(value, kind):
            return {name: value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    if isinstance(value, bytes | memoryview):
        return {"hex": bytes(value).hex()}
    if isinstance(value, dict | list):
        return {"json": json.dumps(value, default=str)}
    return {"text": str(value)}


def unpacked(value: Any) -> Any:
    """The other way round; a duration as its seconds, JSON as its text."""
    if not isinstance(value, dict):
        return value
    ((name, inner),) = value.items()
    match name:
        case "moment":
            return datetime.fromisoformat(inner)
        case "day":
            return date.fromisoformat(inner)
        case "decimal":
            return Decimal(inner)
        case "hex":
            return bytes.fromhex(inner)
    return inner
