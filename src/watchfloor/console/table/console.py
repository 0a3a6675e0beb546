"""The part of the table of actions that has to do with the console itself."""

from __future__ import annotations

from watchfloor.console import labels, needs
from watchfloor.console.action import Action, Scope

_ROOM = frozenset({Scope.ROOM})

CONSOLE: tuple[Action, ...] = (
    Action(
        "help",
        ("?", "f1"),
        "help",
        "Every key of this screen; runs them too.",
        "Console",
        _ROOM,
        "help",
        rank=8,
    ),
    Action(
        "commands",
        (":", "ctrl+p"),
        "commands",
        "Type a command, or find an action by name; with completion and history.",
        "Console",
        _ROOM,
        "commands",
        rank=12,
    ),
    Action(
        "times",
        ("t",),
        "ages or times",
        "Show ages, or the times themselves.",
        "Console",
        _ROOM,
        "toggle_times",
    ),
    Action(
        "lock",
        ("L",),
        "lock",
        "Lock this console against every change; to unlock it the word must be typed.",
        "Console",
        _ROOM,
        "lock",
        relabel=labels.lock,
    ),
    Action(
        "copy",
        ("y",),
        "copy",
        "Copy the id, the line, JSON, a command or the error text of what is under the cursor.",
        "Console",
        _ROOM,
        "copy",
        why=needs.row,
    ),
    Action(
        "mouse",
        ("f7",),
        "mouse",
        "Use the mouse, or leave it to the terminal; off over SSH unless wanted.",
        "Console",
        _ROOM,
        "switch_mouse",
    ),
    Action(
        "bell",
        ("f8",),
        "bell",
        "What tells of new alerts: nothing, the terminal's bell, or a notification on the desktop.",
        "Console",
        _ROOM,
        "switch_bell",
    ),
    Action("redraw", ("ctrl+l",), "redraw", "Draw the whole screen again.", "Console", _ROOM, "redraw"),
    Action("close", ("q",), "close", "Go back; on a first screen, quit.", "Console", _ROOM, "close", rank=13),
    Action(
        "quit",
        ("ctrl+c", "ctrl+q"),
        "quit",
        "Leave the console.",
        "Console",
        _ROOM,
        "quit",
        aliases=("q", "q!", "exit"),
    ),
)
