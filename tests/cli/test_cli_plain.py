"""The plain commands as a script meets them: JSON that can be read, exit codes that can be trusted, on any server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer

from support.databases import Server, _drop_templates, dsn, in_loop, system_server
from support.make import make_alerts, make_days, make_rules, make_services, now
from support.waiting import until_now
from watchfloor.cli.main import app
from watchfloor.cli.options import Options
from watchfloor.cli.said import options_of
from watchfloor.store import logs
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "dsn"]

COMMAND = [sys.executable, "-m", "watchfloor"]


@pytest.fixture
def server(embedded: Embedded) -> Server:
    return Server("embedded", embedded.dsn)


def environment(home: Path, database: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("WATCHFLOOR_", "XDG_"))}
    return {**kept, "HOME": str(home), "WATCHFLOOR_DATABASE": database, "PYTHONUTF8": "1"}


class Shell:
    """Runs commands on one database."""

    def __init__(self, home: Path, database: str) -> None:
        self.home, self.database = home, database

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words], env=environment(self.home, self.database), cwd=self.home, capture_output=True,
            text=True, stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip

    def good(self, *words: str) -> str:
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def read(self, *words: str) -> Any:
        return json.loads(self.good(*words, "--json"))

    def bad(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.stderr


async def fill(address: str) -> None:
    """Two services, an alert about each, and a log record."""
    database = Database(address, name="test")
    made = await make_services(database, "shop", "größe")
    await make_rules(database)
    await make_alerts(database, *made.values())
    moment = await now(database)
    await make_days(database, moment)
    async with database.transaction() as connection:
        await logs.append(connection, [logs.LogRecord(1, moment, 1, 17, "watchfloor.test", "it failed", {})])
    await database.close()


@pytest.fixture
def shell(tmp_path: Path, dsn: str) -> Shell:
    in_loop(lambda: fill(dsn))
    return Shell(tmp_path, dsn)


def test_health_and_alerts_as_json_and_as_text(shell: Shell) -> None:
    health = shell.read("health")
    found = {(row["name"], row["hard"], row["paused"]) for row in health}
    assert found == {("shop", None, False), ("größe", None, False)}
    alerts = shell.read("alerts")
    assert {(row["title"], row["state"], row["severity"]) for row in alerts} == {
        ("shop is failing", "firing", "critical"),
        ("größe is failing", "firing", "critical"),
    }
    assert "größe" in shell.good("health")
    lines = shell.good("alerts").splitlines()
    assert lines[0].split()[:3] == ["ID", "SEVERITY", "STATE"]
    assert len(lines) == 3


@pytest.mark.parametrize("command", ["nodes", "tasks", "jobs", "runs", "settings", "logs", "audit"])
def test_every_board_has_its_json(shell: Shell, command: str) -> None:
    assert isinstance(shell.read(command), list)
    shell.good(command)


def test_logs_can_be_filtered(shell: Shell) -> None:
    assert [row["message"] for row in shell.read("logs", "--level", "error", "--text", "FAILED")] == [
        "it failed"
    ]
    assert shell.read("logs", "--text", "nothing like it") == []
    assert "there is no level loud" in shell.bad("logs", "--level", "loud")


def test_a_note_is_left_and_what_nobody_could_take_is_not_handed_over(shell: Shell) -> None:
    assert shell.good("alerts", "note", "2", "--note", "seen") == "noted in the history of #2\n"
    last = shell.read("alerts", "show", "2")["events"][-1]
    assert (last["kind"], last["note"]) == ("noted", "seen")
    assert "A note needs words" in shell.bad("alerts", "note", "2", "--note", " ")
    assert "There is no person called ann" in shell.bad("alerts", "hand-over", "2", "--to", "ann")


def test_an_alert_is_acknowledged_shown_and_taken_back(shell: Shell) -> None:
    assert shell.good("alerts", "ack", "1", "--note", "on it") == "acknowledged #1\n"
    detail = shell.read("alerts", "show", "1")
    assert (detail["row"]["state"], detail["row"]["note"]) == ("acknowledged", "on it")
    assert [event["kind"] for event in detail["events"]] == ["raised", "fired", "acknowledged"]
    assert "acknowledged" in shell.good("alerts", "show", "1")
    assert "already acknowledged" in shell.bad("alerts", "ack", "1")
    shell.good("alerts", "unack", "1")
    shell.good("alerts", "resolve", "1", "--note", "known")
    assert [row["id"] for row in shell.read("alerts")] == [2]
    assert {row["id"] for row in shell.read("alerts", "--resolved")} == {1, 2}
    told = shell.read("audit", "alert", "1")
    assert [row["action"] for row in told] == ["resolve", "unacknowledge", "acknowledge"]
    assert shell.read("audit", "alert", "2") == shell.read("audit", "--actor", "nobody here") == []
    lines = shell.good("audit", "alert", "1", "--limit", "2").splitlines()
    assert lines[0].endswith(f"{told[1]['actor']}: unacknowledge alert 1")
    assert any('state: "firing" -> "resolved"' in line for line in lines)


@pytest.mark.parametrize(
    ("words", "seconds"),
    [((), 4 * 3600), (("--for", "90s"), 90), (("--for", "resolved"), None)],
)
def test_an_acknowledgement_lasts_as_long_as_is_said_or_usual(
    shell: Shell, words: tuple[str, ...], seconds: int | None
) -> None:
    shell.good("alerts", "ack", "1", *words)
    assert _lasts(shell) == (None if seconds is None else pytest.approx(seconds, abs=30))


def test_how_long_is_usual_is_a_setting(shell: Shell) -> None:
    with psycopg.connect(shell.database) as connection:
        connection.execute(
            "INSERT INTO settings (key, value, changed_at, changed_by) "
            "VALUES ('alerts.ack_expiry', '600', now(), 'ann')"
        )
    shell.good("alerts", "ack", "1")
    assert _lasts(shell) == pytest.approx(600, abs=30)


def _lasts(shell: Shell) -> float | None:
    with psycopg.connect(shell.database) as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM acked_until - now())::float FROM alerts WHERE id = 1"
        )
        return (row.fetchone() or (None,))[0]


@pytest.mark.parametrize("words", [("--for", "soon"), ("--for", "-5m"), ("--for", "1000y")])
def test_a_duration_that_makes_no_sense_is_refused(shell: Shell, words: tuple[str, ...]) -> None:
    assert "--for" in shell.bad("alerts", "ack", "1", *words)
    assert shell.read("alerts")[0]["state"] == "firing"


@pytest.mark.parametrize("ids", ["4711", "99999999999999999999", "-1"])
def test_an_alert_that_does_not_exist_is_named(shell: Shell, ids: str) -> None:
    assert f"#{ids}: there is no such alert." in shell.bad("alerts", "ack", "--", ids)


def test_a_database_without_tables_is_not_filled_by_looking(tmp_path: Path, server: Server) -> None:
    empty = server.create()
    try:
        assert "holds no Watchfloor yet" in Shell(tmp_path, empty).bad("health")
        with psycopg.connect(empty) as connection:
            assert connection.execute("SELECT to_regclass('nodes')").fetchone() == (None,)
    finally:
        server.drop(empty)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("host=127.0.0.1 port=1 user=x password=hunter2", "Connection refused"),
        ("postgresql://x:hunter2@127.0.0.1:1/floor", "Connection refused"),
        ("host=h hunter2", "cannot be read"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    tmp_path: Path, address: str, words: str
) -> None:
    said = Shell(tmp_path, address).bad("health")
    assert words in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "name", ["", "x" * 101, "a\x1b[31mb", "a\nb", b"\xff".decode(errors="surrogateescape")]
)
def test_a_node_needs_a_name_that_can_be_shown(shell: Shell, name: str) -> None:
    assert "is no name for a node" in shell.bad("--node", name, "serve")
    assert "is no name for a node" in shell.bad("serve", "--node", name)


def test_what_an_engine_needs_may_be_said_before_or_after_its_command(shell: Shell, tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    for words in (["--config", str(missing), "serve"], ["serve", "--config", str(missing)]):
        assert f"{missing}: this file does not exist" in shell.bad(*words)


def test_what_is_said_after_the_command_counts(tmp_path: Path) -> None:
    before = Options(Path("a"), tmp_path, "one", mouse=True)
    after = Options(Path("b"), tmp_path, "one", mouse=False)
    context = typer.Context(typer.main.get_command(app), obj=before)
    assert options_of(context, config=Path("b"), data_dir=None, mouse=False) == after


@pytest.fixture
def system(_drop_templates: None) -> Iterator[str]:
    server = system_server()
    made = server.create()
    yield made
    server.drop(made)


def test_a_node_serves_on_a_postgresql_that_is_named_and_stops_when_asked(
    tmp_path: Path, system: str
) -> None:
    out = tmp_path / "out.txt"
    with out.open("w") as file:
        process = subprocess.Popen(
            [*COMMAND, "--node", "tested", "serve"], env=environment(tmp_path, system), cwd=tmp_path, stdout=file,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        until_now(lambda: "node tested is running" in out.read_text() or process.poll() is not None, 60)
        shell = Shell(tmp_path, system)
        until_now(lambda: any(row["live"] for row in shell.read("nodes")))
        assert len(shell.read("health")) == 1
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
    assert status == 0, out.read_text()
    assert "stopped in" in out.read_text()
    with psycopg.connect(system) as connection:
        assert connection.execute("SELECT state FROM nodes").fetchall() == [("stopped",)]


def test_what_the_program_logs_prints_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = (
        "import logging; from watchfloor.cli.logs import collect; collect(stderr=True)\n"
        "try: raise ValueError('\\x1b]0;owned\\x07\\x1b[31mred')\n"
        "except ValueError: logging.getLogger('x').exception('a\\x1b[2Jb\\nc')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "\x1b" not in done.stderr
    assert "ERROR x: ab c\n" in done.stderr
    assert done.stderr.endswith("ValueError: red\n")
