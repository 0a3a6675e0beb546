"""CACHE jobs against a real Redis: warmed from addresses and queries, cleared by key, pattern and tag."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio
from pydantic import ValidationError

from payloads.conftest import Stage
from payloads.payload_cases import http, server
from payloads.payload_services import POSTGRES, REDIS, needed, table
from watchfloor.payloads.cache import Settings, run
from watchfloor.payloads.contract import PayloadError


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    made = redis.asyncio.Redis.from_url(needed(REDIS), decode_responses=True)
    yield made
    await made.aclose()


@pytest.fixture
async def prefix(client: Any) -> AsyncIterator[str]:
    """How the keys of one test begin."""
    name = f"wf-test-{uuid4().hex}:"
    yield name
    if left := [key async for key in client.scan_iter(match=f"{name}*", count=1000)]:
        await client.delete(*left)


async def do(stage: Stage, operation: str, **more: Any) -> None:
    await run(Settings.model_validate({"dsn": REDIS, "operation": operation, **more}), stage.attempt())


async def refused(error_class: str, stage: Stage, operation: str, **more: Any) -> str:
    with pytest.raises(PayloadError) as caught:
        await do(stage, operation, **more)
    assert caught.value.error_class == error_class, str(caught.value)
    return str(caught.value)


async def test_answers_of_addresses_become_values_with_a_life(stage: Stage, client: Any, prefix: str) -> None:
    async with server(http("200 OK", b"page")) as good, server(http("500 No")) as bad:
        asked = {"urls": {"bad": bad, "good": good}, "prefix": prefix, "ttl": "1h", "tag": f"{prefix}tag"}
        words = await refused("cache.source", stage, "warm", **asked)
    assert words == "bad: the answer was 500", "the others are warmed all the same"
    assert await client.get(f"{prefix}good") == "page"
    assert 3500 < await client.ttl(f"{prefix}good") <= 3600
    assert await client.smembers(f"{prefix}tag") == {f"{prefix}good"}


async def test_rows_of_a_query_become_values(stage: Stage, client: Any, prefix: str) -> None:
    with table(POSTGRES, "id int, name text, price numeric", (1, "a", 1.5), (2, "ü", None)) as name:
        asked = {
            "database": POSTGRES,
            "sql": f"SELECT id, name, price FROM {name} ORDER BY id",
            "prefix": prefix,
        }
        await do(stage, "warm", **asked)
        assert json.loads(await client.get(f"{prefix}1")) == {"id": 1, "name": "a", "price": "1.5"}
        await do(stage, "warm", **asked, key_column="name", value_column="id")
        assert await client.get(f"{prefix}ü") == "2"
        await refused("config.settings", stage, "warm", **asked, key_column="none")
        await refused("db.statement", stage, "warm", **{**asked, "sql": "SELECT * FROM there_is_none"})


async def test_keys_go_by_name_pattern_and_tag(stage: Stage, client: Any, prefix: str) -> None:
    await client.mset({f"{prefix}{kind}:{number}": "x" for kind in "abc" for number in range(450)})
    await client.sadd(f"{prefix}tag", *(f"{prefix}c:{number}" for number in range(450)))
    await do(stage, "clear", keys=[f"{prefix}a:0", f"{prefix}none"])
    assert b"2 keys found, 1 cleared" in stage.printed["stdout"]
    await do(stage, "clear", pattern=f"{prefix}a:*", dry_run=True)
    assert await client.exists(f"{prefix}a:1") == 1
    await do(stage, "clear", pattern=f"{prefix}a:*")
    assert not [key async for key in client.scan_iter(match=f"{prefix}a:*", count=1000)]
    await do(stage, "clear", tag=f"{prefix}tag")
    left = [key async for key in client.scan_iter(match=f"{prefix}*", count=1000)]
    assert len(left) == 450
    assert all(key.startswith(f"{prefix}b:") for key in left)


async def test_clearing_is_paced(
    stage: Stage, client: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    await client.mset({f"{prefix}{number}": "x" for number in range(1000)})
    monkeypatch.setattr("watchfloor.payloads.cache.asyncio.sleep", pause)
    await do(stage, "clear", pattern=f"{prefix}*", pace=100)
    assert sum(pauses) >= 10


async def test_statistics_tell_hits_memory_keys_and_evictions(stage: Stage, client: Any, prefix: str) -> None:
    await client.set(f"{prefix}x", "x")
    await client.get(f"{prefix}x")
    await do(stage, "statistics")
    told = json.loads(stage.printed["result"])
    assert told["keys"] >= 1
    assert told["memory"] > 0
    assert 0 < told["hit_rate"] <= 100
    assert told["evictions"] >= 0


@pytest.mark.parametrize(
    ("dsn", "error_class"),
    [
        ("redis://127.0.0.1:1/0", "cache.connection"),
        ("redis://nobody:hunter2hunter2@127.0.0.1:6379/0", "cache.permission"),
    ],
)
async def test_no_way_in_is_told_without_the_password(dsn: str, error_class: str, stage: Stage) -> None:
    needed(REDIS)
    words = await refused(error_class, stage, "statistics", dsn=dsn)
    assert "hunter2" not in words


async def test_a_driver_that_is_missing_is_named_with_the_remedy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    assert "install watchfloor[cache]" in await refused("config.driver", stage, "statistics")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"operation": "clear"}, "exactly one of keys, pattern and tag"),
        ({"operation": "clear", "keys": ["a"], "tag": "b"}, "exactly one of"),
        ({"operation": "clear", "pattern": "*"}, "set everything: true"),
        ({"operation": "warm"}, "either urls or database and sql"),
        ({"operation": "warm", "sql": "SELECT 1"}, "database and sql belong together"),
        ({"operation": "warm", "sql": "SELECT 1; SELECT 2", "database": POSTGRES}, "holds 2 statements"),
        ({"operation": "statistics", "dsn": "http://x"}, "must be a redis://"),
    ],
)
def test_mistakes_are_found_when_they_are_written(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"dsn": REDIS, **written})
    assert words in str(caught.value)
