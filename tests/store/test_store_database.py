"""Connections, and what is said about those that cannot be had."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg import errors as pg

from support.databases import Server
from support.sql import one
from support.waiting import until
from watchfloor.store.address import shown
from watchfloor.store.database import Database, fetch_value
from watchfloor.store.errors import StoreError, explain, is_away


async def test_a_session_has_the_settings_that_everything_relies_on(database: Database) -> None:
    wanted = {
        "timezone": "UTC",
        "plan_cache_mode": "force_custom_plan",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "10s",
        "application_name": "watchfloor test",
    }
    assert {name: await one(database, f"SHOW {name}") for name in wanted} == wanted


async def test_what_the_address_says_itself_wins(dsn: str) -> None:
    database = Database(f"{dsn} options='-c statement_timeout=1234 -c work_mem=5MB'", name="test")
    try:
        assert await one(database, "SHOW statement_timeout") == "1234ms"
        assert await one(database, "SHOW work_mem") == "5MB"
        assert await one(database, "SHOW timezone") == "UTC"
    finally:
        await database.close()


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO series (name) VALUES ('x')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await one(database, "SELECT count(*) FROM series") == 0


async def test_kept_connections_that_were_cut_are_replaced_before_anybody_fails(database: Database) -> None:
    async with database.transaction() as first, database.transaction() as second:
        kept = [await fetch_value(each, "SELECT pg_backend_pid()") for each in (first, second)]
    other = await database.connect()
    for pid in kept:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    await other.close()
    assert await one(database, "SELECT 1") == 1


async def test_a_connection_that_is_cut_in_use_fails_once_and_is_replaced(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as connection:
            victim = await fetch_value(connection, "SELECT pg_backend_pid()")
            await one(database, "SELECT pg_terminate_backend(%(pid)s, 5000)", pid=victim)
            await connection.execute("SELECT 1")

    with pytest.raises(psycopg.OperationalError) as caught:
        await fail()
    assert is_away(caught.value)
    assert await one(database, "SELECT 1") == 1


async def test_connections_that_are_abandoned_free_what_they_held_at_once(
    dsn: str, database: Database
) -> None:
    lost = Database(dsn, name="lost")
    connection = await lost.connect()
    await connection.execute("SELECT pg_advisory_lock(4711)")
    lost.abandon()

    async def free() -> bool:
        return await one(database, "SELECT pg_try_advisory_xact_lock(4711)") is True

    await until(free)


async def test_who_was_in_the_middle_of_a_statement_when_connections_were_abandoned_gets_an_error(
    dsn: str, database: Database
) -> None:
    lost = Database(dsn, name="lost", size=20)
    asked = [asyncio.create_task(one(lost, "SELECT pg_sleep(600)")) for _ in range(20)]
    await until(
        lambda: one(database, "SELECT count(*) = 20 FROM pg_stat_activity WHERE query LIKE '%sleep(600)'")
    )
    lost.abandon()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, psycopg.OperationalError) and is_away(each) for each in told), told


async def test_more_transactions_than_connections_wait_for_their_turn(dsn: str) -> None:
    database = Database(dsn, name="test", size=2)
    found = await asyncio.gather(*(one(database, "SELECT pg_backend_pid()") for _ in range(20)))
    assert len(set(found)) <= 2
    await database.close()


async def test_a_transaction_that_is_cancelled_gives_its_connection_back_or_closes_it(
    database: Database,
) -> None:
    for _ in range(10):
        task = asyncio.create_task(one(database, "SELECT pg_sleep(60)"))
        await asyncio.wait({task}, timeout=0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await one(database, "SELECT 1") == 1


@pytest.mark.parametrize(
    "bad", ["postgresql://u:hunter2@h/db?nonsense=1", "host=h hunter2", "password='hunter2"]
)
def test_an_unreadable_address_is_refused_without_repeating_it(bad: str) -> None:
    for use in (shown, lambda dsn: Database(dsn, name="test")):
        with pytest.raises(StoreError, match="cannot be read; write it as postgresql://") as caught:
            use(bad)
        assert "hunter2" not in str(caught.value)


def test_an_address_is_shown_without_user_and_password() -> None:
    assert shown("postgresql://me:secret@db.example:5433/floor") == "db.example:5433/floor"
    assert shown("dbname=floor") == "local socket/floor"


async def _failure(dsn: str) -> str:
    database = Database(dsn, name="test")
    with pytest.raises(psycopg.OperationalError) as caught:
        await one(database, "SELECT 1")
    await database.close()
    assert is_away(caught.value)
    return explain(caught.value)


async def test_every_refusal_at_the_door_says_what_to_do(server: Server) -> None:
    nobody = psycopg.conninfo.make_conninfo(server.dsn, user="nobody_here", password="x")
    assert (await _failure(nobody)).startswith(
        "the database refuses this user or password; check `database:` in the config file: "
    )
    assert (await _failure(server.at("nowhere_here"))).startswith("there is no such database on this server")


async def test_a_server_that_is_not_there_is_named() -> None:
    said = await _failure("host=127.0.0.1 port=1 user=x")
    assert said.startswith("the database is away: ")
    assert 'at "127.0.0.1", port 1 failed: Connection refused' in said


def test_what_waiting_mends_is_away_and_what_was_sent_wrong_is_not() -> None:
    mended = (
        pg.AdminShutdown, pg.CannotConnectNow, pg.CrashShutdown, pg.DeadlockDetected, pg.DiskFull, pg.IoError,
        pg.IdleInTransactionSessionTimeout, pg.InsufficientPrivilege, pg.LockNotAvailable, pg.QueryCanceled,
        pg.ReadOnlySqlTransaction, pg.SerializationFailure, pg.TooManyConnections,
        psycopg.InterfaceError, ConnectionResetError, TimeoutError,
    )  # fmt: skip
    wrong = (
        pg.ProgramLimitExceeded, pg.StatementTooComplex, pg.UniqueViolation, pg.CheckViolation,
        pg.UntranslatableCharacter, psycopg.DataError, pg.UndefinedTable, ValueError, StoreError,
    )  # fmt: skip
    assert [kind for kind in mended if not is_away(kind("x"))] == []
    assert [kind for kind in wrong if is_away(kind("x"))] == []


async def test_a_row_that_is_too_long_for_its_index_is_not_taken_for_an_absent_server(
    database: Database,
) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        await one(
            database,
            "INSERT INTO series (name) SELECT string_agg(md5(n::text), '') FROM generate_series(1, 500) n RETURNING id",
        )
    assert isinstance(caught.value, pg.ProgramLimitExceeded)
    assert not is_away(caught.value)


def test_explanations_name_the_remedy() -> None:
    said = {
        pg.DiskFull("x"): "free space there",
        pg.ReadOnlySqlTransaction("x"): "point to the primary",
        pg.TooManyConnections("x"): "raise max_connections",
        pg.InsufficientPrivilege(
            "permission denied for table t"
        ): "lacks a right: permission denied for table t",
        TimeoutError("x"): "every connection of this process is busy",
        psycopg.OperationalError(""): "the database is away: OperationalError",
    }
    assert {str(error): explain(error) for error, words in said.items() if words not in explain(error)} == {}
