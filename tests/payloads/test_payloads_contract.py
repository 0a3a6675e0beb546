"""One suite for every kind of payload: how it succeeds, fails, is cancelled, and what it never gives away."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
from pathlib import Path
from typing import Any

import psutil
import pytest

from payloads.conftest import Stage
from payloads.payload_cases import CASES, http, server
from support.waiting import until
from watchfloor.config.describe import describe
from watchfloor.config.entries import JOB_KEYS, key_names
from watchfloor.config.kinds import payload_kinds
from watchfloor.domain.retry import matches
from watchfloor.payloads.contract import COMMON_ERRORS, Grants, PayloadError
from watchfloor.payloads.leash import Leash, moment

KINDS = payload_kinds()


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_settings_are_described_and_share_no_name_with_the_keys_of_jobs(kind: str) -> None:
    model = KINDS[kind].settings
    assert all(row.description for row in describe(model))
    assert not set(key_names(model)) & set(JOB_KEYS)


async def run(kind: str, settings: dict[str, Any], stage: Stage, root: Path, **values: Any) -> None:
    payload = KINDS[kind]
    grants = Grants(roots=(str(root),))
    await payload.run(
        payload.settings.model_validate(settings), stage.attempt(grants=grants, checkpoint=stage, **values)
    )


def module_of(kind: str) -> Any:
    return importlib.import_module(KINDS[kind].run.__module__)


async def test_work_that_succeeds_returns_and_what_it_said_is_kept(
    kind: str, stage: Stage, tmp_path: Path
) -> None:
    async with CASES[kind](tmp_path) as made:
        await run(kind, made.good, stage, tmp_path)
    assert made.says in b"".join(stage.printed.values())


async def test_work_that_fails_says_so_with_a_class_and_one_line(
    kind: str, stage: Stage, tmp_path: Path
) -> None:
    async with CASES[kind](tmp_path) as made:
        with pytest.raises(PayloadError) as caught:
            await run(kind, made.bad, stage, tmp_path)
    assert caught.value.error_class == made.error_class
    assert str(caught.value).isprintable()
    assert matches(made.error_class, tuple(module_of(kind).ERRORS)), "it is one that its kind declares"


async def test_cancelled_it_ends_soon_and_leaves_nothing(kind: str, stage: Stage, tmp_path: Path) -> None:
    async with CASES[kind](tmp_path) as made:
        before = len(os.listdir("/proc/self/fd"))
        children = {child.pid for child in psutil.Process().children(recursive=True)}
        task = asyncio.create_task(run(kind, made.endless, stage, tmp_path))
        try:
            if made.begun:
                await until(lambda: stage.printed[made.begun] or task.done())
            else:
                await asyncio.sleep(0)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=15)
        assert task.cancelled()
        await until(lambda: {each.pid for each in psutil.Process().children(recursive=True)} <= children)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)


async def test_a_node_that_is_not_trusted_any_more_does_nothing(
    kind: str, stage: Stage, tmp_path: Path
) -> None:
    if kind == "dummy":
        return  # it does nothing anyway
    async with CASES[kind](tmp_path) as made:
        with pytest.raises(PayloadError) as caught:
            await run(kind, made.good, stage, tmp_path, leash=Leash(moment() - 1))
    assert caught.value.error_class == "worker.lost"


def test_error_classes_are_dotted_words_with_a_meaning(kind: str) -> None:
    for name, meaning in (*module_of(kind).ERRORS.items(), *COMMON_ERRORS.items()):
        assert re.fullmatch(r"[a-z0-9_]+(\.([a-z0-9_]+|\*))*|\*", name)
        assert meaning


async def test_every_attempt_carries_the_key_of_its_run(stage: Stage, tmp_path: Path) -> None:
    heads: list[str] = []

    async def answer(head: str) -> bytes:
        heads.append(head.lower())
        return await http("204 Fine")(head)

    async with server(answer) as url:
        for attempt in (1, 2):
            await run("http", {"url": url}, stage, tmp_path, attempt=attempt)
    keys = [line for head in heads for line in head.splitlines() if line.startswith("idempotency-key")]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert "x-attempt: 2" in heads[1]


async def test_a_receiver_may_ask_for_patience_and_a_long_answer_is_cut(stage: Stage, tmp_path: Path) -> None:
    async with server(http("429 Slow", b"x" * 200_000, "Retry-After: 30\r\n")) as url:
        with pytest.raises(PayloadError) as caught:
            await run("http", {"url": url, "expect": [200]}, stage, tmp_path)
    assert caught.value.wait_s == 30
    assert b"left out" in stage.printed["response"]
    assert len(stage.printed["response"]) < 70_000


async def test_nobody_there_is_a_class_of_its_own(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(PayloadError) as caught:
        await run("http", {"url": "http://127.0.0.1:9/"}, stage, tmp_path)
    assert caught.value.error_class == "http.connect"
