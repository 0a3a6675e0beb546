"""The bytes that make a terminal tell something: its bell, and a notification of the desktop.

BEL rings or marks the window; OSC 9 (iTerm2, Windows Terminal, ConEmu, Ghostty) and OSC 777 (urxvt, foot, WezTerm,
VTE) show a notification on the desktop of whoever sits there, also over SSH. What a terminal does not know it ignores.
Words are made safe before: nothing that came from outside can end the sequence or begin another.

Sources: xterm's control sequences (BEL), iTerm2's and foot's documentation (OSC 9, OSC 777), tmux(1)
``allow-passthrough``.
"""

from __future__ import annotations

from watchfloor.domain.text import one_line

BELL = "\x07"
LONGEST = 400
"""So many characters of what is told are shown at most."""


def notification(words: str) -> str:
    """What shows ``words`` on the desktop.

    >>> notification("1 critical alert")
    '\\x1b]9;Watchfloor: 1 critical alert\\x07\\x1b]777;notify;Watchfloor;1 critical alert\\x1b\\\\'
    """
    safe = one_line(words, LONGEST).replace(";", ",")
    return f"\x1b]9;Watchfloor: {safe}\x07\x1b]777;notify;Watchfloor;{safe}\x1b\\"


def through_tmux(plain: str) -> str:
    """A sequence that the tmux around a program hands on to its own terminal, where it is allowed to.

    >>> through_tmux("\\x1b[m")
    '\\x1bPtmux;\\x1b\\x1b[m\\x1b\\\\'
    """
    return "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
