"""A key map: which keys run which action. Pure: reading files is the business of `keymaps`.

A key is written as Textual names it (``ctrl+d``, ``pagedown``), a key that types a character as that character.
It must never know a screen: what works at the same time is told by whoever asks for clashes.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from textual.keys import _character_to_key

from watchfloor.console.action import Action, Scope
from watchfloor.console.actions import ACTIONS

TABLE = "default"
"""The name of the key map that the table of actions itself makes."""

TYPED = frozenset(
    {
        *(Scope.DIALOG, Scope.CHOICE, Scope.NOTES, Scope.PICKER, Scope.COMMAND, Scope.FILTER, Scope.TYPING),
        *(Scope.ENTRY, Scope.LINES, Scope.WRITING),
    }
)
"""Where a line of text has the focus, so that characters are text and no keys."""

MULTIPLEXED = frozenset({"ctrl+a", "ctrl+b", "ctrl+@"})
"""What screen and tmux listen for themselves: such a key arrives only when it is pressed twice."""

_MOVES = ("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete")
_PLAIN = ("enter", "escape", "tab", "space", "backspace", *_MOVES, *(f"f{n}" for n in range(1, 13)))
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+j": "enter", "ctrl+h": "backspace", "ctrl+[": "escape"}
DELIVERED = frozenset(
    {
        *_PLAIN,
        *(f"ctrl+{letter}" for letter in string.ascii_lowercase if f"ctrl+{letter}" not in _SAME),
        *(f"{modifier}+{move}" for modifier in ("shift", "ctrl") for move in _MOVES),
        *("shift+tab", "ctrl+@", "ctrl+backslash", "ctrl+right_square_bracket", "ctrl+underscore"),
    }
)
"""Keys beside characters that every usual terminal sends, also through tmux."""

_WRITTEN = {
    "esc": "escape",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    "bs": "backspace",
    "pgdn": "pagedown",
    "pgup": "pageup",
    "page down": "pagedown",
    "page up": "pageup",
    "backtab": "shift+tab",
    "ctrl+space": "ctrl+@",
    "ctrl+\\": "ctrl+backslash",
    "ctrl+]": "ctrl+right_square_bracket",
    "ctrl+_": "ctrl+underscore",
}
_CHARACTERS = {_character_to_key(each): each for each in string.punctuation}
_SHOWN = {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "ctrl+@": "ctrl-space",
    "ctrl+backslash": "ctrl-\\",
    "ctrl+right_square_bracket": "ctrl-]",
    "ctrl+underscore": "ctrl-_",
}


@dataclass(frozen=True, slots=True)
class Keymap:
    """The keys of every action, by the id of the action; an action without keys is run by its name."""

    name: str
    label: str
    keys: Mapping[str, tuple[str, ...]]


BUILT_IN = Keymap(TABLE, "Default", {action.id: action.keys for action in ACTIONS})


def key_name(written: str) -> str:
    """The one name of a key that people write in many ways.

    >>> [key_name(each) for each in ("esc", "Ctrl-D", "^d", "G", "shift+g", "question_mark", "PgDn")]
    ['escape', 'ctrl+d', 'ctrl+d', 'G', 'G', '?', 'pagedown']
    """
    if len(written) == 1:
        return "space" if written == " " else written
    name = f"ctrl+{written[1:]}" if written.startswith("^") else written
    head, dash, tail = name.rpartition("-")
    name = f"{head.replace('-', '+')}+{tail}".casefold() if dash and head and tail else name.casefold()
    name = _WRITTEN.get(name, name)
    if name.startswith("shift+") and len(name) == len("shift+g"):
        return name[-1].upper()
    return _CHARACTERS.get(name, name)


def shown_key(key: str) -> str:
    """A key as people write it.

    >>> [shown_key(key) for key in ("escape", "ctrl+d", "G", "pagedown")]
    ['esc', 'ctrl-d', 'G', 'pgdn']
    """
    return key if len(key) == 1 else _SHOWN.get(key, key).replace("+", "-")


def textual_key(key: str) -> str:
    """The key by the name under which Textual announces it, as in ``question_mark``."""
    return _character_to_key(key) if len(key) == 1 else key


def types_character(key: str) -> bool:
    """Whether the key puts a character into a line of text."""
    return len(key) == 1 or key == "space"


def undelivered(key: str) -> tuple[str, str] | None:
    """Why a terminal may never send this key, and the remedy; None where it does."""
    if (len(key) == 1 and key.isprintable()) or key in DELIVERED:
        return None
    if key in _SAME:
        return f"to a terminal this is the same key as {_SAME[key]}", f"Write {_SAME[key]}, or another key."
    remedy = "Use a character, ctrl with a letter, f1 to f12, or a key such as home."
    if key.startswith(("alt+", "ctrl+shift+", "shift+", "ctrl+", "super+", "meta+", "hyper+")):
        return "not every terminal sends this key", remedy
    return "there is no such key", remedy


@dataclass(frozen=True, slots=True)
class Clash:
    """Two actions that want the same key in a place where both work."""

    key: str
    one: Action
    other: Action

    def __str__(self) -> str:
        both = " and ".join(f"{action.id} ({_where(action)})" for action in (self.one, self.other))
        return f"{shown_key(self.key)} means both {both}"


def _where(action: Action) -> str:
    return ", ".join(sorted(scope.value for scope in action.scopes))


def clashes(keymap: Keymap, together: Iterable[frozenset[Scope]]) -> Iterator[Clash]:
    """Every key that means two things somewhere, once for each pair of actions.

    `together` holds, for each place of the console, the scopes whose keys work there at the same time.
    """
    told: set[tuple[str, str, str]] = set()
    for scopes in together:
        taken: dict[str, Action] = {}
        for action in ACTIONS:
            for key in keymap.keys[action.id] if action.scopes & scopes else ():
                first = taken.setdefault(key, action)
                if first.id in action.over or action.id in first.over:
                    continue
                if first is not action and (key, first.id, action.id) not in told:
                    told.add((key, first.id, action.id))
                    yield Clash(key, first, action)
