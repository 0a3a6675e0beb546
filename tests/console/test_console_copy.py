"""Copying: what is offered, what goes over the wire, and that nothing from outside can end the sequence."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from console_driver import console
from console_pty import PATIENCE_S, started, terminal
from console_world import World, health_rows
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.console.clipboard import LIMIT, into_tmux, sequence, write_file
from watchfloor.console.copies import copies

PLAIN = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
NASTY = "\x1b]52;c;aGk=\x07 \x1b\\ \x9c \x07 \x00 \u202e"


def unwrapped(sent: str, environ: dict[str, str]) -> str:
    """What the terminal behind tmux or screen gets; for tmux the form that is handed on."""
    if "TMUX" in environ:
        inner = re.fullmatch(r"\x1bPtmux;(.*)\x1b\\", sent[sent.index("\x1bP") :], re.DOTALL)
        assert inner is not None
        return inner[1].replace("\x1b\x1b", "\x1b")
    if "STY" in environ:
        parts = re.findall(r"\x1bP(.*?)\x1b\\", sent, re.DOTALL)
        assert all(len(part) <= 256 for part in parts)
        return "".join(parts)
    return sent


@given(st.text(max_size=2000), st.sampled_from([{}, {"TMUX": "/tmp/x,1,0"}, {"STY": "1.x"}]))
def test_any_text_arrives_and_cannot_leave_its_sequence(text: str, environ: dict[str, str]) -> None:
    sent = sequence(text, environ)
    assert sent is not None
    found = PLAIN.fullmatch(unwrapped(sent, environ).encode())
    assert found is not None
    assert b64decode(found[1]) == text.encode("utf-8", "replace")


def test_the_limit_is_kept_to_the_byte():
    most = LIMIT // 4 * 3
    assert sequence("x" * most, {}) is not None
    assert sequence("x" * (most + 3), {}) is None


def test_the_file_is_only_for_its_owner_and_replaces_the_one_before(tmp_path: Path):
    write_file("first", tmp_path / "state")
    path = write_file("second", tmp_path / "state")
    assert path.read_text() == "second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_what_is_copied_of_a_hostile_row_holds_no_control_characters():
    row = replace(health_rows()[0], name=NASTY, summary=f"{NASTY} refused")
    found = {each.what: each.text for each in copies(row, f"{NASTY} line")}
    assert set(found) == {"id", "line", "JSON", "command", "error text"}
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", "".join(found.values()))
    assert json.loads(found["JSON"])["name"] == NASTY


async def test_the_menu_lists_what_there_is_and_says_what_was_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console(size=(160, 30)) as driver:
        await driver.press("3", "y")
        driver.sees("Copy", "WHAT ITS TEXT", "watchfloor alerts ack 42", "enter copy")
        await driver.type("comm")
        await driver.press("enter")
        path = tmp_path / "watchfloor" / "copied.txt"
        driver.sees(f"written to {path} (there is no terminal): command, 24 characters")
        assert path.read_text() == "watchfloor alerts ack 42"


@pytest.mark.parametrize(
    ("keys", "what", "text"),
    [
        (["1"], "id", "1"),
        (["1"], "command", "watchfloor alerts ack 42"),
        (["1"], "error", "HTTP 503 from https://checkout.shop.example/health, expected 200"),
        (["1", "j", "enter"], "command", "watchfloor alerts show 41"),
        (["3", "enter"], "id", "42"),
        (["4"], "line", "prober floor-01 shop checkout: HTTP 503 in 412 ms"),
        (["5"], "id", "engine.max_concurrent_checks"),
    ],
)
async def test_each_room_has_something_to_copy(
    keys: list[str], what: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console() as driver:
        await driver.press(*keys, "y")
        await driver.type(what)
        await driver.press("enter")
    assert text in (tmp_path / "watchfloor" / "copied.txt").read_text()


async def test_with_nothing_selected_there_is_nothing_to_copy():
    async with console(World(alerts=[])) as driver:
        await driver.press("3", "y")
        driver.sees("copy: nothing is selected")


@pytest.mark.parametrize(
    "environ", [{}, {"TMUX": "/tmp/tmux-0/default,1,0"}, {"STY": "1.pts"}], ids=["bare", "tmux", "screen"]
)
def test_the_terminal_gets_the_sequence_and_nothing_else_of_it(environ: dict[str, str]) -> None:
    with terminal(environ=environ) as found:
        found.until(started)
        found.type(b"3")
        found.until(lambda output: b"6 alert" in output)
        found.type(b"y")
        found.until(lambda output: b"Copy" in output)
        found.type(b"comm\r")
        found.until(lambda output: b"copied command" in output)
        output = bytes(found.output)
        expected = sequence("watchfloor alerts ack 42", environ)
        assert expected is not None
        assert output.count(expected.encode()) == 1
        assert output.count(b"52;c;") == expected.count("52;c;")
        found.type(b"\x03")
        found.process.wait(PATIENCE_S)


def test_what_is_too_big_goes_to_a_file_and_the_path_is_said(tmp_path: Path) -> None:
    setup = (
        "from dataclasses import replace; world, options = World(), {}; "
        "world.services[0] = replace(world.services[0], tags=('x' * 2000,) * 60)"
    )
    with terminal(setup=setup, environ={"XDG_STATE_HOME": str(tmp_path)}, size=(200, 24)) as found:
        found.until(started)
        found.type(b"y")
        found.until(lambda output: b"Copy" in output)
        found.type(b"json\r")
        found.until(lambda output: b"too big for a terminal" in output)
        path = tmp_path / "watchfloor" / "copied.txt"
        assert b"52;c;" not in found.output
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text())["id"] == 1
        found.type(b"\x03")
        found.process.wait(PATIENCE_S)


async def test_tmux_as_it_comes_takes_what_is_copied_into_its_buffer(tmp_path: Path) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    environ = {"PATH": os.environ["PATH"], "TMUX_TMPDIR": str(tmp_path), "TERM": "xterm"}

    def tmux(*words: str) -> str:
        command = ["tmux", "-L", "copy", "-f", "/dev/null", *words]
        return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout

    socket = tmux("new-session", "-d", "-P", "-F", "#{socket_path},#{pid},0", "sleep 60").strip()
    try:
        assert await into_tmux(NASTY.replace("\x00", ""), {**environ, "TMUX": socket})
        assert tmux("show-buffer") == NASTY.replace("\x00", "")
    finally:
        tmux("kill-server")
    assert not await into_tmux("text", {**environ, "TMUX": socket})  # it is gone


async def test_what_no_tmux_takes_goes_over_the_wire() -> None:
    assert not await into_tmux("text", {})
    assert not await into_tmux("text", {"TMUX": "/nowhere,1,0", "PATH": ""})
