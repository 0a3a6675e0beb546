"""The post-mortem of an alert, written from its page."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_driver import console


async def test_the_incident_of_an_alert_is_written_and_said_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console(size=(100, 24)) as driver:
        await driver.press("3", "enter", "E")
        await driver.until(lambda: "the post-mortem is in" in driver.text())
    (made,) = (tmp_path / "watchfloor").glob("incident-*.md")
    assert made.read_text().startswith("# Incident of alert ")
