"""Checks by programs: exit codes, what plugins print, what cannot be started; and units of systemd."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_servers import Run
from pydantic import ValidationError

from watchfloor.config.kinds import probe_kinds
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.plugin_output import FIGURE_LIMIT, parse

KINDS = probe_kinds()
Probing = Callable[..., Outcome]


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe with a kind and some settings."""

    def check(kind: str, **settings: Any) -> Outcome:
        outcome = run(KINDS[kind].run(KINDS[kind].settings(**settings), 10))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def script(text: str, **settings: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", text], **settings}


class TestCommand:
    @pytest.mark.parametrize(
        ("text", "codes", "status", "words"),
        [
            ("echo all well", "nagios", Status.OK, "all well"),
            ("echo so so; exit 1", "nagios", Status.DEGRADED, "so so"),
            ("echo bad; exit 2", "nagios", Status.FAILING, "bad"),
            ("echo who knows; exit 3", "nagios", Status.UNKNOWN, "who knows"),
            ("exit 4", "nagios", Status.UNKNOWN, "exit code 4 means nothing to Nagios"),
            ("nonesuch-program", "nagios", Status.UNKNOWN, "was not found"),
            ("kill -9 $$", "nagios", Status.UNKNOWN, "the program was ended by SIGKILL"),
            ("exit 0", "simple", Status.OK, "printed nothing (exit code 0)"),
            ("echo broken >&2; exit 7", "simple", Status.FAILING, "broken in"),
            ("exit 1", "simple", Status.FAILING, "exit code 1"),
        ],
    )
    def test_exit_codes_decide(
        self, check: Probing, text: str, codes: str, status: Status, words: str
    ) -> None:
        outcome = check("command", **script(text, codes=codes))
        assert outcome.status is status
        assert words in outcome.summary

    def test_figures_become_metrics_and_lines_become_facts(self, check: Probing) -> None:
        text = "echo \"DISK OK | '/a {b}'=2KB;80;90 load=0.5 time=12ms n=U\"; echo more; echo 'x | hits=7c'"
        outcome = check("command", **script(text))
        assert outcome.summary.startswith("DISK OK in ")
        assert dict(outcome.metrics) == {
            "run_seconds": pytest.approx(outcome.latency),
            "exit_code": 0,
            "bytes{label=/a _b_}": 2048,
            "value{label=load}": 0.5,
            "seconds{label=time}": 0.012,
            "total{label=hits}": 7,
        }
        assert outcome.facts["details"] == "more\nx"

    def test_it_gets_its_variables_its_directory_and_no_input(self, check: Probing, tmp_path: Path) -> None:
        outcome = check("command", **script('cat; echo "$PWD $WHO"', env={"WHO": "me"}, cwd=str(tmp_path)))
        assert outcome.summary.startswith(f"{tmp_path} me")

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"command": ["/no/such/program"]}, "cannot start /no/such/program: no such file"),
            ({"command": ["/etc/passwd"]}, "cannot start /etc/passwd: permission denied"),
            ({"command": ["true"], "cwd": "/no/such"}, "cannot start true: no such file"),
        ],
    )
    def test_what_cannot_be_started_is_unknown(
        self, check: Probing, settings: dict[str, Any], words: str
    ) -> None:
        outcome = check("command", **settings)
        assert outcome.status is Status.UNKNOWN
        assert words in outcome.summary.lower()

    @pytest.mark.parametrize("command", [[], [""], ["a\0b"], "echo hello"])
    def test_a_command_is_a_list_that_begins_with_a_program(self, command: Any) -> None:
        with pytest.raises(ValidationError):
            KINDS["command"].settings(command=command)

    def test_a_slow_program_is_told(self, check: Probing) -> None:
        outcome = check("command", **script("sleep 0.05", failing_after="10ms"))
        assert outcome.status is Status.FAILING
        assert "limit 10 ms" in outcome.summary


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="='|;"), min_size=1
)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("C",), exclude_characters="|")),
    st.lists(st.tuples(NAMES, st.integers(-(10**9), 10**9)), max_size=FIGURE_LIMIT),
    st.booleans(),
)
def test_what_is_written_by_the_rules_is_read_back(
    text: str, figures: list[tuple[str, int]], quotes: bool
) -> None:
    mark = "'" if quotes else ""
    data = " ".join(f"{mark}{name}{mark}={value};1;2" for name, value in figures)
    said = parse(f"{text}|{data}\n")
    assert said.summary == text.strip()
    assert [(figure.label, figure.value) for figure in said.figures] == figures


