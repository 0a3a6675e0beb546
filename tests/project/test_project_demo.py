"""What a demo that was killed leaves behind is gone with the next one, and nothing else is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from watchfloor.cli import demo


def test_only_what_killed_demos_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    long_ago = (1_000_000_000, 1_000_000_000)
    for name in ("watchfloor-demo-old", "watchfloor-demo-new", "something-else"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("")
    (tmp_path / "watchfloor-demo-link").symlink_to(tmp_path / "something-else")
    for name in ("watchfloor-demo-old", "something-else"):
        os.utime(tmp_path / name, long_ago)
    demo._sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "something-else",
        "watchfloor-demo-link",
        "watchfloor-demo-new",
    ]
