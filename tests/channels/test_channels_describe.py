"""The page about channels is made from their settings, and up to date."""

from __future__ import annotations

from pathlib import Path

from watchfloor.channels.describe import page
from watchfloor.config.describe import describe
from watchfloor.config.kinds import channel_kinds

PAGE = Path(__file__).parents[2] / "docs" / "channels.md"


def test_the_page_about_channels_is_up_to_date() -> None:
    remedy = "run: python -m watchfloor.channels.describe > docs/channels.md"
    assert PAGE.read_text() == page(), remedy


def test_the_page_tells_every_key_of_every_kind() -> None:
    kinds = channel_kinds()
    text = page()
    for name in kinds:
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for row in describe(kinds[name].settings):
            assert f"| `{row.name}` |" in section
            assert row.description
        if name != "webhook":
            assert "https://" in section or "RFC" in section or name == "command"
