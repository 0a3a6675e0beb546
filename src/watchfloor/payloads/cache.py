"""Fills and clears a Redis cache, and tells how it does.

Keys are warmed from web addresses or from a query, and cleared by name, by pattern or by tag; a tag is a set of keys,
which `warm` adds to. Everything is paced, so that a large cache goes on working meanwhile: keys are found with SCAN
and freed with UNLINK. Needs `watchfloor[cache]`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, field_validator, model_validator

from watchfloor.config import base
from watchfloor.config.fields import DurationField
from watchfloor.domain.text import one_line
from watchfloor.payloads.contract import Attempt, PayloadError
from watchfloor.payloads.rows import Row, query
from watchfloor.payloads.sql_settings import Dsn, Params, Statement, check_params, one_statement
from watchfloor.payloads.sql_work import unpacked

if TYPE_CHECKING:
    from redis.asyncio import Redis

ERRORS = {
    "cache.connection": "no connection, or it was lost",
    "cache.permission": "the sign-in was refused, or the user may not do that",
    "cache.full": "the server has no memory left",
    "cache.source": "an address to warm from gave nothing that can be kept",
    "cache.other": "the server refuses it for another reason",
    "db.*": "the query to warm from failed; see the kind database",
}
BATCH = 200
LARGEST = 16 * 2**20
"""Bytes of one answer that are kept."""

ANSWER_S = 60.0
SILENT_S = 30.0
"""How long the server may be silent."""

Key = Annotated[str, Field(min_length=1, max_length=10_000)]


class Settings(base.Settings):
    """Settings of a cache job."""

    dsn: SecretStr = Field(description="The server: redis:// or rediss://, with the number of the database.")
    operation: Literal["warm", "clear", "statistics"] = Field(description="What to do.")
    keys: Annotated[tuple[Key, ...], Field(max_length=10_000)] = Field((), description="Keys to clear.")
    pattern: Key | None = Field(None, description="Clear the keys that match, as in `page:*`.")
    everything: bool = Field(False, description="Whether a pattern may match every key.")
    tag: Key | None = Field(
        None, description="Clear the keys in this set, and the set; or put what is warmed in it."
    )
    urls: Annotated[dict[Key, SecretStr], Field(max_length=1000)] = Field(
        {}, description="Keys to warm and the addresses whose answers they hold."
    )
    database: Dsn | None = Field(None, description="The database to warm from.")
    sql: Statement | None = Field(None, description="One statement that yields what to warm.")
    params: Params = Field({}, description="Values for its parameters.")
    key_column: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The column with the end of the key; the first."
    )
    value_column: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The column with the value; the whole row as JSON."
    )
    prefix: Annotated[str, Field(max_length=1000)] = Field("", description="How the warmed keys begin.")
    ttl: Annotated[float, DurationField("1s", "3650d")] | None = Field(
        None, description="How long warmed keys live; for ever."
    )
    pace: Annotated[int, Field(ge=1, le=1_000_000)] = Field(5000, description="Keys per second.")
    dry_run: bool = Field(False, description="Only log what would be cleared.")

    @field_validator("dsn")
    @classmethod
    def _is_redis(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise ValueError("must be a redis:// or rediss:// address")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> Settings:
        clears = sum((bool(self.keys), self.pattern is not None, self.tag is not None))
        if self.operation == "clear" and clears != 1:
            raise ValueError("clear needs exactly one of keys, pattern and tag")
        if self.pattern is not None and not self.pattern.strip("*?") and not self.everything:
            raise ValueError("this pattern matches every key; set everything: true if that is meant")
        if self.operation == "warm" and bool(self.urls) == (self.sql is not None):
            raise ValueError("warm needs either urls or database and sql")
        if (self.sql is None) != (self.database is None):
            raise ValueError("database and sql belong together")
        if self.sql is not None and self.database is not None:
            check_params([one_statement(self.sql, self.database, "sql")], self.database, self.params)
        return self


async def run(settings: Settings, attempt: Attempt) -> None:
    """Do it. Raises `PayloadError`."""
    attempt.must_hold()
    try:
        import redis.asyncio as library
        from redis import exceptions
    except ImportError:
        raise PayloadError(
            "config.driver", "Redis needs the driver redis; install watchfloor[cache]"
        ) from None
    client = library.Redis.from_url(
        settings.dsn.get_secret_value(),
        socket_connect_timeout=10,
        socket_timeout=SILENT_S,
        single_connection_client=True,
    )
    work = {"warm": _warm, "clear": _clear, "statistics": _statistics}[settings.operation]
    try:
        await work(settings, attempt, client)
    except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
        raise PayloadError("cache.permission", one_line(str(error), 300)) from None
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
        raise PayloadError("cache.connection", one_line(f"no connection: {error}", 300)) from None
    except exceptions.RedisError as error:
        full = isinstance(error, exceptions.OutOfMemoryError)
        raise PayloadError("cache.full" if full else "cache.other", one_line(str(error), 300)) from None
    finally:
        await client.aclose()


async def _clear(settings: Settings, attempt: Attempt, client: Redis) -> None:
    gone = found = 0
    async for keys in _found(settings, client):
        found += len(keys)
        if not settings.dry_run:
            attempt.must_hold()
            gone += await client.unlink(*keys)
        for key in keys:
            await attempt.say(f"{'would have ' if settings.dry_run else ''}cleared {_shown(key)}")
        await asyncio.sleep(len(keys) / settings.pace)
    if settings.tag is not None and not settings.dry_run:
        attempt.must_hold()
        await client.unlink(settings.tag)
    await attempt.say(f"{found:,} keys found, {gone:,} cleared")


async def _found(settings: Settings, client: Redis) -> AsyncIterator[list[Any]]:
    """Keys to clear, some at a time, none twice in one go."""
    if settings.keys:
        for start in range(0, len(settings.keys), BATCH):
            yield list(settings.keys[start : start + BATCH])
        return
    waiting: dict[Any, None] = {}
    if settings.tag is not None:
        walk = client.sscan_iter(settings.tag, count=BATCH)
    else:
        walk = client.scan_iter(match=settings.pattern, count=1000)
    async for key in walk:
        waiting[key] = None
        if len(waiting) >= BATCH:
            yield list(waiting)
            waiting.clear()
    if waiting:
        yield list(waiting)


async def _warm(settings: Settings, attempt: Attempt, client: Redis) -> None:
    warmed = 0

    async def take(columns: Sequence[str], rows: Sequence[Row]) -> None:
        nonlocal warmed
        await _put(settings, attempt, client, [_entry(settings, columns, row) for row in rows])
        warmed += len(rows)

    if settings.sql is not None and settings.database is not None:
        sql = one_statement(settings.sql, settings.database, "sql")
        await query(settings.database, sql, settings.params, attempt, take, batch=BATCH)
        await attempt.say(f"{warmed:,} keys warmed")
        return
    failed = ""
    async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as web:
        for key, url in settings.urls.items():
            attempt.must_hold()
            content, trouble = await _fetched(web, url.get_secret_value())
            if content is None:
                failed = failed or f"{key}: {trouble}"
                await attempt.say(f"{key}: {trouble}", "stderr")
                continue
            await _put(settings, attempt, client, [(f"{settings.prefix}{key}", content)])
            await attempt.say(f"warmed {settings.prefix}{key}, {len(content):,} bytes")
            warmed += 1
    await attempt.say(f"{warmed:,} of {len(settings.urls):,} keys warmed")
    if failed:
        raise PayloadError("cache.source", one_line(failed, 300))


async def _fetched(web: httpx.AsyncClient, url: str) -> tuple[bytes | None, str]:
    """What an address answers, or why it cannot be kept."""
    try:
        async with (
            asyncio.timeout(ANSWER_S),
            web.stream(
                "GET", url, headers={"user-agent": "watchfloor", "accept-encoding": "identity"}
            ) as answer,
        ):
            if not answer.is_success:
                return None, f"the answer was {answer.status_code}"
            content = bytearray()
            async for chunk in answer.aiter_raw():
                content += chunk
                if len(content) > LARGEST:
                    return None, f"the answer is larger than {LARGEST // 2**20} MiB"
            return bytes(content), ""
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return None, one_line(f"{type(error).__name__}: {error}", 200)


def _entry(settings: Settings, columns: Sequence[str], row: Row) -> tuple[str, bytes]:
    """The key and the value that a row means. Raises `PayloadError` where it has not the columns."""
    values = dict(zip(columns, map(unpacked, row), strict=True))
    for wanted in (settings.key_column, settings.value_column):
        if wanted is not None and wanted not in values:
            raise PayloadError("config.settings", f"the query yields no column {wanted!r}")
    key = values[settings.key_column or columns[0]]
    if settings.value_column is None:
        value = json.dumps(values, default=str, ensure_ascii=False).encode(errors="replace")
    else:
        chosen = values[settings.value_column]
        value = (
            chosen
            if isinstance(chosen, bytes)
            else str("" if chosen is None else chosen).encode(errors="replace")
        )
    return f"{settings.prefix}{key}", value


async def _put(
    settings: Settings, attempt: Attempt, client: Redis, entries: Sequence[tuple[str, bytes]]
) -> None:
    attempt.must_hold()
    milliseconds = None if settings.ttl is None else round(float(settings.ttl) * 1000)
    async with client.pipeline(transaction=False) as pipe:
        for key, value in entries:
            pipe.set(key, value, px=milliseconds)
        if settings.tag is not None and entries:
            pipe.sadd(settings.tag, *(key for key, _ in entries))
        await pipe.execute()
    await asyncio.sleep(len(entries) / settings.pace)


async def _statistics(settings: Settings, attempt: Attempt, client: Redis) -> None:
    info: dict[str, Any] = await client.info()
    hits, misses = int(info.get("keyspace_hits", 0)), int(info.get("keyspace_misses", 0))
    asked = hits + misses
    told = {
        "keys": await client.dbsize(),
        "memory": info.get("used_memory"),
        "memory_limit": info.get("maxmemory") or None,
        "hits": hits,
        "misses": misses,
        "hit_rate": round(100 * hits / asked, 2) if asked else None,
        "evictions": info.get("evicted_keys"),
        "expired": info.get("expired_keys"),
        "clients": info.get("connected_clients"),
        "version": info.get("redis_version"),
    }
    await attempt.say(json.dumps(told), "result")
    for name, value in told.items():
        await attempt.say(f"{name.replace('_', ' ')}: {'unknown' if value is None else value}")


def _shown(key: Any) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)
