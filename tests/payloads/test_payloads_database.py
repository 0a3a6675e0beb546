"""DATABASE jobs on real servers: bound values, one transaction or none, limits, a cancel that reaches the server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import oracledb
import psycopg
import pytest
import sqlalchemy.exc
from pydantic import ValidationError

from payloads.conftest import Stage
from payloads.payload_children import Heard
from payloads.payload_services import MARIADB, POSTGRES, connected, needed, running, table
from support.waiting import until, until_now
from watchfloor.payloads import sql_makes, sql_work
from watchfloor.payloads.child_side import Ended
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.database import Settings, run

BOTH = pytest.mark.parametrize("dsn", [POSTGRES, MARIADB], ids=["postgresql", "mariadb"])
SLEEP = {POSTGRES: "WITH s AS (SELECT pg_sleep(1000)) TABLE s -- {}", MARIADB: "SELECT sleep(1000) -- {}"}
HOSTILE = "'; DROP TABLE x; -- \\ \" % :a $(id) ü 💥"


def asked(dsn: str, **written: Any) -> dict[str, Any]:
    settings = Settings.model_validate({"dsn": dsn, **written})
    return {
        "dsn": dsn, "statements": settings.all, "params": settings.params, "rows": settings.rows,
        "bytes": settings.bytes, "transaction": settings.mode == "transaction", "read_only": settings.read_only,
        "statement_timeout": float(settings.statement_timeout),
    }  # fmt: skip


def do(dsn: str, **written: Any) -> Heard:
    out = Heard()
    sql_work.work(asked(needed(dsn), **written), out)
    return out


def results(out: Heard) -> list[Any]:
    return [json.loads(each["say"]) for each in out.told if each.get("stream") == "result"]


@contextmanager
def fails(error_class: str) -> Any:
    with pytest.raises(PayloadError) as caught:
        yield caught
    assert caught.value.error_class == error_class, str(caught.value)
    assert str(caught.value).isprintable()


@BOTH
def test_values_arrive_as_they_are_whatever_is_in_them(dsn: str) -> None:
    out = do(
        dsn, sql="SELECT :a AS a, :n + 1 AS n, ':a' AS fixed, '10:30 % 5' AS colon -- :comment",
        params={"a": HOSTILE, "n": 41},
    )  # fmt: skip
    (row,) = results(out)
    assert row["a"] == HOSTILE
    assert int(row["n"]) == 42
    assert (row["fixed"], row["colon"]) == (":a", "10:30 % 5")


@BOTH
def test_all_statements_or_none(dsn: str) -> None:
    with table(dsn, "a int primary key") as name:
        wrong = [
            f"INSERT INTO {name} VALUES (1)",
            f"INSERT INTO {name} VALUES (2)",
            f"INSERT INTO {name} VALUES (1)",
        ]
        with fails("db.constraint"):
            do(dsn, statements=wrong)
        assert results(do(dsn, sql=f"SELECT count(*) AS n FROM {name}")) == [{"n": 0}]
        with fails("db.constraint"):
            do(dsn, statements=wrong, mode="autocommit")
        assert results(do(dsn, sql=f"SELECT count(*) AS n FROM {name}")) == [{"n": 2}]
        assert "2 rows touched" in do(dsn, sql=f"DELETE FROM {name}").said[0]


@BOTH
@pytest.mark.parametrize(
    "sql", ["INSERT INTO {} VALUES (1)", "UPDATE {} SET a = 2", "CREATE TABLE {}_b (a int)", "DROP TABLE {}"]
)
def test_read_only_writes_nothing(sql: str, dsn: str) -> None:
    with table(dsn, "a int", (1,)) as name:
        with fails("db.read_only"):
            do(dsn, statements=[f"SELECT * FROM {name}", sql.format(name)], read_only=True)
        assert results(do(dsn, sql=f"SELECT * FROM {name}", read_only=True)) == [{"a": 1}]


@BOTH
def test_what_goes_to_the_log_has_its_limits(dsn: str) -> None:
    with table(dsn, "a int", *((number,) for number in range(50))) as name:
        out = do(dsn, sql=f"SELECT a FROM {name} ORDER BY a", rows=10)
        assert [row["a"] for row in results(out)] == list(range(10))
        assert "10 rows shown, the rest is left out" in out.said[-1]
        wide = f"SELECT repeat('x', 100000) AS x FROM {name}"
        out = do(dsn, sql=wide, bytes=25_000)
        assert sum(len(line) for line in out.said) < 30_000


@BOTH
def test_a_result_of_many_rows_is_not_fetched_as_a_whole(dsn: str) -> None:
    many = {
        POSTGRES: "SELECT repeat('x', 1000) AS x FROM (SELECT generate_series(1, 100000000)) s",
        MARIADB: "SELECT repeat('x', 1000) AS x FROM seq_1_to_100000000",
    }[dsn]
    assert len(results(do(dsn, sql=many, rows=5, statement_timeout="30s"))) == 5


@BOTH
@pytest.mark.parametrize(
    ("sql", "error_class"),
    [
        ("SELECT * FROM there_is_none", "db.statement"), ("SELEKT 1", "db.statement"),
        ("{sleep}", "db.timeout"),
    ],
)  # fmt: skip
def test_what_went_wrong_has_a_class(sql: str, error_class: str, dsn: str) -> None:
    sleep = "SELECT pg_sleep(100)" if dsn == POSTGRES else "SELECT sleep(100)"
    with fails(error_class):
        do(dsn, sql=sql.format(sleep=sleep), statement_timeout="1s")


@BOTH
def test_locks_and_deadlocks_have_classes(dsn: str) -> None:
    wait = {
        POSTGRES: "SET LOCAL lock_timeout = '100ms'",
        MARIADB: "SET SESSION innodb_lock_wait_timeout = 1",
    }[dsn]
    with table(dsn, "a int", (1,)) as name, connected(dsn) as holder:
        holder.execute("BEGIN")
        holder.execute(f"UPDATE {name} SET a = 2")
        with fails("db.lock"):
            do(dsn, statements=[wait, f"UPDATE {name} SET a = 3"])
        holder.execute("ROLLBACK")


def test_a_serialization_failure_has_its_class() -> None:
    make = sql_makes.POSTGRES
    import sqlalchemy.exc

    for error, expected in (
        (psycopg.errors.SerializationFailure("x"), "db.serialization"),
        (psycopg.errors.DeadlockDetected("x"), "db.serialization"),
        (psycopg.errors.AdminShutdown("x"), "db.connection"),
        (psycopg.errors.NumericValueOutOfRange("x"), "db.data"),
        (psycopg.errors.InsufficientPrivilege("x"), "db.permission"),
        (psycopg.errors.RaiseException("x"), "db.other"),
    ):
        wrapped = sqlalchemy.exc.DBAPIError("SELECT", {}, error)
        assert sql_makes.failure(make, wrapped).error_class == expected


@pytest.mark.parametrize(
    ("dsn", "error_class"),
    [
        ("postgresql://nobody:hunter2hunter2@127.0.0.1:1/x", "db.connection"),
        ("mysql://nobody:hunter2hunter2@127.0.0.1:1/x", "db.connection"),
        ("mysql://nobody:hunter2hunter2@127.0.0.1/x", "db.permission"),
        ("sqlserver://nobody:hunter2hunter2@127.0.0.1:1/x", "db.connection"),
        ("oracle://nobody:hunter2hunter2@127.0.0.1:1/x", "db.connection"),
        ("postgresql://postgres@127.0.0.1/there_is_none", "db.connection"),
    ],
)
def test_nobody_there_or_no_way_in_is_told_without_the_password(dsn: str, error_class: str) -> None:
    needed(MARIADB)
    with pytest.raises(PayloadError) as caught:
        sql_work.work(asked(dsn, sql="SELECT 1"), Heard())
    assert caught.value.error_class == error_class
    assert "hunter2" not in str(caught.value)


FIRST_IS_SILENT = """
import os, socket, sys, threading
from watchfloor.payloads import sql_makes
silent = socket.create_server(("127.0.0.1", 0))
asked = f"oracle://watch:secret@127.0.0.1:{silent.getsockname()[1]}/x"
threading.Thread(target=sql_makes.Session, args=(asked, 60.0), daemon=True).start()
held = silent.accept()[0]
held.recv(1)  # the first connection waits for an answer from now on
try:
    sql_makes.Session("oracle://watch:secret@127.0.0.1:1/x", 60.0)
