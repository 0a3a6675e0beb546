"""The engine's loop stopped under its feet: the same process has a new one at work, and nobody has to help."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from chaos_node import ChaosNode, come_about
from chaos_outside import Outside

CONFIG = "node: {{name: chaos}}\nservices:\n  - {{name: web, kind: http, url: '{url}', every: 1s}}\n"


async def _checked_again(node: ChaosNode, outside: Outside, what: str) -> None:
    before = outside.answered["web"]
    await come_about(lambda: outside.answered["web"] > before, what, node)


async def _started(node: ChaosNode, times: int) -> None:
    await come_about(lambda: node.said().count("is running: 1 services") == times, f"{times} starts", node)


@pytest.mark.chaos
async def test_a_stopped_loop_is_replaced_and_takes_up_its_own_place(server_dir: Path) -> None:
    with Outside() as outside:
        node = ChaosNode(server_dir, CONFIG.format(url=outside.url("web")))
        node.start()
        try:
            await _checked_again(node, outside, "the first check")
            for starts in (2, 3):
                assert node.kill("loop", random.Random())
                await _started(node, starts)
                await _checked_again(node, outside, "a check by the new loop")
            assert node.stop() == 0
        finally:
            node.end()
    assert node.said().count("the engine failed; starting a new one") == 2
    assert "already running" not in node.said()


@pytest.mark.chaos
async def test_a_loop_stopped_again_while_it_cleans_up_is_replaced_too(server_dir: Path) -> None:
    with Outside() as outside:
        node = ChaosNode(server_dir, CONFIG.format(url=outside.url("web")))
        node.start()
        try:
            await _checked_again(node, outside, "the first check")
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                assert node.kill("loop", random.Random())
            await _started(node, 2)
            await _checked_again(node, outside, "a check by the new loop")
            assert node.stop() == 0
        finally:
            node.end()
