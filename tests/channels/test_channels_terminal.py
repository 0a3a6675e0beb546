"""Terminals that belong to somebody, as real pseudo terminals: told, left out, and never waited for."""

from __future__ import annotations

import contextlib
import os
import pty
import pwd
import re
import select
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.waiting import until
from watchfloor.channels import terminal
from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.channels.terminal import CLOSING, Settings, deliver, render
from watchfloor.config.problems import ConfigError
from watchfloor.config.settings import build_settings
from watchfloor.domain.alert import acknowledge, condition_false, raise_alert
from watchfloor.domain.bell import LONGEST
from watchfloor.domain.message import About, compose
from watchfloor.domain.notice import trial_message
from watchfloor.domain.severity import Severity

ID = "0191d8f0-0000-7000-8000-000000000001"
NOW = datetime(2031, 3, 1, 7, 2, 11, tzinfo=UTC)
WORDS = "CRITICAL shop is failing, since 07:02 UTC. refused alert #42"
NOTIFICATION = f"\x1b]9;Watchfloor: {WORDS}\x07\x1b]777;notify;Watchfloor;{WORDS}\x1b\\"
NO_TERMINAL = "/dev/pts/9999999"


@dataclass(frozen=True, slots=True)
class Open:
    """A terminal that is open, seen from its other end."""

    path: str
    master: int
    slave: int

    def read(self) -> str:
        """Everything that it shows and nobody read yet."""
        got = b""
        try:
            while part := os.read(self.master, 65536):
                got += part
        except BlockingIOError:
            pass
        return got.decode()

    def stop(self) -> None:
        """As somebody does who presses ctrl-s."""
        termios.tcflow(self.slave, termios.TCOOFF)

    def freeze(self) -> None:
        """Fill it, as happens to one whose connection is frozen: nobody reads what it is to show."""
        room = select.poll()
        room.register(self.slave, select.POLLOUT)
        while room.poll(500):  # the kernel moves things on for a moment
            with contextlib.suppress(BlockingIOError):
                os.write(self.slave, b"x" * 1000)


@contextmanager
def opened() -> Iterator[Open]:
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    os.set_blocking(slave, False)
    try:
        yield Open(os.ttyname(slave), master, slave)
    finally:
        os.close(slave)
        os.close(master)


@pytest.fixture
def screen() -> Iterator[Open]:
    with opened() as found:
        yield found


@pytest.fixture
def second() -> Iterator[Open]:
    with opened() as found:
        yield found


def settings(*paths: Open | str, **values: Any) -> Settings:
    terminals = [each if isinstance(each, str) else each.path for each in paths]
    return Settings.model_validate({"terminals": terminals, **values})


def firing(title: str = "shop is failing", summary: str = "refused") -> bytes:
    alert, events = raise_alert(Severity.CRITICAL, NOW)
    return compose(events[-1], alert, About(42, "u", title, summary, {}))


def acknowledged() -> bytes:
    alert, events = acknowledge(raise_alert(Severity.CRITICAL, NOW)[0], "ann", "", None, False, NOW)
    return compose(events[-1], alert, About(42, "u", "shop is failing", "", {}))


def over() -> bytes:
    alert, events = condition_false(raise_alert(Severity.CRITICAL, NOW)[0], NOW)
    return compose(events[-1], alert, About(42, "u", "shop is failing", "", {}))


def trial() -> bytes:
    return trial_message("u", "channel desk", {}, "ann", NOW)


async def tell(made: Settings, payload: bytes | None = None) -> str:
    rendered = render(made, Draft(ID, ID, payload or firing()))
    return await deliver(made, Message(ID, "alert.firing", rendered, 1))


async def refused(made: Settings) -> str:
    with pytest.raises(DeliveryError) as caught:
        await tell(made)
    assert not caught.value.permanent
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"how": "bell"}, "\x07"),
        ({"how": "desktop"}, f"{CLOSING}{NOTIFICATION}"),
        ({}, f"{CLOSING}\x07{NOTIFICATION}"),
        ({"how": "bell", "text": True}, f"{CLOSING}\x07\r\r\n{WORDS}\r\r\n"),
    ],
)
async def test_a_terminal_gets_what_is_wanted_and_nothing_else(
    values: dict[str, Any], shown: str, screen: Open
) -> None:
    assert await tell(settings(screen, **values)) == ""
    assert screen.read() == shown


@pytest.mark.parametrize(
    ("payload", "rings"), [(firing(), True), (acknowledged(), False), (over(), False), (trial(), True)]
)
async def test_the_bell_rings_for_what_fires(payload: bytes, rings: bool, screen: Open) -> None:
    await tell(settings(screen), payload)
    assert screen.read().startswith(f"{CLOSING}\x07\x1b]9;" if rings else f"{CLOSING}\x1b]9;")
    remark = await tell(settings(screen, how="bell"), payload)
    assert (screen.read(), remark) == (("\x07", "") if rings else ("", terminal.NOTHING))
    await tell(settings(screen, how="bell", rings_for="everything"), payload)
    assert screen.read() == "\x07"


HOSTILE = "a\x07b\x1b]0;owned\x07;c\x9cd\x1b\\e\r\n\x1b[2Jf\u202eg\x9d52;c;x\x9ch\x00\x1bPtmux;\x1b\x1b]0;i\x07\x1b\\"


