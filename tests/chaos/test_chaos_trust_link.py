"""A link that swallows packets: at our end everything falls silent and nobody is down, at one service's end it is.

Nothing is refused here, as it is where a relay is closed: connections begin and go on, and no answer comes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from chaos_targets import service
from chaos_wires import PORT, Wires, missing, wires
from test_chaos_trust import times, watching

__all__ = ["times"]

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]


@pytest.fixture
def link() -> Iterator[Wires]:
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with wires() as made:
        yield made


def services(address: str) -> list[dict[str, Any]]:
    return [
        service("http", "http", url=f"http://{address}:{PORT}/"),
        service("tcp", "tcp", host=address, port=PORT),
        service("ping", "ping", host=address, count=2),
    ]


NAMES = ["http", "tcp", "ping"]


async def test_our_own_link_that_swallows_everything_takes_nobody_down(link: Wires, times: int) -> None:
    target, _, *others = link.addresses
    sentinels = tuple(f"{address}:{PORT}" for address in others)
    async with watching(services(target), sentinels) as watcher:
        for _ in range(times):
            link.swallow(*link.addresses)
            await watcher.until_each(NAMES, "unknown")
            link.restore(*link.addresses)
            await watcher.until_each(NAMES, "ok")
        assert watcher.bad() == []
        assert any("cut off" in said["summary"] for said in watcher.said)


async def test_a_service_that_falls_silent_is_down_while_our_own_link_is_well(
    link: Wires, times: int
) -> None:
    target, _, *others = link.addresses
    sentinels = tuple(f"{address}:{PORT}" for address in others)
    async with watching(services(target), sentinels) as watcher:
        for _ in range(times):
            link.swallow(target)
            await watcher.until_each(NAMES, "failing")
            link.restore(target)
            await watcher.until_each(NAMES, "ok")
        assert not any("cut off" in said["summary"] for said in watcher.said)


async def test_a_service_that_falls_silent_when_our_link_is_back_is_found(link: Wires) -> None:
    """As where a switch dies: first all is lost, and then one stays so."""
    target, _, *others = link.addresses
    sentinels = tuple(f"{address}:{PORT}" for address in others)
    async with watching(services(target), sentinels) as watcher:
        link.swallow(*link.addresses)
        await watcher.until_each(NAMES, "unknown")
        assert watcher.bad() == []
        link.restore(*others)
        await watcher.until_each(NAMES, "failing")
