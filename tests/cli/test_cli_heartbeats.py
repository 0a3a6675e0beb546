"""Heartbeats as whoever runs a job meets them: real processes, real signals, a database that is away."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.make import definition, make_services
from support.sql import rows
from support.waiting import until_now
from watchfloor.store.database import Database

COMMAND = [sys.executable, "-m", "watchfloor"]
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(dsn: str, tmp_path: Path) -> Run:
    """Starts the program on the database of the test, or on another."""

    def run(*words: str, database: str = dsn, redirected: str = "") -> subprocess.Popen[str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("WATCHFLOOR_", "XDG_", "PYTHONUNBUFFERED"))
        }
        return subprocess.Popen(
            ["sh", "-c", f'exec "$@" {redirected}', "sh", *COMMAND, *words], text=True,
            env={**kept, "HOME": str(tmp_path), "WATCHFLOOR_DATABASE": database},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE,
        )  # fmt: skip

    return run


def ended(process: subprocess.Popen[str], given: str = "") -> tuple[int, str, str]:
    out, err = process.communicate(given, timeout=60)
    return process.returncode, out, err


async def seed(database: Database) -> None:
    await make_services(database, definition("backup", kind="heartbeat", settings={"period": "1h"}))


async def test_a_wrapped_command_is_as_if_it_were_not_there_and_is_told_of(
    database: Database, start: Run
) -> None:
    await seed(database)
    script = "read x; echo out $x; echo err >&2; exit 3"
    assert ended(start("wrap", "backup", "--", "sh", "-c", script), "in\n") == (3, "out in\n", "err\n")
    first, second = await rows(
        database, "SELECT signal, exit_status, run_id, body, took_us > 0 FROM heartbeat_pings ORDER BY seq"
    )  # fmt: skip
    assert first[:2] == ("start", None)
    assert second[:2] == ("fail", 3)
    assert first[2] == second[2]
    assert sorted(second[3].split("\n")) == ["", "err", "out in"]
    assert second[4] is True


async def test_signals_reach_the_command_and_its_end_by_one_is_its_status(
    database: Database, start: Run
) -> None:
    await seed(database)
    process = start("wrap", "backup", "--", "sh", "-c", "echo ready; exec sleep 60")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 128 + signal.SIGTERM
    assert await rows(database, "SELECT exit_status FROM heartbeat_pings WHERE signal = 'fail'") == [(143,)]


@pytest.mark.parametrize("gone", ["> /dev/full", "> /dev/full 2> /dev/full", ">&-", "2>&-", ">&- 2>&-"])
async def test_output_that_nobody_takes_neither_ends_the_command_nor_changes_its_status(
    database: Database, start: Run, gone: str
) -> None:
    await seed(database)
    script = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo end >&2; exit 3"
    assert ended(start("wrap", "backup", "--", "sh", "-c", script, redirected=gone))[0] == 3
    ((status, body),) = await rows(
        database, "SELECT exit_status, body FROM heartbeat_pings WHERE signal = 'fail'"
    )
    assert (status, "19999" in body, "end" in body) == (3, True, True)


async def test_a_reader_that_leaves_does_not_change_the_status(database: Database, start: Run) -> None:
    await seed(database)
    script = "echo first; read x; echo second; exit 3"
    wrap = start("wrap", "backup", "--", "sh", "-c", script)
    assert wrap.stdout is not None
    assert wrap.stdin is not None
    assert wrap.stdout.readline() == "first\n"
    wrap.stdout.close()
    wrap.stdin.write("on\n")
    wrap.stdin.close()
    assert wrap.wait(60) == 3
    assert await rows(database, "SELECT exit_status FROM heartbeat_pings WHERE signal = 'fail'") == [(3,)]


def test_where_nobody_reads_what_goes_wrong_the_status_is_that_of_the_command(start: Run) -> None:
    away = "postgresql://nobody@127.0.0.1:1/x"
    words = ("wrap", "backup", "--", "sh", "-c", "echo done; exit 5")
    assert ended(start(*words, database=away, redirected="2> /dev/full"))[:2] == (5, "done\n")


def test_without_a_database_the_command_runs_all_the_same_and_stderr_says_so(start: Run) -> None:
    away = "postgresql://nobody@127.0.0.1:1/x"
    status, out, err = ended(start("wrap", "backup", "--", "sh", "-c", "echo done; exit 5", database=away))
    assert (status, out) == (5, "done\n")
    assert err.count("watchfloor: backup could not be told: ") == 1  # of two pings that fail in the same way
    assert "the database is away" in err


async def test_a_command_that_does_not_exist_ends_as_in_a_shell(database: Database, start: Run) -> None:
    await seed(database)
    status, _, err = ended(start("wrap", "backup", "--", "/no/such/command"))
    assert (status, "No such file" in err) == (127, True)
    assert await rows(database, "SELECT exit_status FROM heartbeat_pings WHERE signal = 'fail'") == [(127,)]


async def test_pings_are_sent_listed_and_refused(database: Database, start: Run) -> None:
    await seed(database)
    assert ended(start("ping", "backup", "--exit", "0", "--run-id", "a", "--message", "-"), "said\n")[0] == 0
    status, _, err = ended(start("ping", "backups"))
    assert (status, err) == (1, "watchfloor: There is no heartbeat backups; did you mean backup?\n")
    assert "Say one of" in ended(start("ping", "backup", "--start", "--fail"))[2]
    (ping,) = json.loads(ended(start("heartbeats", "pings", "backup", "--json"))[1])
    assert (ping["signal"], ping["run_id"], ping["body"]) == ("success", "a", "said\n")
    assert "new" in ended(start("heartbeats"))[1]  # until an engine has booked it


def test_a_node_that_listens_is_pinged_over_http(server_dir: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = server_dir / "config.yaml"
    config.write_text(
        f"node: {{name: tested, listen: '127.0.0.1:{port}'}}\n"
        "services:\n  - {name: backup, kind: heartbeat, period: 1h, every: 1s}\n"
    )
    environ = {**os.environ, "HOME": str(server_dir)}
    options = ["--config", str(config), "--data-dir", str(server_dir / "data")]

    def ask(*words: str) -> str:
        return subprocess.run(
            [*COMMAND, *options, *words], env=environ, capture_output=True, text=True, timeout=60
        ).stdout  # fmt: skip

    def get(path: str) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
                with client.makefile("rb") as answer:
                    return answer.read()
        except OSError:
            return b""

    serving = subprocess.Popen(
        [*COMMAND, *options, "serve"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until_now(lambda: get("/readyz").startswith(b"HTTP/1.1 200 "), 60)
        token = ask("heartbeats", "token", "backup", "--new").strip()
        assert get(f"/ping/{token}").startswith(b"HTTP/1.1 200 ")
        until_now(
            lambda: b'watchfloor_service_up{group="",kind="heartbeat",service="backup"} 1' in get("/metrics")
        )
        assert json.loads(ask("health", "--json"))[0]["hard"] == "ok"
        assert token not in ask("logs", "--level", "debug")
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(60) == 0
