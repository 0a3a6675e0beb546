"""Who may import whom: the engine runs without a terminal, and every floor keeps to the floors below it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def modules_after(*modules: str) -> set[str]:
    """What is in memory after importing some modules."""
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def loaded_by(module: str) -> set[str]:
    """The top-level packages in memory after importing one module."""
    return {name.partition(".")[0] for name in modules_after(module)}


@pytest.mark.parametrize(
    "module", ["watchfloor.engine.thread", "watchfloor.store.database", "watchfloor.operations.alerts"]
)
def test_nothing_of_the_terminal_is_loaded_without_a_console(module: str) -> None:
    assert loaded_by(module) & {"textual", "rich", "typer"} == set()


def test_a_start_that_finds_its_tables_pays_for_no_migration() -> None:
    assert loaded_by("watchfloor.engine.thread") & {"alembic", "sqlalchemy"} == set()


def test_the_floors_of_the_house_are_kept() -> None:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which(
        "lint-imports"
    )
    assert command is not None, "import-linter belongs to the development extra"
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_a_kind_of_check_costs_nothing_until_a_service_uses_it() -> None:
    loaded = loaded_by("watchfloor.probes.http") | loaded_by("watchfloor.probes.query")
    assert loaded & {"dns", "h2", "psycopg", "psutil", "sqlalchemy", "pymssql", "oracledb"} == set()


def test_a_console_shows_its_first_picture_before_it_loads_what_only_an_act_or_a_form_needs() -> None:
    loaded = modules_after(
        "watchfloor.cli.main", "watchfloor.cli.console", "watchfloor.cli.desk", "watchfloor.console.app"
    )
    acts = {name for name in loaded if name.startswith("watchfloor.operations.")}
    assert acts <= {"watchfloor.operations.actor", "watchfloor.operations.editing"}
    assert loaded & {"pydantic", "jinja2", "watchfloor.engine.engine", "watchfloor.config.model"} == set()


def test_no_two_parts_wait_for_the_same_advisory_lock() -> None:
    keys = [
        key
        for path in (ROOT / "src").rglob("*.py")
        for key in re.findall(r"0x5746_[0-9a-f]{4}", path.read_text())
    ]
    assert len(keys) > 5
    assert sorted(keys) == sorted(set(keys))
