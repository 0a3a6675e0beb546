"""Where the file and the data are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchfloor.config import locate
from watchfloor.config.locate import default_data_dir, expanded, find_config


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system-wide file that does not exist yet."""
    path = tmp_path / "etc" / "config.yaml"
    monkeypatch.setattr(locate, "SYSTEM_CONFIG", path)
    return path


def create(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_the_first_file_of_the_order_is_taken(tmp_path: Path, system: Path) -> None:
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert find_config(environ=environ) is None
    create(system)
    assert find_config(environ=environ) == system
    own = create(tmp_path / "xdg" / "watchfloor" / "config.yaml")
    assert find_config(environ=environ) == own
    assert find_config(environ={**environ, "WATCHFLOOR_CONFIG": "/named"}) == Path("/named")
    assert find_config(Path("/explicit"), {"WATCHFLOOR_CONFIG": "/named"}) == Path("/explicit")


def test_a_relative_xdg_directory_and_empty_variables_do_not_count(tmp_path: Path) -> None:
    own = create(tmp_path / ".config" / "watchfloor" / "config.yaml")
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative", "WATCHFLOOR_CONFIG": ""}
    assert find_config(environ=environ) == own


def test_a_broken_link_is_found_so_that_it_is_reported(system: Path) -> None:
    system.parent.mkdir()
    system.symlink_to("nowhere")
    assert find_config(environ={"HOME": "/nonexistent"}) == system


def test_the_working_directory_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert find_config(environ={"HOME": "/nonexistent"}) is None


def test_where_data_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = {"HOME": "/home/operator"}
    assert default_data_dir(home, user_id=0) == Path("/var/lib/watchfloor")
    assert default_data_dir(home, user_id=1000) == Path("/home/operator/.local/share/watchfloor")
    assert default_data_dir({**home, "XDG_DATA_HOME": "/d"}, user_id=1000) == Path("/d/watchfloor")
    assert default_data_dir({**home, "WATCHFLOOR_DATA": "here"}, user_id=0) == tmp_path / "here"
    assert default_data_dir({}).is_absolute()


def test_paths_are_expanded() -> None:
    environ = {"HOME": "/home/operator"}
    assert expanded("~", environ, Path("/base")) == Path("/home/operator")
    assert expanded("~/x", environ, Path("/base")) == Path("/home/operator/x")
    assert expanded("x", environ, Path("/base")) == Path("/base/x")
    assert expanded("/x", environ, Path("/base")) == Path("/x")
