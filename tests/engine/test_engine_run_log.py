"""The output of an attempt on its way to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from watchfloor.domain.masking import Masker
from watchfloor.engine.run_log import RunLog
from watchfloor.store import run_logs
from watchfloor.store.run_logs import Fence, Line


async def test_a_program_that_ends_while_its_output_is_being_stored_cuts_nothing_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    stored: list[str] = []
    cut_off: list[int] = []

    async def append(database: Any, fence: Fence, lines: Sequence[Line], *, instead_of: int = 0) -> bool:
        began.set()
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            cut_off.append(len(lines))  # a connection would be lost in the middle of a COPY
            raise
        stored.extend(line[-1] for line in lines)
        return True

    monkeypatch.setattr(run_logs, "append", append)
    monkeypatch.setattr("watchfloor.engine.run_log.GATHER_S", 0.0)
    node = SimpleNamespace(
        database=None,
        clock=SimpleNamespace(now=lambda: datetime(2026, 8, 20, tzinfo=UTC)),
        pulse=SimpleNamespace(mark=lambda *topics: None),
    )
    run, worker = SimpleNamespace(id=1, attempt=1), SimpleNamespace(id=1)
    log = RunLog(cast(Any, node), cast(Any, run), cast(Any, worker), Masker([]))
    await log.output("stdout", b"first\n")
    await began.wait()
    await log.output("stdout", b"last\n")
    end = asyncio.create_task(log.end())
    await asyncio.sleep(0)  # it has begun to wait, or to cut off
    go_on.set()
    await end
    assert (stored, cut_off) == (["first", "last"], [])
    assert log._later is not None
    assert log._later.done()
