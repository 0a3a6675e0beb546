"""What the README says is so: its commands exist, its pictures are there, CI runs its test command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from watchfloor.cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_command_of_the_table_exists() -> None:
    table = re.findall(r"^\| `watchfloor ?([^|]*?)`(?: with [^|]*)? \|", README, re.MULTILINE)
    named = {re.split(r"[ `]", entry)[0] for line in table for entry in re.split(r"`, `", line)} - {""}
    assert named
    assert named <= set(get_command(app).commands)  # type: ignore[attr-defined]


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    setup, tests = re.search(r"^setup='(.*)'$", script, re.M), re.search(r"^tests='(.*)'$", script, re.M)
    assert setup is not None
    assert tests is not None
    assert f"{setup[1]} && {tests[1]}" in README


def test_the_pins_are_exact_and_name_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    assert [
        line for line in lines if line and not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)
    ] == []


def test_no_text_holds_the_marks_of_an_unfinished_merge() -> None:
    named = [*ROOT.glob("*.*"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]
    texts = [path for path in named if path.is_file()]
    assert texts
    assert [t.name for t in texts if re.search("^(<{7}|={7}|>{7})", t.read_text("utf-8"), re.MULTILINE)] == []


def test_importing_the_engine_imports_no_console() -> None:
    code = "import sys, watchfloor.engine.thread; print(sorted({'textual', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
