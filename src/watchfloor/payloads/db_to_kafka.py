"""Sends the rows of a query to a topic of Kafka, in batches, and goes on where it stopped.

The statement takes up after `:after`, the value of `cursor_column` in the last row that is known to have arrived, and
yields its rows in the order of that column. Each batch is one transaction of Kafka, of which a killed attempt leaves
nothing; then the place is kept under the fence of the run, which refuses it to an attempt whose run is another's by
now. So no row is lost, whatever is killed when; between the two steps a batch may be sent again, with the same
`cursor` in the headers of its messages. Needs `watchfloor[kafka]`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, model_validator

from watchfloor.config import base
from watchfloor.config.fields import DurationField, InWords, Seconds
from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.payloads.kafka_client import check_address, must_exist, options_of, started, topics_of
from watchfloor.payloads.rows import Row, query
from watchfloor.payloads.sql_settings import Dsn, Params, Statement, Value, check_params, one_statement
from watchfloor.payloads.sql_work import unpacked

ERRORS = {
    "rows.order": "the rows do not come in the order of cursor_column, or it is NULL",
    "rows.column": "the query yields no such column",
    "mq.*": "Kafka refuses it or is away; see the kind message_queue",
    "db.*": "the query failed; see the kind database",
}

Column = Annotated[str, Field(min_length=1, max_length=200)]


class Settings(base.Settings):
    """Settings of a job that sends rows to Kafka."""

    database: Dsn = Field(description="The database to read from.")
    sql: Statement = Field(
        description="One statement, as in `SELECT id, name FROM orders WHERE id > :after ORDER BY id`."
    )
    params: Params = Field({}, description="Values for other parameters; may hold references.")
    cursor_column: Column = Field(
        description="The column by which rows are ordered. With a LIMIT in the statement its values must be unique."
    )
    start: Value = Field(description="What :after is in the very first run.")
    kafka: Annotated[
        SecretStr, AfterValidator(check_address), InWords("an address such as kafka://one.example.com:9092")
    ] = Field(description="The brokers; `kafka://user@host:9092,host:9092?tls=true`.")
    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = Field(description="Where the rows go.")
    key_column: Column | None = Field(
        None, description="The column whose value is the key of the message; none."
    )
    batch: Annotated[int, Field(ge=1, le=10_000)] = Field(500, description="Rows in one transaction.")
    statement_timeout: Annotated[float, DurationField("1s", "1d")] = Field(
        Seconds(600), description="How long the statement may take for each batch."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Settings:
        sql = one_statement(self.sql, self.database, "sql")
        if "after" in self.params:
            raise ValueError("params has 'after', which is the place in the table; set start instead")
        check_params([sql], self.database, {**self.params, "after": None})
        return self


async def run(settings: Settings, attempt: Attempt) -> None:
    """Send what is new. Raises `PayloadError`."""
    attempt.must_hold()
    if attempt.checkpoint is None:
        raise PayloadError("internal", "there is nowhere to keep a checkpoint")
    options = options_of(settings.kafka)
    import aiokafka

    saved = await attempt.checkpoint.load()
    after = settings.start if saved is None else saved["after"]
    producer = aiokafka.AIOKafkaProducer(transactional_id=f"watchfloor {attempt.job}", acks="all", **options)
    async with started(producer):
        must_exist(await topics_of(producer), settings.topic)
        sender = _Sender(settings, attempt, producer)
        sql = one_statement(settings.sql, settings.database, "sql")
        await query(
            settings.database,
            sql,
            {**settings.params, "after": after},
            attempt,
            sender.take,
            batch=settings.batch,
            statement_timeout_s=float(settings.statement_timeout),
        )
        await sender.end()


class _Sender:
    """Sends batches and keeps the place."""

    def __init__(self, settings: Settings, attempt: Attempt, producer: Any) -> None:
        self._settings = settings
        self._attempt = attempt
        self._producer = producer
        self._last: Any = None
        self._safe: Any = None
        self._sent = 0

    async def take(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """One batch: all of it in the topic, then the place kept."""
        at = _position(columns, self._settings.cursor_column)
        key_at = None if self._settings.key_column is None else _position(columns, self._settings.key_column)
        self._attempt.must_hold()
        async with self._producer.transaction():
            waiting = [await self._send(columns, row, at, key_at) for row in rows]
            for each in waiting:
                await each
        self._sent += len(rows)
        if self._safe is not None:
            await self._keep(self._safe)
        await self._attempt.say(f"sent {self._sent:,} rows, up to {_shown(self._last)}")

    async def _send(self, columns: Sequence[str], row: Row, at: int, key_at: int | None) -> Any:
        self._advance(row[at])
        values = [_shown(value) for value in row]
        body = json.dumps(dict(zip(columns, values, strict=True)), ensure_ascii=False, default=str)
        key = None if key_at is None else str(values[key_at]).encode(errors="replace")
        return await self._producer.send(
            self._settings.topic,
            body.encode(errors="replace"),
            key=key,
            headers=[("cursor", str(values[at]).encode(errors="replace"))],
        )

    def _advance(self, value: Any) -> None:
        """The place is safe only below the value of the last row: others with the same value may follow."""
        if value is None:
            raise PayloadError("rows.order", f"{self._settings.cursor_column} is NULL in a row")
        if self._last is not None and value != self._last:
            new, old = unpacked(value), unpacked(self._last)
            ordered = int | float | Decimal | datetime | date
            if isinstance(new, ordered) and isinstance(old, ordered) and new < old:  # type: ignore[operator]
                raise PayloadError(
                    "rows.order",
                    f"the rows are not ordered by {self._settings.cursor_column}: {new} after {old}",
                )
            self._safe = self._last
        self._last = value

    async def end(self) -> None:
        """All rows are there: the place is the last one."""
        if self._last is not None:
            await self._keep(self._last)
        await self._attempt.say(f"{self._sent:,} rows sent in all")

    async def _keep(self, value: Any) -> None:
        assert self._attempt.checkpoint is not None
        await self._attempt.checkpoint.save({"after": value})


def _position(columns: Sequence[str], wanted: str) -> int:
    if wanted not in columns:
        raise PayloadError("rows.column", f"the query yields no column {wanted!r}")
    return list(columns).index(wanted)


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        return json.loads(inner) if kind == "json" else inner
    return value
