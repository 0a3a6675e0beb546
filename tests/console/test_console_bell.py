"""The bell: it rings for what is new and fires, and for nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from watchfloor.console.bell import KINDS, news, sequence
from watchfloor.domain.boards import StatusLine

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)


def line(**firing: int) -> StatusLine:
    return StatusLine(NOW, "embedded", "one", 1, 0.1, 0, {}, firing, 0, 0)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, line(critical=3), ""),  # somebody who has just come sees them
        (line(), line(critical=1), "1 critical alert"),
        (line(warning=1), line(warning=3, emergency=1), "1 emergency alert, 2 warning alerts"),
        (line(critical=2), line(critical=1), ""),
        (line(critical=2), line(critical=1, warning=1), "1 warning alert"),
        (line(critical=2), line(critical=2), ""),
    ],
)
def test_what_is_new(before: StatusLine | None, after: StatusLine, words: str) -> None:
    assert news(before, after) == words


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
