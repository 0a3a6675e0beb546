"""The one way from a key, the help or the palette to a handler."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Protocol, cast

from watchfloor.console.action import Context
from watchfloor.console.actions import BY_ID
from watchfloor.console.line import clean

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp


class _OnScreen(Protocol):
    """What a host takes from Textual: the application it is part of."""

    @property
    def app(self) -> Any: ...


class ActionHost:
    """A screen that runs actions of the table. For each handler of its scopes it has a method ``do_…``."""

    @property
    def console_app(self) -> WatchfloorApp:
        """The application, by its real type."""
        return cast("WatchfloorApp", cast(_OnScreen, self).app)

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
        result = getattr(self, f"do_{action.handler}")()
        if inspect.isawaitable(result):
            await result
