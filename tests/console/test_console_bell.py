"""The bell: it rings for what is new and fires, and for nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from console_driver import console
from console_pty import started, terminal
from console_world import World

from watchfloor.console.bell import KINDS, PREFERENCE, news, sequence
from watchfloor.domain.boards import BEGUN, LATELY_S, Begun, StatusLine
from watchfloor.domain.severity import Severity

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
F8 = b"\x1b[19~"


def line(*begun: Begun, **firing: int) -> StatusLine:
    return StatusLine(NOW, "embedded", "one", 1, 0.1, 0, {}, firing, 0, 0, begun=begun)


def later(status: StatusLine, **quiet: int) -> StatusLine:
    return replace(status, at=NOW + timedelta(seconds=LATELY_S), quiet=quiet)


def began(number: int, severity: Severity = Severity.CRITICAL, title: str = "", seq: int = 1) -> Begun:
    return Begun(number, seq, NOW + timedelta(seconds=number), severity, title or f"s{number} is failing")


WARNING = Severity.WARNING


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, line(began(1), critical=1), ""),  # somebody who has just come sees them
        (line(), line(began(1), critical=1), "1 critical alert: s1 is failing"),
        (line(began(1), critical=1), line(began(2), critical=1), "1 critical alert: s2 is failing"),
        (line(began(1), critical=1), line(began(1, seq=4), critical=1), "1 critical alert: s1 is failing"),
        (line(began(1), critical=2), line(began(2), began(1), critical=2), "1 critical alert: s2 is failing"),
        (
            line(began(1), critical=1),
            line(began(4, WARNING), began(3), began(2), began(1), critical=3, warning=1),
            "2 critical alerts, 1 warning alert, the newest critical one: s3 is failing",
        ),
        (line(began(2), began(1), critical=2), line(began(1), critical=1), ""),
        (line(began(1), critical=1), line(began(1), critical=1), ""),
        (line(began(1), critical=1), line(critical=1), ""),
        # nobody looked for so long that it is not known which began
        (line(warning=1), later(line(warning=3, emergency=1)), "1 emergency alert, 2 warning alerts"),
        (line(critical=2), later(line(critical=1, warning=1)), "1 warning alert"),
        (line(critical=1), later(line(critical=3), critical=2), ""),
        # one that nobody is told of began; one that people know is not silenced any more
        (line(critical=1), line(critical=2), ""),
        (line(critical=2), line(critical=2), ""),
        (
            line(critical=1),
            line(began(1, title="a\x07b\x1b]0;owned\x07\nc" + "x" * 500), critical=2),
            "1 critical alert: ab c" + "x" * 75 + "…",
        ),
    ],
)
def test_what_is_new(before: StatusLine | None, after: StatusLine, words: str) -> None:
    assert news(before, after) == words


def test_what_comes_back_into_a_full_list_is_not_new() -> None:
    full = [began(number) for number in range(100, 100 - BEGUN, -1)]
    after = [*full[1:], began(1)]
    assert news(line(*full, critical=51), line(*after, critical=50)) == ""


@pytest.mark.parametrize(
    ("kind", "environ", "sent"),
    [
        ("off", {}, ""),
        ("bell", {}, "\x07"),
        ("desktop", {}, "\x07\x1b]9;Watchfloor: 1 alert\x07\x1b]777;notify;Watchfloor;1 alert\x1b\\"),
        ("nonsense", {}, ""),
    ],
)
def test_what_is_sent(kind: str, environ: Mapping[str, str], sent: str) -> None:
    assert sequence(kind, "1 alert", environ) == sent


def test_through_tmux_it_is_wrapped() -> None:
    sent = sequence("desktop", "1 alert", {"TMUX": "x"})
    assert sent.startswith("\x07\x1bPtmux;\x1b\x1b]9;")
    assert sent.endswith("\x1b\\")


@pytest.mark.parametrize("kind", KINDS)
def test_no_words_can_end_the_sequence_or_begin_another(kind: str) -> None:
    sent = sequence(kind, "a\x07b\x1b]0;owned\x07;c\x9dd\r\n", {})
    assert sent.count("\x07") <= 2
    assert sent.count("\x1b") <= 3
    assert not {"\r", "\n", "\x9d"} & set(sent)


# SIGUSR1: in one moment the alert that is critical ends and another one begins.
SETUP = """
import signal
from dataclasses import replace
from watchfloor.domain.severity import Severity
world, options = World(preferences={'alerts.bell': %r}), {"pace": 0.0}
def change(number, frame):
    was = next(each for each in world.alerts if each.state == "firing" and each.severity is Severity.CRITICAL)
    now = replace(was, id=900, title="tills are\\x1b]0;owned\\x07 on fire")
    world.alerts = [now, *(each for each in world.alerts if each is not was)]
    world.changed("alerts")
signal.signal(signal.SIGUSR1, change)
"""
TOLD = b"Watchfloor: 1 critical alert: tills are on fire\x07"


@pytest.mark.parametrize(("kind", "sent"), [("bell", b"\x07"), ("desktop", b"\x07\x1b]9;" + TOLD)])
def test_a_critical_alert_that_takes_the_place_of_another_rings_on_the_terminal(
    kind: str, sent: bytes
) -> None:
    with terminal(setup=SETUP % kind, environ={"TMUX": ""}) as seen:
        seen.until(started)
        before = seen.still()
        os.kill(seen.process.pid, signal.SIGUSR1)
        seen.until(lambda output: sent in output[before:])
        seen.still()
        assert seen.output[before:].count(b"\x07") == sent.count(b"\x07")


def test_the_key_rings_at_once_as_new_alerts_will() -> None:
    with terminal(setup="world, options = World(), {'pace': 0.0}", environ={"TMUX": ""}) as seen:
        seen.until(started)
        before = seen.still()
        seen.type(F8)
        seen.until(lambda output: b"ring the terminal's bell" in output)
        at = seen.still()
        assert seen.output[before:at].count(b"\x07") == 1
        seen.type(F8)
        seen.until(
            lambda output: b"\x1b]777;notify;Watchfloor;this is how a new alert sounds\x1b\\" in output
        )
        at = seen.still()
        seen.type(F8)
        seen.until(lambda output: b"are shown and nothing more" in output)
        seen.still()
        assert b"\x07" not in seen.output[at:]


async def test_what_tells_of_new_alerts_is_remembered_and_taken_up_again() -> None:
    world = World()
    async with console(world) as driver:
        await driver.press("f8", "f8")
        driver.sees("new alerts ring and are told on the desktop")
    assert world.preferences[PREFERENCE] == "desktop"
    async with console(world) as driver:
        assert driver.app.bell_kind == "desktop"
        await driver.press("f8")
    assert world.preferences[PREFERENCE] == "off"
    async with console(World(preferences={PREFERENCE: "nonsense"})) as driver:
        assert driver.app.bell_kind == "off"
