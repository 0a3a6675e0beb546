"""The part of the table of actions that has to do with logs."""

from __future__ import annotations

from watchfloor.console.action import Action, Scope

_LOGS = frozenset({Scope.LOGS})

LOGS: tuple[Action, ...] = (
    Action(
        "level",
        ("l",),
        "level",
        "Show only records from the next severity up; after the last, all.",
        "Logs",
        _LOGS,
        "next_level",
        rank=6,
    ),
    Action(
        "follow",
        ("F",),
        "follow",
        "Go to the newest record and stay with what comes.",
        "Logs",
        _LOGS,
        "follow",
        rank=8,
    ),
)
