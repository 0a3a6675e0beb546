"""From the table of actions to everything made from it: bindings, the words for keys, docs, and conflicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from textual.binding import Binding, BindingType

from watchfloor.console.action import Action, Scope
from watchfloor.console.actions import ACTIONS, BY_ID

_SHOWN = {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
}


def actions_for(scopes: Iterable[Scope]) -> list[Action]:
    """The actions of a screen with these scopes, in the order of the table."""
    wanted = frozenset(scopes)
    return [action for action in ACTIONS if action.scopes & wanted]


def bindings_for(scopes: Iterable[Scope]) -> list[BindingType]:
    """Textual's bindings for a screen: each key runs its action through one entrance."""
    return [
        Binding(",".join(action.keys), f"screen.run({action.id!r})", action.label, show=False, id=action.id)
        for action in actions_for(scopes)
    ]


def typing_bindings() -> list[BindingType]:
    """Textual's bindings for a line of input: the editing keys of the table, bound to the input's own actions."""
    return [
        Binding(",".join(action.keys), action.handler, action.label, show=False, id=action.id)
        for action in actions_for({Scope.TYPING})
    ]


def shown_key(key: str) -> str:
    """A key as people write it.

    >>> [shown_key(key) for key in ("escape", "ctrl+d", "G", "pagedown")]
    ['esc', 'ctrl-d', 'G', 'pgdn']
    """
    return _SHOWN.get(key, key).replace("+", "-")


def key_of(action_id: str) -> str:
    """The key to name in a sentence for this action.

    >>> key_of("undo")
    'u'
    """
    return shown_key(BY_ID[action_id].keys[0])


def shown_keys(action: Action) -> str:
    """All keys of an action, as in ``j down``."""
    return " ".join(shown_key(key) for key in action.keys)


def conflicts(screens: Mapping[str, Iterable[Scope]]) -> list[str]:
    """One sentence for each key that means two things on one screen."""
    found = []
    for screen, scopes in screens.items():
        taken: dict[str, str] = {}
        for action in actions_for(scopes):
            for key in action.keys:
                if key in taken:
                    found.append(f"{screen}: {shown_key(key)} means both {taken[key]} and {action.id}")
                taken.setdefault(key, action.id)
    return found


def keys_page(actions: Sequence[Action] = ACTIONS) -> str:
    """The table of keys as a page of Markdown; docs/keys.md is this text."""
    lines = [
        "# Keys",
        "",
        "Made from the table of actions in `src/watchfloor/console/actions.py`: do not edit, run",
        "`python -m watchfloor.console.keys > docs/keys.md`.",
        "",
        "`?` shows the keys of the present screen and runs them; `:` finds an action by name. An action that is",
        "not possible says why. *Asks* means that the key opens a dialog before anything happens.",
    ]
    for group, members in groupby(actions, key=lambda action: action.group):
        lines += ["", f"## {group}", "", "| key | action | where | what it does |", "|---|---|---|---|"]
        for action in members:
            keys = " ".join(f"`{shown_key(key)}`" for key in action.keys)
            where = ", ".join(sorted(scope.value for scope in action.scopes))
            asks = " *Asks.*" if action.danger else ""
            lines.append(f"| {keys} | {action.label} | {where} | {action.help}{asks} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(keys_page(), end="")
