"""Rows of a query for kinds that do more with them than log them: in batches, each taken before the next is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from watchfloor.payloads.child import run_child
from watchfloor.payloads.contract import Attempt, PayloadError

Row = Sequence[Any]
TakeRows = Callable[[Sequence[str], Sequence[Row]], Awaitable[None]]


async def query(
    dsn: SecretStr,
    sql: str,
    params: Mapping[str, Any],
    attempt: Attempt,
    take: TakeRows,
    *,
    batch: int = 500,
    statement_timeout_s: float = 600.0,
) -> None:
    """Send one statement that reads and hand its rows over as `watchfloor.payloads.sql_work.packed` made them.

    ``take`` gets the names of the columns and some rows. Raises `PayloadError`.
    """
    columns: list[str] = []

    async def hear(given: Mapping[str, Any]) -> None:
        if "columns" in given:
            columns[:] = given["columns"]
        else:
            await take(columns, given["rows"])

    asked = {
        "dsn": dsn.get_secret_value(),
        "statements": [sql],
        "params": dict(params),
        "transaction": True,
        "read_only": not dsn.get_secret_value().startswith("sqlserver"),
        "statement_timeout": statement_timeout_s,
        "rows": 0,
        "bytes": 0,
        "stream": batch,
    }
    await run_child("sql_work", asked, attempt, hear)
    if not columns:
        raise PayloadError("db.statement", "the statement yields no rows, only effects")
