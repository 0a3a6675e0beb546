"""Noticing changes: of the file and of what it refers to, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from config_kinds import load_text

from watchfloor.config import watch
from watchfloor.config.watch import ConfigWatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("services: []\n")
    age(path)
    return path


def age(path: Path, seconds: float = 3600) -> None:
    """Make a file look as if it had been written a while ago."""
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_nothing_changes_while_nothing_changes(file: Path) -> None:
    follower = ConfigWatch(file)
    assert not any(follower.changed() for _ in range(3))


def test_new_content_is_noticed_once(file: Path) -> None:
    follower = ConfigWatch(file)
    file.write_text("services:\n")
    assert follower.changed()
    assert not follower.changed()


def test_touching_and_rewriting_the_same_content_does_nothing(file: Path) -> None:
    follower = ConfigWatch(file)
    os.utime(file)
    assert not follower.changed()
    file.write_text("services: []\n")
    assert not follower.changed()


def test_a_change_within_the_same_time_stamp_is_noticed(file: Path) -> None:
    follower = ConfigWatch(file)
    file.write_text("services: [1]\n")
    assert follower.changed()
    stamp = file.stat()
    file.write_text("services: [2]\n")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert follower.changed()


def test_a_file_that_is_replaced_appears_or_vanishes_is_noticed(file: Path) -> None:
    follower = ConfigWatch(file)
    other = file.with_name("other")
    other.write_text("node:\n")
    other.replace(file)
    assert follower.changed()
    file.unlink()
    assert follower.changed()
    assert not follower.changed()
    file.mkdir()
    assert follower.changed()


def test_referenced_files_are_followed_with_their_permissions(file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    follower = ConfigWatch(file, [secret])
    assert not follower.changed()
    secret.write_text("a")
    secret.chmod(0o644)
    assert follower.changed()
    secret.chmod(0o600)
    assert follower.changed(), "a file that was refused for its permissions may be fine now"
    follower.follow([])
    secret.write_text("b")
    assert not follower.changed()


def test_a_change_between_loading_and_watching_is_noticed(file: Path, tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "services: []\n").required()
    file.write_text("services:\n")
    follower = ConfigWatch(file, loaded.files, loaded.digest)
    assert follower.changed()
    assert not follower.changed()
    assert not ConfigWatch(file, (), load_text(tmp_path, "services:\n").required().digest).changed()


def test_an_old_file_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = ConfigWatch(file)
    monkeypatch.setattr(watch, "RECENT_NS", 0)

    def refuse(path: Path, limit: int) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(watch, "read_small", refuse)
    assert not follower.changed()
