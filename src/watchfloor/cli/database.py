"""``watchfloor database``: status, backup and restore, of the embedded server or of the one that is named."""

from __future__ import annotations

import asyncio
import json as encoder
from datetime import datetime
from pathlib import Path

from watchfloor.cli.ground import stand
from watchfloor.cli.options import Options
from watchfloor.cli.place import place_for
from watchfloor.domain.shape import plain
from watchfloor.store import archiving
from watchfloor.store import backup as copies
from watchfloor.store.address import shown
from watchfloor.store.backup import BackupError
from watchfloor.store.database import Database, fetch_one
from watchfloor.store.embedded import find_binaries
from watchfloor.store.embedded import status as embedded_status


def status(options: Options, *, as_json: bool) -> int:
    """Print which database is used and how it is; starts nothing. 0 when it answers, 1 otherwise."""
    place = place_for(options)
    if place.database is not None:
        facts = asyncio.run(_named(place.database))
        running = True
    else:
        found = embedded_status(place.data_dir)
        running = found.running
        facts = {
            key: str(value) if isinstance(value, Path) else value for key, value in _fields(found).items()
        }
    if as_json:
        print(encoder.dumps(facts, indent=2))
    else:
        for key, value in facts.items():
            print(f"{key.replace('_', ' '):<12} {value if value is not None else '-'}")
    return 0 if running else 1


def _fields(found: object) -> dict[str, object]:
    facts = plain(found)
    assert isinstance(facts, dict)
    return {"database": "embedded", **facts}


async def _named(dsn: str) -> dict[str, object]:
    database = Database(dsn, name="status", size=1, statement_timeout=10.0)
    try:
        async with database.transaction() as connection:
            row = await fetch_one(
                connection,
                "SELECT current_setting('server_version'), pg_database_size(current_database())",
            )
    finally:
        await database.close()
    return {"database": shown(dsn), "state": "running", "version": row[0], "size": row[1]}


def backup(options: Options, path: Path) -> int:
    """Write a backup. Raises `BackupError`."""
    ground = stand(place_for(options), print)
    try:
        report = copies.backup(ground.dsn, path, find_binaries().bin)
    finally:
        ground.leave()
    print(f"wrote {report.path}: {report.size / 1e6:.1f} MB in {report.seconds:.1f} s")
    return 0


def restore(options: Options, path: Path) -> int:
    """Restore a backup into an empty database. Raises `BackupError`."""
    ground = stand(place_for(options), print)
    try:
        report = copies.restore(ground.dsn, path, find_binaries().bin)
    finally:
        ground.leave()
    print(f"restored {report.path} into {ground.label} in {report.seconds:.1f} s")
    return 0


def archive(options: Options, path: Path | None) -> int:
    """Keep the log of the embedded server apart, or no more (None). Raises `BackupError`."""
    data_dir = _embedded(options)
    if path is None:
        archiving.archive_off(data_dir)
        print("the log is kept apart no more, from the next start of the database on")
    else:
        archiving.archive_on(data_dir, path)
        print(f"the log is kept in {path}, from the next start of the database on; then write a base backup")
    return 0


def base_backup(options: Options, path: Path) -> int:
    """Copy the whole cluster of the embedded server. Raises `BackupError`."""
    size = archiving.base_backup(_embedded(options), path)
    print(f"wrote {path}: {size / 1e6:.1f} MB")
    return 0


def recover(options: Options, base: Path, archive: Path, to: datetime | None) -> int:
    """Recover a moment into the data directory that was named, which must be new. Raises `BackupError`."""
    data_dir = _embedded(options)
    archiving.recover(data_dir, base, archive, to, print)
    moment = "the end of the archive" if to is None else to.isoformat(sep=" ")
    print(f"recovered {moment} into {data_dir}")
    return 0


def _embedded(options: Options) -> Path:
    place = place_for(options)
    if place.database is not None:
        raise BackupError(
            f"The database is {shown(place.database)}, a PostgreSQL of your own: use its own tools for this."
        )
    return place.data_dir