async def test_nothing_that_came_from_outside_ends_a_sequence_or_begins_another(screen: Open) -> None:
    await tell(settings(screen, text=True), firing(HOSTILE, HOSTILE * 100))
    seen = re.fullmatch(
        r"\x1b\\\x07\x1b]9;Watchfloor: (.*)\x07\x1b]777;notify;Watchfloor;(.*)\x1b\\\r\r\n(.*)\r\r\n",
        screen.read(),
        re.DOTALL,
    )
    assert seen
    assert all(words.isprintable() and len(words) <= LONGEST for words in seen.groups())
    assert ";" not in seen[1] + seen[2]
    assert seen[3].startswith("CRITICAL ab;c")


async def test_every_open_terminal_of_the_user_is_told(
    screen: Open, second: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [each.path.rpartition("/")[2] for each in (screen, second)]
    monkeypatch.setattr(terminal.os, "listdir", lambda path: ["ptmx", *numbers])
    assert await tell(settings(how="bell")) == ""
    assert (screen.read(), second.read()) == ("\x07", "\x07")


async def test_while_no_terminal_is_open_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "TERMINALS", str(tmp_path))
    assert "no terminal of the user that this node runs as is open on " in await refused(settings())
    assert "no terminal of nobody is open on " in await refused(settings(users=["nobody"]))
    assert await refused(settings(NO_TERMINAL)) == f"{NO_TERMINAL} is not open"


async def test_a_user_whom_this_machine_does_not_know_is_named(screen: Open) -> None:
    words = "there is no user no-such-user on "
    assert (await refused(settings(users=["no-such-user"]))).startswith(words)
    own = pwd.getpwuid(os.geteuid()).pw_name
    remark = await tell(settings(screen, users=["no-such-user", own]))
    assert remark.startswith(f"1 terminal took it, but {words}")
    assert screen.read()


async def test_a_terminal_of_somebody_else_is_let_be(screen: Open) -> None:
    assert await refused(settings(screen, users=["nobody"])) == f"{screen.path} belongs to somebody else"
    assert screen.read() == ""


async def test_what_is_no_terminal_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "TERMINALS", str(tmp_path))
    (tmp_path / "7").write_text("kept")
    (tmp_path / "8").symlink_to(tmp_path / "7")
    said = await refused(settings())
    assert f"{tmp_path}/7 is no terminal" in said
    assert f"{tmp_path}/8 fails: " in said
    assert (tmp_path / "7").read_text() == "kept"


@pytest.mark.parametrize("happens", [Open.stop, Open.freeze])
async def test_a_frozen_terminal_holds_nothing_up(
    happens: Callable[[Open], None], screen: Open, second: Open
) -> None:
    happens(screen)
    words = f"{screen.path} takes nothing (it is stopped, or its connection is frozen)"
    assert await refused(settings(screen, timeout=30)) == words
    assert await tell(settings(screen, NO_TERMINAL, second, how="bell", timeout=30)) == (
        f"1 terminal took it, but {words}; {NO_TERMINAL} is not open"
    )
    assert second.read() == "\x07"
    assert set(screen.read()) <= {"x"}


async def test_one_that_takes_only_a_part_is_waited_for_a_moment(
    screen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "notification", lambda words: "y" * 500_000)
    assert await refused(settings(screen)) == f"{screen.path} took only a part (its connection is frozen)"
    monkeypatch.setattr(terminal, "REST_S", 30.0)
    seen, whole = [screen.read()], threading.Event()

    def look() -> None:
        while not whole.is_set():
            seen.append(screen.read())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        assert await tell(settings(screen, how="desktop", timeout=30)) == ""
    finally:
        whole.set()
        looking.join()
    seen.append(screen.read())
    # What was cut off before is ended first, so that it swallows nothing of this one.
    assert "".join(seen).endswith(CLOSING + "y" * 500_000)


async def test_the_time_limit_is_kept_and_nothing_is_written_after_it(
    screen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer, uid = threading.Event(), threading.Event(), os.geteuid()

    def hang(user: str) -> pwd.struct_passwd:
        asked.set()
        answer.wait(60)
        return pwd.getpwuid(uid)

    monkeypatch.setattr(terminal.pwd, "getpwnam", hang)
    made = settings(screen, users=["ann"]).model_copy(update={"timeout": 0.3})
    try:
        assert await refused(made) == "the terminals could not be told within 0.3 s"
        assert asked.is_set()
    finally:
        answer.set()
    assert await tell(settings(screen, how="bell")) == ""  # on the same thread, so after the late one
    assert screen.read() == "\x07"


@pytest.mark.parametrize(
    "path",
    [
        "/dev/sda",
        "/etc/passwd",
        "/dev/pts/../sda",
        "/dev/pts/ptmx",
        "/dev/tty",
        "/dev/pts/1\n",
        "3",
        "pts/3",
        "",
    ],
)
def test_another_path_is_refused_where_it_is_written(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_settings(Settings, {"terminals": ["/dev/tty1", "/dev/ttyS0", path]}, {}, Path("/"))
    said = str(caught.value)
    assert said.startswith("terminals[2]: ")
    assert "allowed: a terminal such as /dev/pts/3, /dev/tty1 or /dev/ttyS0" in said


async def test_nothing_stays_open(screen: Open) -> None:
    def here() -> int:
        return sum(
            os.path.realpath(f"/proc/self/fd/{number}") == screen.path
            for number in os.listdir("/proc/self/fd")
        )

    before = here()
    await tell(settings(screen))
    screen.stop()
    await refused(settings(screen))
    await until(lambda: here() == before)
