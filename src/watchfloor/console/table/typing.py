"""The part of the table of actions that has to do with lines of text."""

from __future__ import annotations

from watchfloor.console.action import Action, Scope

_FILTER = frozenset({Scope.FILTER})
_TYPING = frozenset({Scope.TYPING})

TYPING: tuple[Action, ...] = (
    # The filter line
    Action(
        "keep_filter",
        ("enter",),
        "keep",
        "Keep the filter and go back to the list.",
        "Filter line",
        _FILTER,
        "keep_filter",
        rank=1,
    ),
    Action(
        "drop_filter", ("escape",), "drop", "Drop the filter.", "Filter line", _FILTER, "drop_filter", rank=2
    ),
    # Typing
    Action("left", ("left",), "left", "One character left.", "Typing", _TYPING, "cursor_left"),
    Action("right", ("right",), "right", "One character right.", "Typing", _TYPING, "cursor_right"),
    Action("word_left", ("ctrl+left",), "word left", "One word left.", "Typing", _TYPING, "cursor_left_word"),
    Action(
        "word_right", ("ctrl+right",), "word right", "One word right.", "Typing", _TYPING, "cursor_right_word"
    ),
    Action("line_start", ("home", "ctrl+a"), "start", "To the start.", "Typing", _TYPING, "home"),
    Action("line_end", ("end", "ctrl+e"), "end", "To the end.", "Typing", _TYPING, "end"),
    Action("erase", ("backspace",), "erase", "Erase one character.", "Typing", _TYPING, "delete_left"),
    Action("delete", ("delete",), "delete", "Delete one character.", "Typing", _TYPING, "delete_right"),
    Action("erase_word", ("ctrl+w",), "erase word", "Erase a word.", "Typing", _TYPING, "delete_left_word"),
    Action(
        "erase_line", ("ctrl+u",), "erase line", "Erase to the start.", "Typing", _TYPING, "delete_left_all"
    ),
)
