"""The part of the table of actions that has to do with maintenance windows."""

from __future__ import annotations

from watchfloor.console import needs
from watchfloor.console.action import Action, Scope

_WINDOWS = frozenset({Scope.WINDOWS})

WINDOWS: tuple[Action, ...] = (
    Action(
        "maintenance",
        ("Y",),
        "maintenance",
        "Maintenance windows: what is open, what comes, what is over; plan one.",
        "Maintenance",
        frozenset({Scope.SERVICE}),
        "show_maintenance",
        rank=12,
        aliases=("windows", "planner"),
    ),
    Action(
        "add_window",
        ("+",),
        "new window",
        "Plan a maintenance window in a form: once, weekly, monthly or by a cron expression.",
        "Maintenance",
        _WINDOWS,
        "add_window",
        rank=2,
        writes=True,
        aliases=("new-window",),
    ),
    Action(
        "edit_window",
        ("i",),
        "definition",
        "Look at the definition of this window, and change it where the console owns it.",
        "Maintenance",
        _WINDOWS,
        "edit_window",
        rank=3,
        why=needs.window,
        aliases=("edit",),
    ),
    Action(
        "copy_window",
        ("C",),
        "copy window",
        "Plan a new window like this one.",
        "Maintenance",
        _WINDOWS,
        "copy_window",
        writes=True,
        why=needs.window,
    ),
    Action(
        "end_window",
        ("x",),
        "end now",
        "Close this window before its time; later openings stay. Undo opens it again.",
        "Maintenance",
        _WINDOWS,
        "end_window",
        rank=4,
        writes=True,
        fleeting=True,
        why=needs.open_window,
    ),
    Action(
        "delete_window",
        ("D",),
        "delete",
        "Take this window away, where the console owns it; asks first.",
        "Maintenance",
        _WINDOWS,
        "delete_window",
        rank=6,
        writes=True,
        danger=True,
        fleeting=True,
        why=needs.owned_window,
    ),
)
