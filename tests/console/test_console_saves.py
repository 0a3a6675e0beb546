"""Files that are followed: a save is noticed, however it is done, and nothing wakes while nobody saves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from watchfloor.console import saves
from watchfloor.console.saves import Saves


class Told:
    """How often somebody was told, and a way to wait for the next time."""

    def __init__(self) -> None:
        self.times = 0
        self._again = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        self._again.set()

    async def again(self) -> None:
        async with asyncio.timeout(10):
            await self._again.wait()
        self._again.clear()


@asynccontextmanager
async def following(*files: Path, kernel: bool = True) -> AsyncIterator[Told]:
    told = Told()
    found = Saves(told, kernel=kernel)
    try:
        found.follow(files)
        yield told
    finally:
        found.end()


async def test_a_file_that_is_written_or_replaced_or_removed_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("one")
    async with following(file) as told:
        file.write_text("two")
        await told.again()
        (tmp_path / "new").write_text("three")
        await told.again()
        os.replace(tmp_path / "new", file)
        await told.again()
        file.unlink()
        await told.again()


async def test_what_a_link_leads_to_is_followed_too(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    there = tmp_path / "there" / "real.yaml"
    there.write_text("one")
    (tmp_path / "here" / "link.yaml").symlink_to(there)
    async with following(tmp_path / "here" / "link.yaml") as told:
        there.write_text("two")
        await told.again()


async def test_nobody_is_told_of_a_file_that_is_followed_no_more(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    told = Told()
    found = Saves(told)
    found.follow([tmp_path / "old" / "a.yaml"])
    found.follow([tmp_path / "new" / "a.yaml"])
    assert list(found._folders) == [tmp_path / "new"]
    (tmp_path / "new" / "a.yaml").write_text("one")
    await told.again()
    found.end()


async def test_while_nobody_saves_nothing_wakes(tmp_path: Path) -> None:
    async with following(tmp_path / "mine.yaml") as told:
        loop = asyncio.get_running_loop()
        assert not loop._scheduled  # type: ignore[attr-defined]
        assert told.times == 0


@pytest.mark.parametrize("kernel", [True, False])
async def test_without_the_kernel_it_is_looked_at_intervals(
    kernel: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saves, "LOOK_S", 0.01)
    missing = tmp_path / "no such directory" / "mine.yaml"
    async with following(missing, kernel=kernel) as told:
        await told.again()
        await told.again()
