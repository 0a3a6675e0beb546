"""Rows to Kafka: every one arrives, whatever is killed; the place is kept only by whoever holds the run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from payloads.conftest import Stage
from payloads.payload_services import POSTGRES, connected, everything, kafka, table
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.db_to_kafka import Settings, run

NODE = """
import asyncio, json, os, sys
from datetime import UTC, datetime
from uuid import UUID
from watchfloor.payloads.contract import Attempt
from watchfloor.payloads.db_to_kafka import Settings, run

class Kept:
    path = sys.argv[2]
    async def load(self):
        return json.load(open(self.path)) if os.path.exists(self.path) else None
    async def save(self, value):
        json.dump(value, open(self.path + ".new", "w"))
        os.rename(self.path + ".new", self.path)

async def output(stream, chunk):
    print(chunk.decode(), end="", flush=True)

attempt = Attempt(1, UUID(int=1), 1, "orders", datetime.now(UTC), output, checkpoint=Kept())
asyncio.run(run(Settings.model_validate_json(sys.argv[1]), attempt))
"""


@contextmanager
def rows(number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """A table with so many rows, a cluster, and settings that send from the one to the other."""
    with table(POSTGRES, "id int primary key, name text, at timestamptz") as name, kafka("orders") as brokers:
        with connected(POSTGRES) as cursor:
            cursor.execute(
                f"INSERT INTO {name} SELECT n, 'row ' || n, '2026-01-01Z'::timestamptz + n / 10 * interval '1 s' "
                f"FROM generate_series(1, {number}) n"
            )
        yield name, {
            "database": POSTGRES, "sql": f"SELECT id, name, at FROM {name} WHERE id > :after ORDER BY id",
            "cursor_column": "id", "start": 0, "kafka": brokers, "topic": "orders", "key_column": "id", "batch": 50,
        }  # fmt: skip


async def send(stage: Stage, written: dict[str, Any], **more: Any) -> None:
    await run(Settings.model_validate({**written, **more}), stage.attempt(checkpoint=stage))


async def test_rows_arrive_in_order_and_the_next_run_goes_on(stage: Stage) -> None:
    with rows(120) as (name, written):
        await send(stage, written)
        assert stage.saved[-1] == {"after": 120}
        await send(stage, written)
        with connected(POSTGRES) as cursor:
            cursor.execute(f"INSERT INTO {name} VALUES (121, 'late', NULL)")
        await send(stage, written)
        found = await everything(written["kafka"], "orders", 121)
    assert sorted(json.loads(message.value)["id"] for message in found) == list(range(1, 122))
    first = next(message for message in found if message.key == b"7")
    assert json.loads(first.value) == {"id": 7, "name": "row 7", "at": "2026-01-01T00:00:00+00:00"}
    assert dict(first.headers)["cursor"] == b"7"
    assert stage.printed["stdout"].decode().splitlines()[-1] == "1 rows sent in all"


async def test_where_values_repeat_the_place_stays_before_them(stage: Stage) -> None:
    with rows(100) as (name, written):
        by_time = {
            **written, "cursor_column": "at", "start": "2000-01-01", "batch": 7,
            "sql": f"SELECT id, at FROM {name} WHERE at > :after ORDER BY at",
        }  # fmt: skip
        await send(stage, by_time)
        found = await everything(written["kafka"], "orders", 100)
        for saved in stage.saved:
            after = saved["after"]["moment"]
            with connected(POSTGRES) as cursor:
                cursor.execute(f"SELECT count(*) FROM {name} WHERE at <= %s", (after,))
                assert cursor.fetchone()[0] <= len(found)
        assert len(stage.saved) > 5
        again = Stage()
        again.saved = [stage.saved[3]]
        await send(again, by_time)
        with connected(POSTGRES) as cursor:
            cursor.execute(f"SELECT count(*) FROM {name} WHERE at > %s", (stage.saved[3]["after"]["moment"],))
            left = cursor.fetchone()[0]
    assert again.printed["stdout"].decode().splitlines()[-1] == f"{left} rows sent in all"


async def test_killed_again_and_again_nothing_is_lost(tmp_path: Path) -> None:
    place = tmp_path / "checkpoint"
    with rows(2000) as (_, written):
        command = [sys.executable, "-c", NODE, json.dumps(written), str(place)]
        for batches in (1, 3, 7):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
                assert node.stdout
                for _ in range(batches):
                    assert node.stdout.readline().startswith("sent ")
                node.kill()
                node.wait()
        assert 0 < json.loads(place.read_text())["after"] < 2000, "it was killed in the middle"
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        assert json.loads(place.read_text()) == {"after": 2000}
        found = await everything(written["kafka"], "orders", 2000)
    arrived = [json.loads(message.value)["id"] for message in found]
    assert set(arrived) == set(range(1, 2001))
    assert len(arrived) <= 2000 + 3 * 50, "at most one batch twice for each kill"


async def test_an_attempt_whose_run_is_another_s_stops_there(stage: Stage) -> None:
    class Refused(Stage):
        async def save(self, value: Any) -> None:
            raise PayloadError("worker.lost", "the run is another's by now")

    with rows(500) as (_, written):
        zombie = Refused()
        with pytest.raises(PayloadError) as caught:
            await run(Settings.model_validate(written), zombie.attempt(checkpoint=zombie))
        assert caught.value.error_class == "worker.lost"
        assert len(await everything(written["kafka"], "orders", 50)) == 50


@pytest.mark.parametrize(
    ("more", "error_class"),
    [
        ({"cursor_column": "none"}, "rows.column"),
        ({"key_column": "none"}, "rows.column"),
        ({"sql": "SELECT * FROM {} WHERE id > :after ORDER BY id DESC"}, "rows.order"),
        ({"sql": "SELECT NULL::int AS id, name FROM {} WHERE id > :after"}, "rows.order"),
        ({"sql": "SELECT * FROM there_is_none WHERE id > :after"}, "db.statement"),
        ({"topic": "there-is-none"}, "mq.missing"),
        ({"kafka": "kafka://127.0.0.1:1"}, "mq.connection"),
    ],
)
async def test_what_cannot_be_sent_is_told_and_the_place_is_not_moved(
    more: dict[str, Any], error_class: str, stage: Stage
) -> None:
    with rows(20) as (name, written):
        if "sql" in more:
            more = {**more, "sql": more["sql"].format(name)}
        with pytest.raises(PayloadError) as caught:
            await send(stage, written, **more)
    assert caught.value.error_class == error_class, str(caught.value)
    assert stage.saved == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sql": "SELECT 1 AS id"}, ""),
        ({"sql": "SELECT :after; SELECT 2"}, "holds 2 statements"),
        ({"params": {"after": 1}}, "set start instead"),
        ({"topic": "a b"}, ""),
    ],
)
def test_mistakes_are_found_when_they_are_written(more: dict[str, Any], words: str) -> None:
    written = {
        "database": POSTGRES, "sql": "SELECT id FROM t WHERE id > :after ORDER BY id", "cursor_column": "id",
        "start": 0, "kafka": "kafka://x", "topic": "t",
    }  # fmt: skip
    Settings.model_validate(written)
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({**written, **more})
    assert words in str(caught.value)