@given(st.text())
def test_nothing_a_plugin_prints_does_harm(output: str) -> None:
    said = parse(output)
    assert len(said.figures) <= FIGURE_LIMIT
    assert len(said.summary) + len(said.details) <= len(output)


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a systemctl of our own before the real one: it prints what the test says."""

    def make(text: str) -> None:
        program = tmp_path / "systemctl"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return make


WELL = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nDescription=A web server\n"


class TestSystemd:
    @pytest.mark.parametrize(
        ("shown", "settings", "status", "words"),
        [
            (WELL, {}, Status.OK, "nginx.service is active (running)"),
            (WELL + "NRestarts=7", {"restarts": {"degraded": 5}}, Status.DEGRADED, "started again 7 times"),
            (
                WELL + "MemoryCurrent=943718400",
                {"memory_mib": {"failing": 800}},
                Status.FAILING,
                "uses 900 MiB",
            ),
            (
                WELL + "MemoryCurrent=18446744073709551615",
                {"memory_mib": {"failing": 800}},
                Status.OK,
                "active",
            ),
            (
                "LoadState=not-found\nActiveState=inactive",
                {},
                Status.FAILING,
                "there is no unit nginx.service",
            ),
            (
                "ActiveState=failed\nSubState=failed\nResult=exit-code",
                {},
                Status.FAILING,
                "its last result is exit",
            ),
            (
                "ActiveState=activating\nSubState=auto-restart",
                {},
                Status.DEGRADED,
                "expected active or reloading",
            ),
            ("ActiveState=inactive\nSubState=dead", {"expect": ["inactive"]}, Status.OK, "inactive (dead)"),
            ("nonsense \033[2J", {}, Status.UNKNOWN, "did not tell the state"),
        ],
    )
    def test_what_systemd_says_is_judged(
        self,
        check: Probing,
        systemctl: Callable[[str], None],
        shown: str,
        settings: dict[str, Any],
        status: Status,
        words: str,
    ) -> None:
        systemctl(f"cat <<'END'\n{shown}\nEND")
        outcome = check("systemd", unit="nginx.service", **settings)
        assert outcome.status is status, outcome.summary
        assert words in outcome.summary

    def test_it_is_asked_for_this_unit_and_nothing_else(
        self, check: Probing, systemctl: Callable[[str], None], tmp_path: Path
    ) -> None:
        systemctl(f'echo "$@" > {tmp_path}/asked; echo ActiveState=active')
        check("systemd", unit="backup@home.timer", user=True)
        asked = (tmp_path / "asked").read_text().split()
        assert asked[:2] == ["--user", "show"]
        assert asked[-2:] == ["--", "backup@home.timer"]

    def test_a_machine_without_systemd_is_told_clearly(
        self,
        check: Probing,
        systemctl: Callable[[str], None],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        systemctl("echo 'System has not been booted with systemd as init system' >&2; exit 1")
        outcome = check("systemd", unit="a")
        assert outcome.status is Status.UNKNOWN
        assert "systemd does not answer: System has not been booted" in outcome.summary
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
        outcome = check("systemd", unit="a")
        assert outcome.status is Status.UNKNOWN
        assert "this machine has no systemd to ask: cannot start systemctl: no such file" in outcome.summary

    @pytest.mark.parametrize("unit", ["", "-H evil", "a b", "a;b", "--help"])
    def test_only_names_of_units_are_taken(self, unit: str) -> None:
        with pytest.raises(ValidationError):
            KINDS["systemd"].settings(unit=unit)
