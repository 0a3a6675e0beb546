"""The page about jobs is made from their settings and error classes, and up to date."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from watchfloor.config.describe import describe
from watchfloor.config.kinds import payload_kinds
from watchfloor.payloads.describe import page

PAGE = Path(__file__).parents[2] / "docs" / "payloads.md"
KINDS = payload_kinds()


def test_the_page_about_jobs_is_up_to_date() -> None:
    remedy = "run: python -m watchfloor.payloads.describe > docs/payloads.md"
    assert PAGE.read_text("utf-8") == page(), remedy


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_tells_every_key_and_error_class_of_every_kind(kind: str) -> None:
    section = page().split(f"\n## {kind}\n")[1].split("\n## ")[0]
    for row in describe(KINDS[kind].settings):
        assert f"| `{row.name}` |" in section
    for name in importlib.import_module(KINDS[kind].run.__module__).ERRORS:
        assert f"| `{name}` |" in section
