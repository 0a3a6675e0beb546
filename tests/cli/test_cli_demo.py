"""What demos leave that were killed is removed by the next one; what goes away meanwhile, or is in use, is let be."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from watchfloor.cli import demo
from watchfloor.store.embedded import EmbeddedError

LONG_AGO = (1.0, 1.0)


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = tmp_path / f"{demo.PREFIX}left"
    (made / "data").mkdir(parents=True)
    os.utime(made, LONG_AGO)
    return made


def test_what_a_killed_demo_left_is_removed(left: Path) -> None:
    demo._sweep()
    assert not left.exists()


def test_one_that_has_just_begun_is_let_be(left: Path) -> None:
    os.utime(left)
    demo._sweep()
    assert left.exists()


def test_one_that_goes_away_meanwhile_stops_nobody(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(data: Path) -> object:
        raise EmbeddedError(f"{data} cannot be used: No such file or directory")

    monkeypatch.setattr(demo, "status", gone)
    demo._sweep()
    assert left.exists()
