"""Sends SQL to PostgreSQL, MySQL or MariaDB, SQL Server or Oracle, and keeps what it yields in the log of the run.

A statement is one: a text of several is refused when it is written, unless they are a list. Parameters are handed to
the driver beside it. All statements are one transaction unless `mode` is autocommit. Cancelled or out of time, the
statement ends on its server as well. MySQL needs `watchfloor[mysql]`, SQL Server `watchfloor[sqlserver]`, Oracle
`watchfloor[oracle]`.

It runs in a process of its own and holds no connection between runs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from watchfloor.config import base
from watchfloor.config.fields import DurationField, Seconds
from watchfloor.payloads.child import run_child
from watchfloor.payloads.contract import Attempt
from watchfloor.payloads.sql_makes import SQLSERVER, make_of
from watchfloor.payloads.sql_settings import Dsn, Params, Statement, check_params, one_statement
from watchfloor.payloads.sql_text import controls_transaction

ERRORS = {
    "db.connection": "no connection, or it was lost",
    "db.permission": "the sign-in was refused, or the user may not do that",
    "db.timeout": "a statement took longer than statement_timeout",
    "db.lock": "a lock was not free in time",
    "db.serialization": "it met another transaction (deadlock, serialization); another attempt may do",
    "db.constraint": "the data would break a constraint",
    "db.data": "a value is of the wrong kind or size",
    "db.read_only": "it would write although read_only is set, or the server is read only",
    "db.statement": "the server does not understand the statement, or what it names is not there",
    "db.other": "the server refuses it for another reason",
}


class Settings(base.Settings):
    """Settings of a database job."""

    dsn: Dsn = Field(description="The address of the database.")
    sql: Statement | None = Field(None, description="One statement; `:name` stands for a parameter.")
    statements: Annotated[tuple[Statement, ...], Field(min_length=1, max_length=200)] | None = Field(
        None, description="Several statements, one after the other."
    )
    params: Params = Field({}, description="Values for the parameters; may hold references.")
    mode: Literal["transaction", "autocommit"] = Field(
        "transaction", description="All statements or none, or each by itself."
    )
    read_only: bool = Field(
        False, description="Whether the database must refuse to write; not on SQL Server."
    )
    statement_timeout: Annotated[float, DurationField("1s", "1d")] = Field(
        Seconds(600), description="How long each statement may take."
    )
    rows: Annotated[int, Field(ge=0, le=100_000)] = Field(
        1000, description="Rows of each result that go to the log."
    )
    bytes: Annotated[int, Field(ge=1000, le=10_000_000)] = Field(
        250_000, description="Bytes of each result that go to the log."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Settings:
        if (self.sql is None) == (self.statements is None):
            raise ValueError("needs either sql or statements")
        make = make_of(self.dsn.get_secret_value())
        if any(controls_transaction(each, make.name) for each in self.all):
            raise ValueError(
                "a statement begins, ends or changes a transaction; set mode and read_only instead"
            )
        if self.read_only and make is SQLSERVER:
            raise ValueError("SQL Server cannot promise read_only; use a user who may only read")
        if self.read_only and self.mode == "autocommit":
            raise ValueError("read_only needs mode: transaction")
        check_params(self.all, self.dsn, self.params)
        return self

    @property
    def all(self) -> list[str]:
        """The statements. Raises `ValueError` where one of them is several."""
        if self.sql is not None:
            return [one_statement(self.sql, self.dsn, "sql")]
        written = enumerate(self.statements or (), 1)
        return [one_statement(each, self.dsn, f"statement {number}") for number, each in written]


async def run(settings: Settings, attempt: Attempt) -> None:
    """Send it and keep what comes back. Raises `PayloadError`."""
    attempt.must_hold()
    asked = {
        "dsn": settings.dsn.get_secret_value(),
        "statements": settings.all,
        "params": settings.params,
        "transaction": settings.mode == "transaction",
        "read_only": settings.read_only,
        "statement_timeout": float(settings.statement_timeout),
        "rows": settings.rows,
        "bytes": settings.bytes,
    }
    await run_child("sql_work", asked, attempt)
