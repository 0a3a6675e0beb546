"""``watchfloor channels`` as an operator meets it, with an engine that delivers and one that is not there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.couriers import put
from support.databases import Server, _drop_templates, database, dsn
from support.make import make_alerts, make_rules, make_services
from support.receivers import receiving
from support.sql import rows
from support.waiting import until
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.rules import ChannelDefinition, apply_channels

__all__ = ["_drop_templates", "database", "dsn"]

COMMAND = [sys.executable, "-m", "watchfloor"]


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


class Shell:
    def __init__(self, home: Path, address: str) -> None:
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("WATCHFLOOR_", "XDG_"))
        }
        self.environment = {**kept, "HOME": str(home), "WATCHFLOOR_DATABASE": address, "PYTHONUTF8": "1"}
        self.home = home

    async def run(self, *words: str) -> tuple[int, str, str]:
        done = await asyncio.to_thread(
            subprocess.run, [*COMMAND, *words], env=self.environment, cwd=self.home, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    @asynccontextmanager
    async def engine(self, config: str) -> AsyncIterator[None]:
        (self.home / "config.yaml").write_text(config)
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "--config", "config.yaml", "serve", env=self.environment, cwd=self.home,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


@pytest.fixture
def shell(tmp_path: Path, dsn: str) -> Shell:
    return Shell(tmp_path, dsn)


async def test_a_channel_is_tried_through_the_engine(shell: Shell, database: Database) -> None:
    async with receiving() as receiver:
        config = (
            "services: []\nchannels:\n"
            f"  - {{name: good, kind: webhook, url: '{receiver.url()}'}}\n"
            f"  - {{name: bad, kind: slack, url: '{receiver.url()}', timeout: 2}}\n"
        )
        async with shell.engine(config):
            await until(lambda: rows(database, "SELECT 1 FROM channels"))
            code, said, _ = await shell.run("channels", "test", "good")
            assert (code, said[:12]) == (0, "delivered in")
            assert json.loads(receiver.got[0].body)["type"] == "channel.test"
            code, said, error = await shell.run("channels", "test", "bad")
            assert (code, said) == (1, "")
            assert "the receiver's address is not on the public internet" in error
            code, said, error = await shell.run("channels", "test", "nowhere")
            assert (code, error) == (1, "watchfloor: There is no channel nowhere that is switched on.\n")
            code, said, _ = await shell.run("channels", "--json")
            found = {row["name"]: (row["kind"], row["delivered"], row["dead"]) for row in json.loads(said)}
            assert found == {"good": ("webhook", 1, 0), "bad": ("slack", 0, 1)}


async def test_dead_letters_are_listed_and_replayed(shell: Shell, database: Database) -> None:
    made = await make_services(database, "shop")
    await make_rules(database)
    (alert,) = await make_alerts(database, *made.values())
    async with database.transaction() as connection:
        await apply_channels(connection, [ChannelDefinition("ops", "webhook", {"url": "http://x"}, True, "")])
    await put(database, (alert, 7, "ops"), (alert, 8, "ops"))
    await rows(database, "UPDATE outbox SET state = 'dead', last_error = 'the receiver answered 404'")
    _, said, _ = await shell.run("channels", "dead")
    assert said.count("shop is failing: the receiver answered 404") == 2
    _, said, _ = await shell.run("channels", "dead", "--json", "--channel", "ops")
    letters = json.loads(said)
    assert len(letters) == 2
    assert await shell.run("channels", "replay", letters[0]["id"]) == (0, "1 message queued again\n", "")
    assert await shell.run("channels", "replay", "--channel", "ops") == (0, "1 message queued again\n", "")
    _, said, _ = await shell.run("channels")
    assert said.splitlines()[1].split()[:6] == ["ok", "ops", "webhook", "0", "2", "0"]
    refused = (["discard", letters[0]["id"]], ["discard", "x"])
    for words in (["replay", "--channel", "ops"], ["replay"], ["replay", "x"], ["test", "ops"], *refused):
        code, said, error = await shell.run("channels", *words)
        assert (code, said) == (1, "")
        assert error.startswith("watchfloor: ")
    code, _, error = await shell.run("--read-only", "channels", "replay", "--channel", "ops")
    assert (code, "read-only" in error) == (1, True)
