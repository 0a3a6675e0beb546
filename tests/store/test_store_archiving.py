"""Point-in-time recovery, rehearsed: base backup and log to a moment, into a new place, with the server's own tools."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from support.waiting import until_now
from watchfloor.store.archiving import archive_off, archive_on, base_backup, recover
from watchfloor.store.backup import BackupError
from watchfloor.store.embedded import Embedded, EmbeddedError

WROTE = "INSERT INTO told (word) VALUES (%s)"


def write(server: Embedded, word: str) -> datetime:
    """Commit a word; returns a moment after it that is also before whatever comes next."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS told (word text)")
        connection.execute(WROTE, (word,))
        row = connection.execute("SELECT clock_timestamp() + interval '10 ms'").fetchone()
    assert row is not None
    until_now(lambda: datetime.now(UTC) > row[0])
    return row[0]  # type: ignore[no-any-return]


def words(data_dir: Path) -> list[str]:
    with Embedded.start(data_dir) as server, psycopg.connect(server.dsn) as connection:
        connection.execute(WROTE, ("it can be written to",))
        connection.rollback()
        return [row[0] for row in connection.execute("SELECT word FROM told ORDER BY word").fetchall()]


def finish_log(server: Embedded, archive: Path) -> None:
    """Have the present piece of the log finished, and wait until it is in the archive."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        row = connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
        assert row is not None
        for at in range(2):  # the second is needed where the first only began a new piece
            connection.execute("CREATE TABLE IF NOT EXISTS filler (n int)")
            connection.execute("INSERT INTO filler VALUES (%s)", (at,))
    superuser = server.dsn.replace("watchfloor:", "postgres:", 1)
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("SELECT pg_switch_wal()")
    until_now(lambda: (archive / row[0]).exists())


def test_any_moment_after_a_base_backup_can_be_had_again(server_dir: Path) -> None:
    home, archive, base = server_dir / "home", server_dir / "archive", server_dir / "base"
    with Embedded.start(home) as server:
        write(server, "1 before")
    archive_on(home, archive)
    with Embedded.start(home) as server:
        assert base_backup(home, base) > 10_000_000
        between = write(server, "2 good")
        write(server, "3 the mistake")
        finish_log(server, archive)
        write(server, "4 never archived")
    recover(server_dir / "then", base, archive, between)
    assert words(server_dir / "then") == ["1 before", "2 good"]
    recover(server_dir / "last", base, archive, None)
    assert words(server_dir / "last")[:3] == ["1 before", "2 good", "3 the mistake"]
    assert words(home)[-1] == "4 never archived"
    assert not list(archive.glob(".*"))
    mode = (base / "password").stat().st_mode
    assert mode & 0o077 == 0


def test_what_cannot_be_recovered_is_said_and_harms_nothing(server_dir: Path) -> None:
    home, archive, base = server_dir / "home", server_dir / "archive", server_dir / "base"
    with Embedded.start(home) as server:
        write(server, "1 before")
        with pytest.raises(BackupError, match="keeps no log apart"):
            base_backup(home, base)
    archive_on(home, archive)
    with Embedded.start(home) as server:
        base_backup(home, base)
        write(server, "2 later")
        finish_log(server, archive)
        with pytest.raises(BackupError, match="replaces nothing"):
            base_backup(home, base)
    with pytest.raises(BackupError, match="has a database already"):
        recover(home, base, archive, None)
    with pytest.raises(EmbeddedError, match="before configured recovery target was reached"):
        recover(server_dir / "future", base, archive, datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(BackupError, match="no archive"):
        recover(server_dir / "nowhere", base, server_dir / "none", None)
    with pytest.raises(BackupError, match="shell"):
        archive_on(home, server_dir / "a'b")
    os.truncate(next((base / "cluster" / "base").rglob("PG_VERSION")), 0)
    with pytest.raises(BackupError, match="is damaged"):
        recover(server_dir / "broken", base, archive, None)
    archive_off(home)
    before = sorted(each.name for each in archive.iterdir())
    with Embedded.start(home) as server:
        write(server, "3 not kept apart")
    assert sorted(each.name for each in archive.iterdir()) == before
    assert words(home) == ["1 before", "2 later", "3 not kept apart"]
