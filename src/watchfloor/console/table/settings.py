"""The part of the table of actions that has to do with the settings."""

from __future__ import annotations

from watchfloor.console import labels, needs
from watchfloor.console.action import Action, Scope

_SETTINGS = frozenset({Scope.SETTINGS})

SETTINGS: tuple[Action, ...] = (
    Action(
        "change",
        ("enter",),
        "change",
        "Change the setting, or choose the theme, under the cursor.",
        "Settings",
        _SETTINGS,
        "change",
        rank=1,
        why=needs.row,
        relabel=labels.change,
    ),
    Action(
        "reset",
        ("R",),
        "reset",
        "Go back to the default of this setting; asks first.",
        "Settings",
        _SETTINGS,
        "reset",
        rank=4,
        writes=True,
        danger=True,
        fleeting=True,
        why=needs.changed_setting,
    ),
    Action(
        "next_section",
        ("tab", "right", "l"),
        "next section",
        "Go to the next section of the settings.",
        "Settings",
        _SETTINGS,
        "next_section",
        rank=2,
    ),
    Action(
        "previous_section",
        ("shift+tab", "left", "h"),
        "previous section",
        "Go to the previous section.",
        "Settings",
        _SETTINGS,
        "previous_section",
    ),
)
