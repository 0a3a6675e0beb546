"""What a command says is what it did, `--read-only` holds for it, and any encoding can show any name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from support.databases import Server, in_loop
from support.make import make_alerts, make_rules, make_services
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.schema import ensure_schema


@pytest.fixture
def stocked(embedded: Embedded) -> Iterator[str]:
    """The address of a database with two firing alerts, #1 and #2."""
    server = Server("embedded", embedded.dsn)
    dsn = server.create()

    async def fill() -> None:
        database = Database(dsn, name="test")
        await ensure_schema(database)
        await make_rules(database, channels=())
        services = await make_services(database, "checkout", "日本語")
        await make_alerts(database, *services.values())
        await database.close()

    in_loop(fill)
    yield dsn
    server.drop(dsn)


def watchfloor(dsn: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command as a script runs it."""
    return subprocess.run(
        [sys.executable, "-c", "from watchfloor.cli.main import main; main()", *words],
        env={**os.environ, "WATCHFLOOR_DATABASE": dsn, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("command", "before", "did"),
    [
        ("ack", (), "acknowledged"),
        ("unack", ("ack", "1"), "no longer acknowledged:"),
        ("resolve", (), "resolved"),
    ],
)
def test_only_what_was_done_is_claimed(stocked: str, command: str, before: tuple[str, ...], did: str) -> None:
    if before:
        assert watchfloor(stocked, "alerts", *before).returncode == 0
    done = watchfloor(stocked, "alerts", command, "99", "1")
    assert done.stdout == f"{did} #1\n"
    assert done.stderr == "watchfloor: #99: there is no such alert.\n"
    assert done.returncode == 1


def test_an_alert_named_twice_is_acknowledged_once(stocked: str) -> None:
    done = watchfloor(stocked, "alerts", "ack", "2", "2", "1")
    assert (done.stdout, done.stderr, done.returncode) == ("acknowledged #2, #1\n", "", 0)


@pytest.mark.parametrize("command", ["ack", "resolve"])
def test_read_only_commands_change_nothing(stocked: str, command: str) -> None:
    done = watchfloor(stocked, "--read-only", "alerts", command, "1")
    assert "read-only" in done.stderr
    assert done.returncode == 1
    assert "acknowledged" not in watchfloor(stocked, "alerts").stdout.lower().partition("\n")[2]


def test_names_survive_an_encoding_that_lacks_them(stocked: str) -> None:
    text = watchfloor(stocked, "alerts", PYTHONIOENCODING="ascii")
    assert r"\u65e5\u672c\u8a9e is failing" in text.stdout
    assert text.returncode == 0
    rows = json.loads(watchfloor(stocked, "alerts", "--json", PYTHONIOENCODING="ascii").stdout)
    assert {row["title"] for row in rows} == {"checkout is failing", "日本語 is failing"}
