"""The bell: a terminal says that something new fires, by its own bell or by a notification of the desktop.

BEL rings or marks the window; OSC 9 (iTerm2, Windows Terminal, ConEmu, Ghostty) and OSC 777 (urxvt, foot, WezTerm,
VTE) show a notification on the desktop of whoever sits there, also over SSH. What a terminal does not know it ignores.
Words are made safe before: nothing that came from outside can end the sequence or begin another.

Sources: xterm's control sequences (BEL), iTerm2's and foot's documentation (OSC 9, OSC 777), tmux(1)
``allow-passthrough``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from watchfloor.domain.boards import StatusLine
from watchfloor.domain.severity import Severity
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count

KINDS = ("off", "bell", "desktop")
"""What a person can choose; kept as the preference `PREFERENCE`."""

PREFERENCE = "alerts.bell"
LONGEST = 120


def news(before: StatusLine | None, after: StatusLine) -> str:
    """What fires now and did not a moment ago, in words; empty where nothing does, or at the first look.

    Only more counts: what ends, or is acknowledged, rings for nobody.
    """
    if before is None:
        return ""
    parts = []
    for severity in sorted(Severity, reverse=True):
        word = severity.word
        more = after.firing.get(word, 0) - before.firing.get(word, 0)
        if more > 0:
            parts.append(f"{count(more, f'{word} alert')}")
    return ", ".join(parts)


def sequence(kind: str, words: str, environ: Mapping[str, str] = os.environ) -> str:
    """The bytes that make a terminal tell ``words``; empty for a kind that tells nothing.

    >>> sequence("bell", "1 critical alert", {})
    '\\x07'
    """
    if kind not in KINDS or kind == "off" or not words:
        return ""
    if kind == "bell":
        return "\x07"
    safe = one_line(words, LONGEST).replace(";", ",")
    plain = f"\x1b]9;Watchfloor: {safe}\x07\x1b]777;notify;Watchfloor;{safe}\x1b\\"
    if environ.get("TMUX"):
        return "\x07\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return "\x07" + plain
