"""The version of the tables: brought up to date once, refused when newer, held to the rules for facts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import watchfloor.store.migrations as migrations
from support.databases import Server, name_of
from support.make import at, make_services
from support.sql import column, one, rows
from watchfloor.store import schema
from watchfloor.store.database import Database
from watchfloor.store.errors import StoreError, explain, is_away
from watchfloor.store.partitions import FACTS, MONTHLY
from watchfloor.store.schema import HEAD, KNOWN, ensure_schema, require_schema
from watchfloor.store.upgrade import REFUSED, refused, upgrade


@pytest.fixture
async def empty(empty_dsn: str):
    database = Database(empty_dsn, name="test")
    yield database
    await database.close()


async def test_an_empty_database_gets_every_table_and_a_second_start_does_nothing(empty: Database) -> None:
    assert await ensure_schema(empty) is True
    assert await one(empty, "SELECT version_num FROM alembic_version") == HEAD
    assert await ensure_schema(empty) is False
    await require_schema(empty)


async def test_many_nodes_that_start_together_migrate_once(empty_dsn: str) -> None:
    databases = [Database(empty_dsn, name=f"test {n}", size=1) for n in range(5)]
    try:
        did = await asyncio.gather(*(ensure_schema(database) for database in databases))
        assert sorted(did) == [False, False, False, False, True]
    finally:
        for database in databases:
            await database.close()


async def test_a_migration_that_fails_leaves_nothing_behind(
    empty_dsn: str, empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_revision = command.upgrade

    def break_off(config: Config, revision: str) -> None:
        to_revision(config, revision)
        raise ZeroDivisionError

    monkeypatch.setattr(command, "upgrade", break_off)
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(upgrade, empty_dsn)
    assert await one(empty, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0


async def test_an_upgrade_that_outlived_its_node_and_that_of_the_next_node_make_the_tables_once(
    empty_dsn: str, empty: Database
) -> None:
    await asyncio.gather(*(asyncio.to_thread(schema._upgrade, empty_dsn) for _ in range(3)))
    assert await one(empty, "SELECT version_num FROM alembic_version") == HEAD


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "told"),
    [
        (1, b"", b"Traceback\nImportError: no module \x1b[2J", "ImportError: no module"),
        (-9, b"", b"", "exit status -9"),
        (REFUSED, b"", b"", "exit status 3"),
        (REFUSED, b'{"kind": 5}\n[1', b"", "exit status 3"),
    ],
)
async def test_an_upgrade_that_does_not_work_says_why(
    empty: Database, monkeypatch: pytest.MonkeyPatch, status: int, stdout: bytes, stderr: bytes, told: str
) -> None:
    ended = subprocess.CompletedProcess([], status, stdout, stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(RuntimeError) as caught:
        await ensure_schema(empty)
    assert str(caught.value) == f"the tables could not be brought up to date: {told}"


def test_what_the_database_said_to_an_upgrade_is_raised_as_if_it_had_said_it_here() -> None:
    def again(kind: str) -> psycopg.Error | None:
        return refused(b"a line of somebody else\n" + json.dumps({"kind": kind, "words": "no"}).encode())

    assert [
        type(again(kind)) for kind in ("InsufficientPrivilege", "OperationalError", "WF001", "dumps")
    ] == [
        psycopg.errors.InsufficientPrivilege,
        psycopg.OperationalError,
        psycopg.DatabaseError,
        psycopg.DatabaseError,
    ]
    assert str(again("WF001")) == "no"


async def test_a_database_that_goes_away_in_an_upgrade_is_away(empty: Database) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        await asyncio.to_thread(schema._upgrade, "postgresql://nobody@127.0.0.1:1/none")
    assert is_away(caught.value)


async def test_the_address_of_the_database_is_in_no_list_of_processes(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    run = subprocess.run

    def note(arguments: list[str], **more: object) -> object:
        seen.append(arguments)
        return run(arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", note)
    await ensure_schema(empty)
    assert seen == [[sys.executable, "-P", "-m", "watchfloor.store.upgrade"]]


async def test_an_upgrade_takes_an_address_in_any_locale_and_minds_no_settings_of_the_interpreter(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    monkeypatch.setenv("PYTHONINSPECT", "1")
    seen = Database(empty.conninfo + " application_name=wätchfloor", name="test")
    try:
        assert await ensure_schema(seen)
    finally:
        await seen.close()
    with pytest.raises(psycopg.OperationalError, match="dätabase"):
        await asyncio.to_thread(schema._upgrade, empty.conninfo + " dbname=dätabase")


async def test_an_upgrade_by_another_version_is_told(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "HEAD", "9998")
    monkeypatch.setattr(schema, "KNOWN", (*KNOWN, "9998"))
    with pytest.raises(StoreError, match=f"were brought to schema {HEAD}, this program works with 9998"):
        await ensure_schema(empty)


async def test_an_upgrade_is_of_the_very_code_that_asks_for_it(
    tmp_path: Path, empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "watchfloor"
    other.mkdir()
    (other / "__init__.py").write_text("raise ImportError('this is another one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert await ensure_schema(empty)


async def test_clocks_of_rules_that_wait_and_fire_survive_the_tables_of_many_kinds(
    empty_dsn: str, empty: Database
) -> None:
    await asyncio.to_thread(upgrade, empty_dsn, "0017")
    await make_services(empty, "waits", "fires", "well")
    await rows(
        empty,
        "INSERT INTO rules (name, selector, for_ms, channels, enabled, position, owner, origin, kind, condition, "
        "evaluated_at) VALUES ('busy', '{}', 0, '{}', true, 1, 'file', '', 'metric', '{}', %(at)s)",
        at=at(60),
    )
    await rows(
        empty,
        "INSERT INTO rule_series SELECT r.id, s.id, %(at)s, v.since, v.last_true, v.firing FROM rules r, services s "
        "JOIN (VALUES ('waits', %(since)s, %(at)s, false), ('fires', %(since)s, %(before)s, true), "
        "('well', NULL, NULL, false)) AS v(name, since, last_true, firing) USING (name)",
        at=at(60),
        since=at(0),
        before=at(50),
    )
    assert await ensure_schema(empty)
    said = "SELECT s.name, t.since, t.last_true, t.firing FROM rule_standings t JOIN services s ON s.id = t.service_id "
    assert await rows(empty, said + "WHERE t.instance = 'service:' || s.id ORDER BY s.name") == [
        ("fires", at(0), at(50), True),
        ("waits", at(0), None, False),
    ]
    assert await rows(empty, "SELECT tried_at, judged_at FROM rule_health") == [(at(60), at(60))]


@pytest.mark.parametrize("use", [ensure_schema, require_schema])
async def test_a_newer_schema_is_refused_and_left_alone(database: Database, use: object) -> None:
    await rows(database, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="the database has schema 9999, this program") as caught:
        await use(database)  # type: ignore[operator]
    assert str(caught.value).endswith(
        ("update this one", "run the same version as the nodes of this database")
    )
    assert await one(database, "SELECT version_num FROM alembic_version") == "9999"


async def test_a_console_that_only_attaches_refuses_a_database_without_tables(empty: Database) -> None:
    with pytest.raises(StoreError, match="start `watchfloor serve` on it first"):
        await require_schema(empty)
    assert await one(empty, "SELECT to_regclass('nodes')") is None


async def test_a_read_only_database_is_told_as_such(server: Server, empty_dsn: str) -> None:
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(
            f"ALTER DATABASE {name_of(empty_dsn)} SET default_transaction_read_only = on".encode()
        )
    database = Database(empty_dsn, name="test")
    with pytest.raises(psycopg.Error) as caught:
        await ensure_schema(database)
    await database.close()
    assert is_away(caught.value)
    assert "read-only" in explain(caught.value)


def test_the_program_knows_every_migration_and_works_with_the_newest() -> None:
    config = Config()
    config.set_main_option("script_location", next(iter(migrations.__path__)))
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == HEAD
    assert tuple(reversed([revision.revision for revision in script.walk_revisions()])) == KNOWN


async def test_exactly_the_fact_tables_are_partitioned_by_their_time(database: Database) -> None:
    found = await rows(
        database,
        "SELECT p.partrelid::regclass::text, a.attname::text, p.partstrat::text, p.partdefid "
        "FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]",
    )
    assert sorted(found) == sorted((table, column, "r", 0) for table, column in FACTS.items())


async def test_fact_tables_have_no_sequence_no_default_and_no_foreign_key_either_way(
    database: Database,
) -> None:
    facts = list(FACTS)
    defaults = await column(
        database,
        "SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a WHERE a.attnum > 0 "
        "AND a.attrelid::regclass::text = ANY(%(facts)s) AND (a.attidentity <> '' OR a.atthasdef)",
        facts=facts,
    )
    keys = await column(
        database,
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND "
        "(conrelid::regclass::text = ANY(%(facts)s) OR confrelid::regclass::text = ANY(%(facts)s))",
        facts=facts,
    )
    assert (defaults, keys) == ([], [])


async def test_the_key_of_a_fact_table_begins_with_its_owner_and_holds_its_time(database: Database) -> None:
    keys = dict(
        await rows(
            database,
            "SELECT c.conrelid::regclass::text, array_agg(a.attname::text ORDER BY k.n) FROM pg_constraint c "
            "CROSS JOIN unnest(c.conkey) WITH ORDINALITY k(attnum, n) "
            "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum "
            "WHERE c.contype = 'p' AND c.conrelid::regclass::text = ANY(%(facts)s) GROUP BY 1",
            facts=list(FACTS),
        )
    )
    owners = {
        "check_results": "service_id",
        "metric_raw": "service_id",
        "logs": "source_id",
        "task_runs": "node_id",
        "run_logs": "run_id",
        "run_archive": "id",
        **dict.fromkeys(MONTHLY, "service_id"),
        **dict.fromkeys(("result_1m", "metric_1m"), "service_id"),
    }
    assert {table: key[0] for table, key in keys.items()} == owners
    assert [table for table, time in FACTS.items() if time not in keys[table]] == []


async def test_every_foreign_key_has_an_index_that_finds_its_rows(database: Database) -> None:
    """Without one, deleting a row of the other table reads this one whole, once per row."""
    unindexed = await column(
        database,
        "SELECT c.conname FROM pg_constraint c WHERE c.contype = 'f' AND c.confdeltype <> 'a' AND NOT EXISTS "
        "(SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])",
    )
    assert unindexed == []


async def test_no_extension_beyond_the_language_of_triggers_is_needed(database: Database) -> None:
    assert await column(database, "SELECT extname FROM pg_extension") == ["plpgsql"]