except sql_makes.PayloadError as error:
    print(error.error_class, flush=True)
os._exit(0)
"""


def test_an_oracle_server_that_is_silent_keeps_nobody_from_others() -> None:
    told = subprocess.run(
        [sys.executable, "-c", FIRST_IS_SILENT], capture_output=True, text=True, timeout=60, check=False
    )
    assert told.stdout == "db.connection\n", told.stderr


class OracleAtWork:
    """A session of Oracle whose statement goes on until the driver is told to cancel it."""

    def __init__(self) -> None:
        self.begun, self.broken_off = threading.Event(), threading.Event()
        self.raw = SimpleNamespace(call_timeout=0, cancel=self.broken_off.set)
        self.connection = SimpleNamespace(dbapi_connection=self.raw)
        self.said: list[str] = []

    def connect(self) -> OracleAtWork:
        return self

    def exec_driver_sql(self, text: str) -> None:
        self.said.append(text)

    def execute(self, *_: object, **__: object) -> None:
        self.begun.set()
        assert self.broken_off.wait(60)
        told = oracledb.DatabaseError("ORA-01013: user requested cancel of current operation")
        raise sqlalchemy.exc.DatabaseError("SELECT", {}, told)

    def close(self) -> None:
        self.said.append("closed")

    def dispose(self) -> None:
        self.said.append("gone")


def test_a_cancel_reaches_an_oracle_server(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle, out = OracleAtWork(), Heard()
    assert vars(oracle.raw).keys() <= set(dir(oracledb.Connection))
    monkeypatch.setattr(sql_makes.Session, "_made", lambda _: oracle)
    wish = asked(
        "oracle://watch:secret@127.0.0.1/x", sql="SELECT 1 FROM dual", read_only=True, statement_timeout="90s"
    )
    with ThreadPoolExecutor() as pool:
        work = pool.submit(sql_work.work, wish, out)
        assert oracle.begun.wait(60)
        out.end()
        with pytest.raises(Ended):
            work.result()
    assert oracle.raw.call_timeout == 90_000
    assert oracle.said == ["SET TRANSACTION READ ONLY", "closed", "gone"]
    assert out.told == []


def test_a_driver_that_is_missing_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with fails("config.driver") as caught:
        sql_work.work(asked(MARIADB, sql="SELECT 1"), Heard())
    assert "install watchfloor[mysql]" in str(caught.value)


@BOTH
async def test_a_cancel_ends_the_statement_on_the_server(dsn: str, stage: Stage) -> None:
    mark = f"wf-cancel-{os.getpid()}"
    settings = Settings.model_validate({"dsn": needed(dsn), "sql": SLEEP[dsn].format(mark)})
    task = asyncio.create_task(run(settings, stage.attempt()))
    await until(lambda: running(dsn, mark))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not running(dsn, mark), timeout=5)


NODE = """
import asyncio, sys
from datetime import UTC, datetime
from uuid import UUID
from watchfloor.payloads.contract import Attempt
from watchfloor.payloads.database import Settings, run

