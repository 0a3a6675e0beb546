"""The part of the table of actions that has to do with forms; see `watchfloor.console.actions`."""

from __future__ import annotations

from watchfloor.console import labels, needs
from watchfloor.console.action import Action, Scope

_FORM = frozenset({Scope.FORM})
_ENTRY = frozenset({Scope.ENTRY})
_LINES = frozenset({Scope.LINES})
_WRITING = frozenset({Scope.WRITING})

FORM_ACTIONS: tuple[Action, ...] = (
    Action(
        "fill",
        ("enter",),
        "edit",
        "Fill in the field under the cursor; of several choices, take the next.",
        "Forms",
        _FORM,
        "fill",
        rank=1,
        why=needs.field,
        relabel=labels.fill,
    ),
    Action(
        "save_form",
        ("ctrl+s",),
        "save",
        "Save what is filled in; what somebody else changed meanwhile is shown first.",
        "Forms",
        _FORM,
        "save_form",
        rank=2,
        writes=True,
        fleeting=True,
        why=needs.changes,
        relabel=labels.save,
        aliases=("w",),
    ),
    Action(
        "try_it",
        ("x",),
        "test now",
        "Before it is saved: have an engine check this service once; see when this window opens.",
        "Forms",
        _FORM,
        "try_it",
        rank=3,
        writes=True,
        fleeting=True,
        why=needs.trial,
        relabel=labels.trial,
        aliases=("test",),
    ),
    Action(
        "next_option",
        ("right",),
        "next choice",
        "Take the next of the choices.",
        "Forms",
        _FORM,
        "next_option",
        rank=4,
        fleeting=True,
        why=needs.choices,
    ),
    Action(
        "previous_option",
        ("left",),
        "previous choice",
        "Take the choice before.",
        "Forms",
        _FORM,
        "previous_option",
        why=needs.choices,
    ),
    Action(
        "fill_lines",
        ("o",),
        "in full",
        "Open the field in a text of several lines.",
        "Forms",
        _FORM,
        "fill_lines",
        why=needs.field,
    ),
    Action(
        "empty_field",
        ("backspace", "delete"),
        "default",
        "Empty the field, so that its default holds; take an entry out of its list.",
        "Forms",
        _FORM,
        "empty_field",
        rank=5,
        fleeting=True,
        why=needs.filled,
    ),
    Action(
        "take_entry",
        ("enter",),
        "take",
        "Take what is typed.",
        "The line of a field",
        _ENTRY,
        "take_entry",
        rank=1,
    ),
    Action(
        "take_and_next",
        ("tab", "down"),
        "take, next field",
        "Take what is typed and edit the next field.",
        "The line of a field",
        _ENTRY,
        "take_and_next",
        rank=2,
    ),
    Action(
        "take_and_previous",
        ("shift+tab", "up"),
        "take, field before",
        "Take what is typed and edit the field before.",
        "The line of a field",
        _ENTRY,
        "take_and_previous",
    ),
    Action(
        "drop_entry",
        ("escape", "ctrl+c"),
        "leave as it was",
        "Leave the field as it was.",
        "The line of a field",
        _ENTRY,
        "drop_entry",
        rank=3,
    ),
    Action("keep_lines", ("ctrl+s",), "take", "Take the text.", "Several lines", _LINES, "confirm", rank=1),
    Action(
        "drop_lines",
        ("escape", "ctrl+c"),
        "leave as it was",
        "Leave the field as it was.",
        "Several lines",
        _LINES,
        "cancel",
        rank=2,
    ),
)


def _writes(id_: str, keys: tuple[str, ...], label: str, words: str, handler: str) -> Action:
    return Action(id_, keys, label, words, "Writing", _WRITING, handler)


WRITING_ACTIONS: tuple[Action, ...] = (
    _writes("text_left", ("left",), "left", "One character left.", "cursor_left"),
    _writes("text_right", ("right",), "right", "One character right.", "cursor_right"),
    _writes("text_up", ("up",), "up", "One line up.", "cursor_up"),
    _writes("text_down", ("down",), "down", "One line down.", "cursor_down"),
    _writes("text_page_up", ("pageup",), "page up", "One page up.", "cursor_page_up"),
    _writes("text_page_down", ("pagedown",), "page down", "One page down.", "cursor_page_down"),
    _writes("text_word_left", ("ctrl+left",), "word left", "One word left.", "cursor_word_left"),
    _writes("text_word_right", ("ctrl+right",), "word right", "One word right.", "cursor_word_right"),
    _writes("text_start", ("home",), "start", "To the start of the line.", "cursor_line_start"),
    _writes("text_end", ("end",), "end", "To the end of the line.", "cursor_line_end"),
    _writes("text_erase", ("backspace",), "erase", "Erase one character.", "delete_left"),
    _writes("text_delete", ("delete",), "delete", "Delete one character.", "delete_right"),
    _writes("text_erase_word", ("ctrl+w",), "erase word", "Erase a word.", "delete_word_left"),
    _writes("text_erase_line", ("ctrl+u",), "erase line", "Erase to the start.", "delete_to_start_of_line"),
    _writes("text_undo", ("ctrl+z",), "undo", "Take back what was typed last.", "undo"),
    _writes("text_redo", ("ctrl+y",), "redo", "Type it again.", "redo"),
)
