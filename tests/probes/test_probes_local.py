"""Checks of files and processes of this machine."""

from __future__ import annotations

import errno
import os
import re
import shutil
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
            ("*.tar", {}, Status.FAILING, "0 files, 0 bytes: no file matches"),
            ("*.tar", {"exists": "any", "age": {"failing": "1h"}}, Status.OK, "0 files"),
            ("*.tar", {"exists": "no"}, Status.OK, "is not there"),
            ("*.tar", {"min_count": 0}, Status.OK, "0 files"),
            ("*.dump", {"exists": "any", "age": {"failing": "1h"}}, Status.FAILING, "too old (limit 1h)"),
            ("none", {"exists": "any"}, Status.OK, "is not there, as it may be"),
            ("a.dump", {"exists": "any", "min_size": 200}, Status.FAILING, "expected 200 bytes"),
            ("*.dump", {"min_count": 2, "max_count": 2}, Status.OK, "2 files"),
            (
                "*.dump",
                {"min_count": 3},
                Status.FAILING,
                "2 files, 150 bytes, 1h old: there must be at least 3 files",
            ),
            ("*.dump", {"max_count": 1}, Status.FAILING, "2 files, at most 1 may be there"),
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

    @pytest.mark.parametrize(
        ("settings", "status"),
        [
            ({}, Status.FAILING),
            ({"exists": True}, Status.FAILING),
            ({"age": {"degraded": "1h"}}, Status.FAILING),
            ({"exists": "yes", "age_of": "oldest"}, Status.FAILING),
            ({"min_count": 0}, Status.OK),
            ({"exists": "any", "age": {"failing": "1h"}}, Status.OK),
            ({"exists": "no"}, Status.OK),
            # Queues, which may be empty.
            ({"age_of": "oldest", "age": {"failing": "1h"}}, Status.OK),
            ({"count": {"failing": 100}}, Status.OK),
        ],
    )
    def test_an_empty_directory_is_what_the_settings_make_of_it(
        self, check: Probing, tmp_path: Path, settings: dict[str, Any], status: Status
    ) -> None:
        outcome = check(tmp_path, **settings)
        assert outcome.status is status, outcome.summary
        assert ("there is no file in it" in outcome.summary) is (status is Status.FAILING)

    def test_a_file_from_the_future_is_not_fresh_for_ever(self, check: Probing, tmp_path: Path) -> None:
        def dated(name: str, ahead: float) -> None:
            (tmp_path / name).write_bytes(b"x")
            os.utime(tmp_path / name, (time.time() + ahead,) * 2)

        dated("soon", 30)  # a clock that is a little ahead
        limits = {"failing": "1d"}
        assert check(tmp_path, age=limits).summary.endswith("1 file, 1 bytes, 0s old")
        (tmp_path / "soon").unlink()
        dated("later", 3 * 3600 + 60)
        outcome = check(tmp_path, age=limits)
        assert outcome.status is Status.DEGRADED
        assert (
            "the newest is dated 3h in the future and does not count as fresh; set the clocks"
            in outcome.summary
        )
        assert "newest_age_seconds" not in outcome.metrics
        assert check(tmp_path).status is Status.OK  # nobody asks how old it is …
        assert "dated 3h in the future" in check(tmp_path).summary  # … but is told
        dated("old", -2 * 86400)
        outcome = check(tmp_path, age=limits)
        assert outcome.status is Status.FAILING
        assert "2d old: the newest is too old (limit 1d); the newest is dated 3h" in outcome.summary

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"exists": False, "min_size": 1, "age": {"failing": "1d"}}, "leave out age, min_size"),
            ({"exists": "no", "count": {"failing": 3}}, "leave out count"),
            ({"min_count": 3, "max_count": 2}, "max_count is 2, but there must be 3"),
            ({"max_count": 0}, "max_count is 0, but there must be 1"),
            ({"min_count": 5, "count": {"failing": 5}}, "count.failing is reached from 5 on"),
            ({"path": "/var/crash/*.core", "count": {"degraded": 1}}, "write exists: any"),
            ({"min_size": 100, "size": {"failing": 100}}, "size.failing is reached from 100 on"),
            ({"size": {"degraded": 0}}, "size.degraded is reached from 0 on"),
            ({"exists": "any", "min_count": 1}, "exists: any allows for none"),
            ({"path": "/a/*", "exists": "yes", "min_count": 0}, "write exists: any"),
            ({"exists": "maybe"}, "'yes', 'no' or 'any'"),
        ],
    )
    def test_what_could_never_hold_is_refused(self, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(ValidationError, match=re.escape(words)):
            file.Settings(**{"path": "/var/spool", **settings})

    @pytest.mark.parametrize(
        "settings",
        [
            {"exists": "any", "max_count": 0},
            {"count": {"failing": 1}},  # a queue that must be empty
            {"min_count": 3, "max_count": 3, "count": {"degraded": 4}},
            {"path": "/a/*.core", "exists": "any", "count": {"failing": 1}},
            {"min_size": 100, "size": {"failing": 101}},
        ],
    )
    def test_what_could_hold_is_not_refused(self, settings: dict[str, Any]) -> None:
        file.Settings(**{"path": "/var/spool", **settings})

    def test_a_directory_that_may_not_be_listed_is_unknown(
        self, check: Probing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(path: str) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", path)

        monkeypatch.setattr(os, "scandir", refused)
        outcome = check(f"{tmp_path}/*.dump")
        assert outcome.status is Status.UNKNOWN
        assert f"cannot look at {tmp_path}/*.dump: permission denied" in outcome.summary

    @pytest.mark.parametrize("folder", ["none", "none/below", "a.dump"])
    @pytest.mark.parametrize(
        ("settings", "status"),
        [
            ({}, Status.FAILING),
            ({"min_count": 0}, Status.FAILING),
            ({"recursive": True}, Status.FAILING),
            ({"exists": "no"}, Status.OK),
            ({"exists": "any"}, Status.OK),
        ],
    )
    def test_where_the_directory_is_gone_nothing_matches(
        self, check: Probing, backups: Path, folder: str, settings: dict[str, Any], status: Status
    ) -> None:
        outcome = check(f"{backups}/{folder}/*.dump", **settings)
        assert outcome.status is status, outcome.summary
        assert "is not there" in outcome.summary
        if status is Status.FAILING:
            assert outcome.summary == f"{backups}/{folder} is not there"

    @pytest.mark.parametrize("pattern", ["", "/*.dump"])
    def test_a_directory_below_that_goes_meanwhile_is_left_out(
        self, check: Probing, backups: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
    ) -> None:
        look = os.scandir

        def listed(path: str) -> Any:
            if path == f"{backups}/below":
                shutil.rmtree(path)
            return look(path)

        monkeypatch.setattr(os, "scandir", listed)
        outcome = check(f"{backups}{pattern}", recursive=True)
        assert outcome.status is Status.OK, outcome.summary
        assert "2 files, 150 bytes" in outcome.summary

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
