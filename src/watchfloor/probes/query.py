"""Watched queries: what a statement yields on a database, held against what is expected of it.

The session cannot write, and its statement and lock time-outs are those of the check. This module must never
show the address of a database, which may hold a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from time import perf_counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import databases
from watchfloor.probes.answer import Answer
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.comparison import Comparison, as_number
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import TimedSettings
from watchfloor.probes.text import label

NAMED = 3
"""How many rows that are not as they should be are named."""
SERIES = 50
"""Of how many rows the values are kept as figures."""
KEPT = 10
"""How many rows are kept as facts."""


def _is_address(dsn: SecretStr) -> SecretStr:
    databases.target_of(dsn.get_secret_value())
    return dsn


class Settings(TimedSettings):
    """A statement, the database it is for, and what it must yield."""

    dsn: Annotated[SecretStr, AfterValidator(_is_address)] = Field(
        description="The address of the database, `postgresql://…`, `mysql://…`, `sqlserver://…` or "
        "`oracle://…`, as in `mysql://watch@db.example.com:3306/shop`."
    )
    sql: str = Field(min_length=1, max_length=20_000, description="The statement; one that only reads.")
    purpose: Literal["health", "performance", "custom"] = Field(
        "custom", description="What it is for; a word for filters."
    )
    result: Literal["scalar", "rows", "non_query"] = Field(
        "scalar",
        description="What is judged: scalar is the first value, rows the value of `column` in each row (or "
        "the number of rows), non_query the number of rows that the statement says it touched.",
    )
    column: str | None = Field(None, min_length=1, max_length=200, description="The column to judge.")
    expect: Comparison | None = Field(None, description="Failing unless this holds.")
    warning: Comparison | None = Field(None, description="Degraded when this holds.")
    critical: Comparison | None = Field(None, description="Failing when this holds.")

    @model_validator(mode="after")
    def _has_columns(self) -> Settings:
        if self.result == "non_query" and self.column is not None:
            raise ValueError("a non_query yields no columns")
        return self

    @cached_property
    def target(self) -> databases.Target:
        """The database."""
        return databases.target_of(self.dsn.get_secret_value())


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Ask once and judge what comes back within ``timeout`` seconds."""
    check = Check(settings.target.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    began = perf_counter()
    answer = await settings.target.ask(check, settings.sql, timeout)
    took = perf_counter() - began
    findings = Findings(check)
    metrics: dict[str, float] = {"query_seconds": took}
    bad = 0
    values = list(_values(settings, answer))
    for at, (name, value) in enumerate(values):
        status, words = _judged(settings, value)
        if status is not Status.OK:
            bad += 1
            if bad <= NAMED:
                # A single value is in the head already.
                findings.add(
                    status, f"{check.clean(name, 40)} is {_shown(check, value)}, {words}" if name else words
                )
            findings.status = max(findings.status, status)
        if at < SERIES and (number := as_number(value)) is not None:
            metrics[f"value{{row={label(check.clean(name, 60))}}}" if name else "value"] = number
    if bad > NAMED:
        findings.add(findings.status, f"and {bad - NAMED} more rows")
    if settings.result != "non_query":
        metrics["rows"] = float(len(answer.rows))
    if answer.cut:
        findings.add(Status.DEGRADED, f"only the first {len(answer.rows)} rows were read")
    head = f"{settings.target.product} yields {_described(settings, check, answer, values)}"
    facts: dict[str, object] = {"columns": [check.clean(name, 60) for name in answer.columns[:50]]}
    facts["rows"] = [
        [None if value is None else check.clean(value, 100) for value in row[:50]]
        for row in answer.rows[:KEPT]
    ]
    return findings.outcome(head, speed=settings, metrics=metrics, facts=facts)


def _values(settings: Settings, answer: Answer) -> Iterator[tuple[str, str | None]]:
    """Yield what is to be judged, each with the name of its row. Raises `Fault` when it is not there."""
    if settings.result == "non_query":
        yield "", str(answer.affected)
        return
    at = 0
    if settings.column is not None:
        names = [name.lower() for name in answer.columns]
        if settings.column.lower() not in names:
            raise Fault(f"the query yields no column {settings.column!r}")
        at = names.index(settings.column.lower())
    if settings.result == "rows" and settings.column is None:
        yield "", str(len(answer.rows))
    elif settings.result == "rows":
        for number, row in enumerate(answer.rows, 1):
            yield (row[0] or "") if at else f"row {number}", row[at]
    elif not answer.rows or not answer.columns:
        raise Fault("the query yields no row")
    else:
        yield "", answer.rows[0][at]


def _judged(settings: Settings, value: str | None) -> tuple[Status, str]:
    if settings.expect is not None and not settings.expect.holds(value):
        return Status.FAILING, f"expected {settings.expect.words}"
    if settings.critical is not None and settings.critical.holds(value):
        return Status.FAILING, f"critical is {settings.critical.words}"
    if settings.warning is not None and settings.warning.holds(value):
        return Status.DEGRADED, f"warning is {settings.warning.words}"
    return Status.OK, ""


def _described(settings: Settings, check: Check, answer: Answer, values: list[tuple[str, str | None]]) -> str:
    if settings.result == "non_query":
        return f"{answer.affected} rows touched"
    if settings.result == "rows":
        return f"{len(answer.rows)} {'row' if len(answer.rows) == 1 else 'rows'}"
    return _shown(check, values[0][1])


def _shown(check: Check, value: str | None) -> str:
    return "NULL" if value is None else check.clean(value, 60) or "an empty text"
