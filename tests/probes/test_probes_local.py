"""Checks of files and processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from probe_servers import Run
from pydantic import ValidationError

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import file, process
from watchfloor.probes.process import Look, One

Probing = Callable[..., Outcome]


class TestFile:
    @pytest.fixture
    def check(self, run: Run) -> Probing:
        """Look at a path with some settings."""

        def check(path: object, **settings: Any) -> Outcome:
            outcome = run(file.probe(file.Settings(path=str(path), **settings), 10))
            assert isinstance(outcome, Outcome)
            return outcome

        return check

    @pytest.fixture
    def backups(self, tmp_path: Path) -> Path:
        """Three files: 1 hour old with 100 bytes, 2 days old with 50, and a fresh one below."""
        for name, age, length in (("a.dump", 3600, 100), ("b.dump", 2 * 86400, 50), ("below/c.dump", 0, 10)):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(bytes(length))
            os.utime(path, (time.time() - age, time.time() - age))
        return tmp_path

    @pytest.mark.parametrize(
        ("path", "settings", "status", "words"),
        [
            ("a.dump", {}, Status.OK, "a.dump: 1 file, 100 bytes, 1h old"),
            ("a.dump", {"age": {"degraded": "30m"}}, Status.DEGRADED, "the newest is too old (limit 30m)"),
            ("a.dump", {"age": {"failing": "1h"}}, Status.FAILING, "too old (limit 1h)"),
            ("a.dump", {"min_size": 200}, Status.FAILING, "the newest has 100 bytes, expected 200 bytes"),
            ("a.dump", {"exists": False}, Status.FAILING, "is there, but should not be"),
            ("none", {}, Status.FAILING, "is not there"),
            ("a.dump/none", {}, Status.FAILING, "is not there"),
            ("none", {"exists": False}, Status.OK, "is not there"),
            ("*.dump", {}, Status.OK, "2 files, 150 bytes, 1h old"),
            (
                "*.dump",
                {"age_of": "oldest", "age": {"degraded": "1d"}},
                Status.DEGRADED,
                "2d old: the oldest is",
            ),
            ("*.tar", {}, Status.FAILING, "is not there"),
            ("", {"count": {"failing": 2}}, Status.FAILING, "2 files (limit 2)"),
            ("", {"recursive": True, "size": {"degraded": 160}}, Status.DEGRADED, "160 bytes (limit 160)"),
            ("*.dump", {"recursive": True}, Status.OK, "3 files, 160 bytes, 0s old"),
        ],
    )
    def test_what_is_there_is_judged(
        self, check: Probing, backups: Path, path: str, settings: dict[str, Any], status: Status, words: str
    ) -> None:
        outcome = check(f"{backups}/{path}".rstrip("/"), **settings)
        assert outcome.status is status, outcome.summary
        assert words in outcome.summary

    def test_an_empty_directory_has_no_fresh_file(self, check: Probing, tmp_path: Path) -> None:
        assert check(tmp_path).status is Status.OK
        outcome = check(tmp_path, age={"failing": "1h"})
        assert (outcome.status, "there is no file in it" in outcome.summary) == (Status.FAILING, True)

    def test_a_directory_that_cannot_be_listed_is_unknown(self, check: Probing) -> None:
        outcome = check("/no/such/folder/*.dump")
        assert outcome.status is Status.UNKNOWN
        assert "cannot look at /no/such/folder/*.dump: no such file" in outcome.summary

    def test_times_and_names_from_another_world_do_no_harm(self, check: Probing, tmp_path: Path) -> None:
        strange = tmp_path / "evil\x1b[2J\udcff"
        strange.write_bytes(b"")
        os.utime(strange, (0, -(2**40)))
        outcome = check(tmp_path)
        assert outcome.status is Status.OK
        assert outcome.summary.isprintable()

    def test_looking_stops_at_a_limit(
        self, check: Probing, backups: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(file, "ENTRY_LIMIT", 2)
        outcome = check(backups, recursive=True)
        assert outcome.status is Status.DEGRADED
        assert "only the first 2 entries were looked at" in outcome.summary

    @pytest.mark.parametrize("path", ["", "relative", "~/file", "/a\0b"])
    def test_a_path_is_absolute(self, path: str) -> None:
        with pytest.raises(ValidationError):
            file.Settings(path=path)


class TestProcess:
    @pytest.fixture
    def check(self, run: Run) -> Probing:
        """Look at this machine anew with some settings."""

        def check(**settings: Any) -> Outcome:
            outcome = run(process.probe(process.Settings(**settings), 10))
            assert isinstance(outcome, Outcome)
            return outcome

        process._looks.clear()
        return check

    @pytest.fixture
    def child(self) -> Iterator[int]:
        """A process with a mark of its own on its command line."""
        mark = f"import time; time.sleep(600)  # watched-{os.getpid()}"
        with subprocess.Popen([sys.executable, "-c", mark]) as running:
            yield running.pid
            running.kill()

    def test_a_process_that_runs_is_found(self, check: Probing, child: int, tmp_path: Path) -> None:
        outcome = check(command_line=f"watched-{os.getpid()}", user=os.environ.get("USER") or None)
        assert outcome.status is Status.OK, outcome.summary
        assert outcome.facts["pids"] == [child]
        assert outcome.metrics["processes"] == 1
        assert outcome.metrics["memory_bytes"] > 0
        pid_file = tmp_path / "pid"
        pid_file.write_text(f" {child}\n")
        assert check(pid_file=str(pid_file)).facts["pids"] == [child]
        outcome = check(pid_file=str(pid_file), process="postgres")
        assert outcome.status is Status.FAILING
        assert "is another program, python" in outcome.summary

    @pytest.mark.parametrize(
        ("content", "words"),
        [("99999999\n", "is not running"), ("", "does not begin with"), ("pid: 4", "does not begin with")],
    )
    def test_pid_files_that_lead_nowhere_are_told(
        self, check: Probing, tmp_path: Path, content: str, words: str
    ) -> None:
        pid_file = tmp_path / "pid"
        pid_file.write_text(content)
        outcome = check(pid_file=str(pid_file))
        assert outcome.status is Status.FAILING
        assert words in outcome.summary
        assert "cannot read" in check(pid_file=str(tmp_path / "none")).summary

    @pytest.fixture
    def machine(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Make up what runs: each call is a look, ten seconds after the one before."""
        process._looks.clear()

        def look(*processes: One) -> None:
            at = process._looks[-1].at + 10 if process._looks else time.monotonic() - 10
            process._looks.append(Look(at, {one.pid: one for one in processes}))

        monkeypatch.setattr(process, "FRESH", 1000.0)
        return look

    @pytest.mark.parametrize(
        ("settings", "status", "words"),
        [
            ({}, Status.OK, "2 processes of web*"),
            ({"at_least": 3}, Status.FAILING, "expected at least 3"),
            ({"at_most": 1}, Status.FAILING, "expected at most 1"),
            ({"memory_mib": {"degraded": 30}}, Status.DEGRADED, "memory 30 MiB (limit 30 MiB)"),
            ({"core_percent": {"failing": 60}}, Status.FAILING, "cpu 70 % (limit 60 %)"),
            ({"user": "other"}, Status.FAILING, "0 processes of web*: expected at least 1"),
        ],
    )
    def test_what_they_take_is_judged(
        self, run: Run, machine: Callable[..., None], settings: dict[str, Any], status: Status, words: str
    ) -> None:
        mib = 1024 * 1024
        other = One(3, "database", "", "www", 500.0, 999 * mib, 1.0)
        machine(One(1, "web-1", "", "www", 10.0, mib, 5.0), One(2, "web-2", "", "www", 99.0, mib, 5.0), other)
        # The second was started anew under its old number: what it used before does not count.
        machine(
            One(1, "web-1", "", "www", 15.0, 10 * mib, 5.0),
            One(2, "web-2", "", "www", 2.0, 20 * mib, 9.0),
            other,
        )
        wanted = process.Settings(**{"process": "web*", **settings})
        outcome = run(process.probe(wanted, 10))
        assert outcome.status is status, outcome.summary
        assert words in outcome.summary

    def test_the_first_look_knows_no_processor_time(self, check: Probing) -> None:
        outcome = check(process="*", core_percent={"failing": 0})
        assert "cpu_percent" not in outcome.metrics

    @pytest.mark.parametrize(
        "settings", [{}, {"process": "a", "at_least": 2, "at_most": 1}, {"user": "root"}]
    )
    def test_settings_that_make_no_sense_are_refused(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            process.Settings(**settings)
