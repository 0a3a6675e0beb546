"""The part of the table of actions that has to do with lists: finding, marking, choosing columns."""

from __future__ import annotations

from watchfloor.console import labels, needs
from watchfloor.console.action import Action, Scope

_LIST = frozenset({Scope.LIST})
_MOVES = frozenset({Scope.LIST, Scope.TEXT})
_ACROSS = frozenset({Scope.ACROSS})

LISTS: tuple[Action, ...] = (
    # Find
    Action(
        "filter",
        ("/",),
        "filter",
        'Show only what matches: word, "two words", ~wrd, key:value, !term that must not hold.',
        "Find",
        _MOVES,
        "filter",
        rank=6,
        aliases=("f",),
    ),
    Action("next_hit", ("n", "f3"), "next hit", "Go to the next hit.", "Find", _MOVES, "next_hit"),
    Action("previous_hit", ("N",), "previous hit", "Go to the hit before.", "Find", _MOVES, "previous_hit"),
    Action(
        "faults",
        ("z",),
        "faults",
        "Show only what is not in order, or all again.",
        "Find",
        _LIST,
        "toggle_faults",
        rank=7,
        aliases=("problems",),
    ),
    Action(
        "sort",
        ("s", "f5"),
        "sort",
        "Sort by the next column; after the last, by urgency.",
        "Find",
        _LIST,
        "sort",
    ),
    Action("reverse", ("S",), "reverse", "Turn the order round.", "Find", _LIST, "reverse"),
    Action("next_error", ("e",), "next error", "Go to the next error.", "Find", _LIST, "next_error"),
    Action(
        "previous_error", ("E",), "previous error", "To the error before.", "Find", _LIST, "previous_error"
    ),
    Action("next_warning", ("w",), "next warning", "Go to the next warning.", "Find", _LIST, "next_warning"),
    Action(
        "previous_warning", ("W",), "last warning", "To the one before.", "Find", _LIST, "previous_warning"
    ),
    Action(
        "hold",
        ("p",),
        "hold",
        "Hold the list still and count what changes; everything else goes on.",
        "Find",
        _LIST,
        "hold",
        rank=14,
        relabel=labels.hold,
    ),
    # Marks and columns
    Action(
        "mark",
        ("space",),
        "mark",
        "Mark this row, or not.",
        "Marks and columns",
        _LIST,
        "mark",
        why=needs.row,
    ),
    Action(
        "mark_range",
        ("v",),
        "range",
        "Begin a range of marks here; the second time, end it.",
        "Marks and columns",
        _LIST,
        "mark_range",
        why=needs.row,
    ),
    Action(
        "clear_marks",
        ("U",),
        "unmark",
        "Take all marks away.",
        "Marks and columns",
        _LIST,
        "clear_marks",
        why=needs.marks,
    ),
    Action(
        "columns", ("c",), "columns", "Hide, widen, sort.", "Marks and columns", _LIST, "columns", rank=15
    ),
    Action(
        "scroll_right",
        ("right",),
        "right",
        "To what is beyond.",
        "Marks and columns",
        _ACROSS,
        "scroll_right",
    ),
    Action(
        "scroll_left", ("left",), "left", "Back to the left.", "Marks and columns", _ACROSS, "scroll_left"
    ),
)
