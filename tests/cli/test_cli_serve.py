"""The program as a server's administrator meets it: started, asked, told to stop, given nonsense."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.waiting import until_now

COMMAND = [sys.executable, "-m", "watchfloor"]


def environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("WATCHFLOOR_", "XDG_"))}
    return {**kept, "HOME": str(home)}


def ask(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--data-dir", str(home / "data"), *words],
        env=environment(home), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip


class Serving:
    """A running ``watchfloor serve`` and what it prints."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.out = home / "out.txt"
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        self.config = home / "config.yaml"
        self.config.write_text(
            "node: {name: tested}\nservices:\n"
            f"  - {{name: nobody, kind: tcp, host: 127.0.0.1, port: {port}, every: 1s, attempts: 2}}\n"
        )
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                [*COMMAND, "--config", str(self.config), "--data-dir", str(home / "data"), "serve"],
                env=environment(home), stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        until_now(lambda: self.reports or self.process.poll() is not None, 60)

    @property
    def text(self) -> str:
        return self.out.read_text()

    @property
    def reports(self) -> list[str]:
        """The lines of its own, without those of the log."""
        return [line for line in self.text.splitlines() if line.startswith("watchfloor ")]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def serving(server_dir: Path) -> Iterator[Serving]:
    running = Serving(server_dir)
    yield running
    if running.process.poll() is None:
        running.stop()


def test_a_node_reports_its_start_in_one_line_alerts_and_drains(serving: Serving) -> None:
    assert len(serving.reports) == 1
    assert "node tested is running, 1 service from " in serving.reports[0]
    firing = until_now(lambda: json.loads(ask(serving.home, "alerts", "--json").stdout or "[]"), 60)
    assert [(each["title"], each["state"]) for each in firing] == [("nobody is failing", "firing")]
    number = str(firing[0]["id"])
    assert ask(serving.home, "alerts", "ack", number, "--note", "on it").stdout.startswith("acknowledged #")
    assert json.loads(ask(serving.home, "alerts", "--json").stdout)[0]["note"] == "on it"
    assert json.loads(ask(serving.home, "health", "--json").stdout)[0]["hard"] == "failing"
    assert json.loads(ask(serving.home, "nodes", "--json").stdout)[0]["live"] is True
    assert serving.stop() == 0
    assert "node tested stopped in" in serving.text
    assert json.loads(ask(serving.home, "database", "status", "--json").stdout)["state"] == "stopped"
    assert json.loads(ask(serving.home, "nodes", "--json").stdout)[0]["state"] == "stopped"
    assert json.loads(ask(serving.home, "alerts", "--json").stdout)[0]["state"] == "acknowledged"


def test_hangup_reads_the_file_again_and_a_bad_file_keeps_the_old(serving: Serving) -> None:
    good = serving.config.read_text()
    serving.config.write_text(good + "  - {name: odd, kind: htp}\n")
    serving.process.send_signal(signal.SIGHUP)
    until_now(lambda: "what was in force stays" in serving.text, 30)
    assert [row["name"] for row in json.loads(ask(serving.home, "health", "--json").stdout)] == ["nobody"]
    serving.config.write_text(good + "  - {name: second, kind: host, every: 1s}\n")
    serving.process.send_signal(signal.SIGHUP)
    until_now(
        lambda: (
            [r["name"] for r in json.loads(ask(serving.home, "health", "--json").stdout)]
            == ["nobody", "second"]
        ),
        30,
    )


def test_a_second_node_of_the_same_name_is_refused(serving: Serving) -> None:
    second = ask(serving.home, "--config", str(serving.config), "serve")
    assert second.returncode == 1
    assert "node tested is already running" in second.stderr


def test_a_config_with_mistakes_starts_nothing_and_names_each(server_dir: Path) -> None:
    config = server_dir / "config.yaml"
    config.write_text("services:\n  - {name: a, kind: tcp, hots: x, port: 99999}\n")
    done = ask(server_dir, "--config", str(config), "serve")
    assert done.returncode == 1
    assert "config.yaml:2:" in done.stderr
    assert 'Did you mean "host"?' in done.stderr
    assert not (server_dir / "data").exists()


def test_a_database_that_is_away_is_told_with_its_place(server_dir: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "health"],
        env={**environment(server_dir), "WATCHFLOOR_DATABASE": "postgresql://me:hunter2@127.0.0.1:1/x"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "the database is away" in done.stderr
    assert 'at "127.0.0.1", port 1 failed' in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
