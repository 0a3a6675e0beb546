"""The one way from a key, the help or the palette to a handler."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from textual import events
from textual._styles_cache import StylesCache
from textual.binding import BindingsMap

from watchfloor.console.action import Context, Scope
from watchfloor.console.actions import BY_ID
from watchfloor.console.keymap import TYPED
from watchfloor.console.keys import bindings_for
from watchfloor.console.line import clean
from watchfloor.console.timers import Punctual

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp


class _OnScreen(Protocol):
    """What a host takes from Textual: the application it is part of."""

    @property
    def app(self) -> Any: ...


class ActionHost(Punctual):
    """A screen that runs actions of the table. For each handler of its scopes it has a method ``do_…``."""

    SCOPES: ClassVar[tuple[Scope, ...]] = ()
    _bindings: BindingsMap
    _pruning: bool  # Textual's: it is on its way out of the tree

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.rebind()

    def rebind(self) -> None:
        """Take the keys of the key map in use."""
        self._bindings = bindings_for(self.SCOPES)

    @classmethod
    def places(cls) -> Iterable[tuple[Scope, ...]]:
        """The scopes whose keys work at the same time, for each state of the screen in which they differ."""
        return [cls.SCOPES]

    @property
    def console_app(self) -> WatchfloorApp:
        """The application, by its real type."""
        return cast("WatchfloorApp", cast(_OnScreen, self).app)

    @property
    def never_made(self) -> bool:
        """Whether keys that were typed ahead closed it before it was made: it holds nothing then."""
        return self._pruning

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Styles are of now: Textual gave them to each widget as it came, and to all at a change of the theme.

        Making them anew whenever a screen is shown takes longer than drawing it.
        """
        event.refresh_styles = False

    def on_unmount(self) -> None:
        """Let go of the widgets: a cache of Textual's that all of them share holds a thousand that are gone."""
        StylesCache.get_inner_outer.cache_clear()

    def context(self) -> Context:
        """What is under the cursor."""
        raise NotImplementedError

    async def action_run(self, action_id: str) -> None:
        """Run an action of the table, or say why it is not possible now."""
        action, context = BY_ID[action_id], self.context()
        reason = action.why_disabled(context)
        if reason is not None:
            self.console_app.say(((f"{action.label_in(context)}: {clean(reason)}", "degraded"),))
            return
        self.console_app.moved = True
        result = getattr(self, f"do_{action.handler}")()
        if inspect.isawaitable(result):
            await result


def together() -> list[frozenset[Scope]]:
    """For every place of the console the scopes whose keys work there at the same time; places alike count once."""
    places = [
        frozenset({Scope.FILTER, Scope.TYPING}),
        frozenset({Scope.ENTRY, Scope.TYPING}),
        frozenset({Scope.LINES, Scope.WRITING}),
    ]
    for screen in _kinds(ActionHost):
        found = map(frozenset, screen.places())
        places += [scopes | {Scope.TYPING} if scopes & TYPED else scopes for scopes in found]
    return list(dict.fromkeys(places))


def _kinds(parent: type[ActionHost]) -> Iterator[type[ActionHost]]:
    for child in parent.__subclasses__():
        yield child
        yield from _kinds(child)
