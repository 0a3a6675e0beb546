"""The part of the table of actions that has to do with the rooms."""

from __future__ import annotations

from watchfloor.console.action import Action, Scope

_ROOM = frozenset({Scope.ROOM})

ROOMS: tuple[Action, ...] = (
    Action(
        "health",
        ("1",),
        "health",
        "Services and their state.",
        "Rooms",
        _ROOM,
        "show_health",
        aliases=("services",),
    ),
    Action(
        "jobs", ("2",), "jobs", "What runs, ran and will run.", "Rooms", _ROOM, "show_jobs", aliases=("runs",)
    ),
    Action(
        "alerts", ("3",), "alerts", "What needs somebody.", "Rooms", _ROOM, "show_alerts", aliases=("al",)
    ),
    Action(
        "logs",
        ("4",),
        "logs",
        "Records of the program, newest first.",
        "Rooms",
        _ROOM,
        "show_logs",
        aliases=("log",),
    ),
    Action(
        "settings",
        ("5",),
        "settings",
        "Configuration, nodes, themes.",
        "Rooms",
        _ROOM,
        "show_settings",
        aliases=("config",),
    ),
)