async def output(stream, chunk):
    pass

settings = Settings.model_validate({"dsn": sys.argv[1], "sql": sys.argv[2]})
asyncio.run(run(settings, Attempt(1, UUID(int=1), 1, "job", datetime.now(UTC), output)))
"""


@BOTH
def test_where_the_node_is_killed_the_statement_ends_as_well(dsn: str) -> None:
    mark = f"wf-killed-{os.getpid()}"
    with subprocess.Popen([sys.executable, "-c", NODE, needed(dsn), SLEEP[dsn].format(mark)]) as node:
        until_now(lambda: running(dsn, mark))
        node.send_signal(signal.SIGKILL)
        node.wait()
        until_now(lambda: not running(dsn, mark), timeout=15)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"sql": "SELECT 1; DROP TABLE x"}, "sql holds 2 statements; write each as an item of statements"),
        ({"statements": ["SELECT 1", "SELECT 2; SELECT 3"]}, "statement 2 holds 2 statements"),
        ({"sql": "-- nothing"}, "holds no statement"),
        ({"sql": "SELECT 'x"}, "does not end"),
        ({"sql": "SELECT 1 /* x"}, "does not end"),
        ({"sql": "SELECT :a"}, "no value for :a"),
        ({"sql": "SELECT 1", "params": {"a": 1}}, "which no statement uses"),
        ({"sql": "COMMIT"}, "set mode and read_only instead"),
        ({"statements": ["SET TRANSACTION READ WRITE", "SELECT 1"]}, "set mode and read_only instead"),
        ({"sql": "SELECT 1", "read_only": True, "mode": "autocommit"}, "read_only needs"),
        ({}, "needs either sql or statements"),
        ({"sql": "SELECT 1", "dsn": "sqlite:///x"}, "the address must begin with"),
        ({"sql": "SELECT 1", "dsn": "mysql://host/x?init_command=x"}, "option that is not known"),
        ({"sql": "SELECT 1", "dsn": "sqlserver://host/x", "read_only": True}, "SQL Server cannot promise"),
    ],
)
def test_mistakes_are_found_when_they_are_written(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"dsn": POSTGRES, **written})
    assert words in str(caught.value)
