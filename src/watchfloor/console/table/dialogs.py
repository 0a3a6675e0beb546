"""The part of the table of actions that has to do with dialogs and pickers."""

from __future__ import annotations

from watchfloor.console import labels
from watchfloor.console.action import Action, Scope

_COLUMNS = frozenset({Scope.COLUMNS})
_DIALOG = frozenset({Scope.DIALOG})
_PICKERS = frozenset({Scope.PICKER, Scope.COMMAND})
_COMMAND = frozenset({Scope.COMMAND})
_DIALOGS = frozenset({Scope.DIALOG, Scope.PICKER, Scope.COMMAND})
_FIELDS = frozenset({Scope.FIELDS})
_CHOICE = frozenset({Scope.CHOICE})
_NOTES = frozenset({Scope.NOTES})
_ACKNOWLEDGING = frozenset({Scope.ACKNOWLEDGING})

DIALOGS: tuple[Action, ...] = (
    # Dialogs and pickers
    Action(
        "confirm", ("enter",), "confirm", "Do what the dialog says.", "Dialogs", _DIALOG, "confirm", rank=1
    ),
    Action(
        "run",
        ("enter",),
        "run",
        "Run, copy or open what is chosen.",
        "Dialogs",
        _PICKERS,
        "run",
        rank=1,
        relabel=labels.choose,
    ),
    Action(
        "complete",
        ("tab",),
        "complete",
        "Write what is chosen into the command line.",
        "Dialogs",
        _COMMAND,
        "complete",
        rank=2,
    ),
    Action(
        "next_entry",
        ("down", "ctrl+n"),
        "next",
        "The next of the list, or of the commands before.",
        "Dialogs",
        _PICKERS,
        "next_choice",
        rank=4,
    ),
    Action(
        "previous_entry",
        ("up", "ctrl+p"),
        "previous",
        "The one before in the list; from its top, the command before.",
        "Dialogs",
        _PICKERS,
        "previous_choice",
    ),
    Action(
        "cancel",
        ("escape", "ctrl+c"),
        "cancel",
        "Close without doing it.",
        "Dialogs",
        _DIALOGS,
        "cancel",
        rank=3,
    ),
    Action(
        "next_line", ("tab", "down"), "next line", "The next line.", "Dialogs", _FIELDS, "next_line", rank=2
    ),
    Action(
        "previous_line",
        ("shift+tab", "up"),
        "line before",
        "The line before.",
        "Dialogs",
        _FIELDS,
        "previous_line",
    ),
    Action(
        "next_choice",
        ("down", "tab"),
        "next choice",
        "The next of the choices.",
        "Dialogs",
        _CHOICE,
        "next_choice",
        rank=2,
    ),
    Action(
        "next_note",
        ("ctrl+n",),
        "next note",
        "Take the next of the suggested notes.",
        "Dialogs",
        _NOTES,
        "next_note",
        rank=3,
    ),
    Action(
        "sticky",
        ("ctrl+t",),
        "sticky",
        "Let the acknowledgement survive a rise of severity, or end by it.",
        "Dialogs",
        _ACKNOWLEDGING,
        "toggle_sticky",
        rank=4,
    ),
    Action(
        "previous_choice",
        ("up", "shift+tab"),
        "previous choice",
        "The choice before.",
        "Dialogs",
        _CHOICE,
        "previous_choice",
    ),
    Action(
        "choices_down",
        ("pagedown",),
        "page down",
        "One page of choices down.",
        "Dialogs",
        _PICKERS,
        "choices_down",
    ),
    Action(
        "choices_up", ("pageup",), "page up", "One page of choices up.", "Dialogs", _PICKERS, "choices_up"
    ),
    # The columns of a list
    Action("column_down", ("j", "down"), "down", "The next column.", "Columns", _COLUMNS, "column_down"),
    Action("column_up", ("k", "up"), "up", "The column before.", "Columns", _COLUMNS, "column_up"),
    Action(
        "column_toggle", ("space",), "show", "Hide or show it.", "Columns", _COLUMNS, "column_toggle", rank=1
    ),
    Action(
        "column_sort",
        ("s",),
        "sort",
        "Sort by it; again, reversed.",
        "Columns",
        _COLUMNS,
        "column_sort",
        rank=2,
    ),
    Action(
        "column_wider", ("right", "l"), "wider", "A cell wider.", "Columns", _COLUMNS, "column_wider", rank=3
    ),
    Action(
        "column_narrower",
        ("left", "h"),
        "narrower",
        "A cell less.",
        "Columns",
        _COLUMNS,
        "column_narrower",
        rank=4,
    ),
    Action("column_reset", ("r",), "reset", "All as at first.", "Columns", _COLUMNS, "column_reset", rank=5),
    Action("column_close", ("escape", "enter", "q"), "close", "Back.", "Columns", _COLUMNS, "cancel", rank=1),
)
