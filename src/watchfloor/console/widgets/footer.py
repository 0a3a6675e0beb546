"""The bottom line: the keys that matter most here, as many as fit, never a clipped one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events

from watchfloor.console.action import Action, Context, Scope
from watchfloor.console.keys import actions_for, key_of
from watchfloor.console.line import EMPTY, Line, clip_line, fit_line, width
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.widgets.lines import Bar

GAP = "  "


def footer(actions: Sequence[Action], context: Context, cells: int) -> Line:
    """The actions with a rank, by rank, as many as fit whole; what is not possible now is dimmed.

    In a console that may change nothing, what changes something is not there at all.

    The key of the help keeps its place at the right end, so that every other key can be found.
    """
    chosen, last = _chosen(actions, context, cells)
    line: Line = tuple(span for _, item in chosen for span in ((GAP, "text"), *item))[1:]
    return (*fit_line(line, cells - width(last)), *last) if last else line


def action_at(actions: Sequence[Action], context: Context, cells: int, cell: int) -> Action | None:
    """The action whose key and label are at `cell` of `footer`; None between them."""
    chosen, last = _chosen(actions, context, cells)
    if last and cell >= cells - width(last):
        return next(action for action in actions if action.id == "help")
    start = 0
    for action, item in chosen:
        if start <= cell < start + width(item):
            return action
        start += width(item) + len(GAP)
    return None


def _chosen(
    actions: Sequence[Action], context: Context, cells: int
) -> tuple[list[tuple[Action, Line]], Line]:
    """The actions that fit, each as it is shown, and the help, which stands at the right end."""
    ranked = sorted((action for action in actions if action.rank), key=lambda action: action.rank)
    last = next((_item(action, context) for action in ranked if action.id == "help"), EMPTY)
    room = cells - width(last)
    chosen: list[tuple[Action, Line]] = []
    for action in ranked:
        hidden = action.writes and (context.read_only or context.past)
        if action.id == "help" or hidden or (action.fleeting and action.why_disabled(context) is not None):
            continue
        item = _item(action, context)
        wanted = width(item) + (len(GAP) if chosen or last else 0)
        if wanted <= room:
            chosen.append((action, item))
            room -= wanted
    return chosen, last


def _item(action: Action, context: Context) -> Line:
    possible = action.why_disabled(context) is None
    return (
        (key_of(action.id), "key" if possible else "muted"),
        (f" {action.label_in(context)}", "text" if possible else "muted"),
    )


class Footer(Bar):
    """Shows the keys of what has the focus."""

    def __init__(self, scopes: Callable[[], Sequence[Scope]], context: Callable[[], Context]) -> None:
        super().__init__()
        self._scopes_now, self._context_now = scopes, context

    def shows_notices(self) -> bool:
        """Whether notices are shown here, because no other bar is there for them."""
        return False

    def mark(self) -> Line:
        """What stands before the keys."""
        return EMPTY

    def content(self, cells: int) -> Line:
        notice = self.console_app.notice
        if notice is not None and self.shows_notices():
            return ((" ", "text"), *clip_line(notice, cells - 2))
        lead = self._lead()
        actions = actions_for(self._scopes_now())
        return (*lead, *footer(actions, self._context_now(), cells - width(lead) - 1))

    def _lead(self) -> Line:
        mark = self.mark()
        return ((" ", "text"), *mark, (" ", "text")) if mark else ((" ", "text"),)

    async def on_click(self, event: events.Click) -> None:
        lead = width(self._lead())
        actions, cells = actions_for(self._scopes_now()), self.size.width - lead - 1
        notice_hides_keys = self.console_app.notice is not None and self.shows_notices()
        action = None if notice_hides_keys else action_at(actions, self._context_now(), cells, event.x - lead)
        if action is not None and isinstance(self.screen, ActionHost):
            await self.screen.action_run(action.id)
