"""The page about probes is made from their settings, and up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchfloor.config.describe import describe
from watchfloor.config.kinds import probe_kinds
from watchfloor.probes.describe import page

PAGE = Path(__file__).parents[2] / "docs" / "probes.md"
KINDS = probe_kinds()


def test_the_page_about_probes_is_up_to_date() -> None:
    remedy = "run: python -m watchfloor.probes.describe > docs/probes.md"
    assert PAGE.read_text("utf-8") == page(), remedy


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_tells_every_key_of_every_kind(kind: str) -> None:
    section = page().split(f"\n## {kind}\n")[1].split("\n## ")[0]
    for row in describe(KINDS[kind].settings):
        assert f"| `{row.name}` |" in section
