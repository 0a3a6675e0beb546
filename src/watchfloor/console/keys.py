"""From the table of actions and the key map in use to bindings and to the words for keys.

The key map in use is that of the console that runs; where none does, as in tests of pure functions, it is the
table's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from textual._context import active_app
from textual.binding import Binding, BindingsMap

from watchfloor.console.action import Action, Scope
from watchfloor.console.actions import ACTIONS
from watchfloor.console.keymap import BUILT_IN, Keymap, shown_key, textual_key

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp


def in_use() -> Keymap:
    """The key map of the running console."""
    app = active_app.get(None)
    return BUILT_IN if app is None else cast("WatchfloorApp", app).keymap


def actions_for(scopes: Iterable[Scope]) -> list[Action]:
    """The actions of a screen with these scopes, in the order of the table."""
    wanted = frozenset(scopes)
    return [action for action in ACTIONS if action.scopes & wanted]


def bindings_for(scopes: Iterable[Scope]) -> BindingsMap:
    """Textual's bindings for whatever has these scopes, under the key map in use.

    Each key runs its action through one entrance; those for typing run the actions of the line of text itself.
    """
    return _bindings(tuple(in_use().keys.items()), frozenset(scopes)).copy()


@lru_cache(maxsize=64)
def _bindings(keys: tuple[tuple[str, tuple[str, ...]], ...], scopes: frozenset[Scope]) -> BindingsMap:
    keymap, actions = dict(keys), actions_for(scopes)
    taken = {(other, key) for action in actions for other in action.over for key in keymap[action.id]}
    return BindingsMap(
        Binding(textual_key(key), _call(action), action.label, show=False, id=action.id)
        for action in actions
        for key in keymap[action.id]
        if (action.id, key) not in taken
    )


def _call(action: Action) -> str:
    written = action.scopes & {Scope.TYPING, Scope.WRITING}
    return action.handler if written else f"screen.run({action.id!r})"


def key_of(action_id: str) -> str:
    """The key to name in a sentence for this action; its name as a command where it has no key.

    >>> key_of("undo")
    'u'
    """
    keys = in_use().keys[action_id]
    return shown_key(keys[0]) if keys else f":{action_id.replace('_', '-')}"


def shown_keys(action: Action) -> str:
    """All keys of an action, as in ``j down``."""
    return " ".join(shown_key(key) for key in in_use().keys[action.id])
