"""What every screen of the console shares: bars above and below, one entrance for all actions.

A room reads in `load`, draws in `show`, and says in `context` what is under its cursor. It must never decide
which key does what: that is the table's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.screen import Screen

from watchfloor.console.action import Context, Scope
from watchfloor.console.copies import Copy
from watchfloor.console.crumbs import crumbs
from watchfloor.console.feed import ALL, VIEW
from watchfloor.console.journey import Journey, cannot_travel
from watchfloor.console.line import EMPTY, Line, Piece
from watchfloor.console.reader import Boards
from watchfloor.console.screens.commands import CommandLine, HelpPicker
from watchfloor.console.screens.copy import CopyMenu
from watchfloor.console.screens.dialogs import UnlockDialog
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.screens.travel import ask_for_moment
from watchfloor.console.trail import Place
from watchfloor.console.widgets.banner import Banner
from watchfloor.console.widgets.footer import Footer
from watchfloor.console.widgets.status_bar import StatusBar, bars
from watchfloor.console.widgets.summary_strip import Summary, SummaryStrip, plain_rule
from watchfloor.console.widgets.tab_bar import TabBar

Board = TypeVar("Board")

SHORT = 14
"""Below this height the summary and the status bar make room for the list."""


class RoomFooter(Footer):
    """The footer of a room; on low terminals it also shows what just happened."""

    def shows_notices(self) -> bool:
        room = self.screen
        return isinstance(room, Room) and room.is_short

    def mark(self) -> Line:
        return bars(self.console_app) if self.shows_notices() else EMPTY


class Room(ActionHost, Screen[None], inherit_bindings=False):
    """A screen with the bars. `ROOM` is the tab it belongs to, `TOPICS` what makes it read again."""

    ROOM: ClassVar[str] = ""
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM,)
    TOPICS: ClassVar[frozenset[str]] = frozenset()
    DEFAULT_CSS: ClassVar[str] = """
    Room { background: $wf-background; color: $wf-text; layout: vertical; }
    """
    AUTO_FOCUS: ClassVar[str | None] = "#body"
    TRAVELS: ClassVar[bool] = False  # whether it can show the past

    def __init__(self) -> None:
        super().__init__()
        self.journey: Journey | None = None  # the past that is on the screen; None: the present
        self.tab_bar = TabBar(self.tab)
        self.banner = Banner()
        self.strip = SummaryStrip(self.summary, self.rule)
        self.status_bar = StatusBar(self.position)
        self.footer_bar = RoomFooter(self.scopes, self.context)

    def compose(self) -> ComposeResult:
        yield self.tab_bar
        yield self.banner
        yield self.strip
        yield from self.body()
        yield self.status_bar
        yield self.footer_bar

    # For subclasses

    def place(self) -> Place | None:
        """Where this screen is, to come back to; None for what cannot be opened again by its key."""
        return Place(self.ROOM)

    def keep(self) -> dict[str, object]:
        """What is worth keeping of how this room looks, as JSON can write it."""
        return {}

    def restore(self, kept: Mapping[str, object]) -> None:
        """Look as `keep` said; what does not fit is left out."""

    def tab(self) -> str:
        """The room this screen belongs to."""
        return self.ROOM

    def body(self) -> ComposeResult:
        """The widgets between the bars; the one with id ``body`` gets the focus."""
        raise NotImplementedError

    async def load(self) -> None:
        """Read what the screen shows."""

    async def read(self, ask: Callable[[Boards], Awaitable[Board]]) -> Board:
        """Ask for a board of the moment that is wanted; what is on the screen is of that moment from then on."""
        wanted = self.console_app.wanted
        found = await ask(self.console_app.reader if wanted is None else wanted.boards)
        self.journey = wanted
        return found

    def show(self) -> None:
        """Draw what was read, by the present time."""
        self.renew_bars()

    def summary(self) -> Summary:
        """The pieces of the summary strip."""
        return [], []

    @property
    def settled(self) -> bool:
        """Whether nothing is about to be read because of what was done last."""
        return True

    def use_filter(self, text: str) -> None:
        """Show only what matches `text`, or mark it."""
        raise NotImplementedError

    def names(self) -> Sequence[str]:
        """What this screen is called on the way to the next one: one word, or several from the outside in."""
        return (self.tab().capitalize(),)

    def heading(self) -> Line:
        """What this screen is called while it is the one that is shown."""
        return ((self.names()[-1], "title"),)

    def way(self) -> Piece:
        """The way gone from the room to this screen, for the left end of the summary."""
        stack = self.app.screen_stack
        before = stack[: stack.index(self)] if self in stack else []
        gone = [name for screen in before if isinstance(screen, Room) for name in screen.names()]
        return Piece(crumbs([*gone, *self.names()[:-1]], self.heading()), 9)

    def rule(self, cells: int) -> Line:
        """The line under the summary."""
        return plain_rule(cells)

    def position(self) -> str:
        """Where the cursor is, in words for the status bar."""
        return ""

    def scopes(self) -> Sequence[Scope]:
        """Whose keys the footer shows."""
        return self.SCOPES

    def base_context(self) -> Context:
        """The parts of the context that every screen has."""
        app = self.console_app
        return Context(
            deep=not self.is_root,
            trail=app.navigator.trail,
            past=self.journey is not None,
            travelling=app.wanted is not None,
            stays="" if self.TRAVELS else cannot_travel(self.tab()),
            undo=app.undo.label if app.undo else "",
            read_only=app.read_only,
            locked=app.locked,
            away=app.away is not None,
        )

    # Shared machinery

    def wants(self, topics: frozenset[str]) -> bool:
        """Whether any of `topics` concerns this screen; the past does not change."""
        if self.TRAVELS and self.console_app.wanted is not None:
            topics = topics & (VIEW | ALL)
        return bool(topics & (self.TOPICS | VIEW | ALL))

    def look_again(self) -> None:
        """Read what this screen shows again, at once."""
        self.console_app.feed.mark(VIEW, hurry=True)

    def renew_bars(self) -> None:
        """Draw again what differs on the bars."""
        for bar in (self.tab_bar, self.banner, self.strip, self.status_bar, self.footer_bar):
            bar.renew()
        self.console_app.navigator.look()

    def on_mount(self) -> None:
        if self.is_root:
            self.console_app.navigator.revive(self)

    @property
    def is_root(self) -> bool:
        """Whether this is the first screen of its room."""
        return self.console_app.screen_stack[0] is self

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        self.console_app.navigator.arrived(self)
        self.renew_bars()
        self.look_again()

    @property
    def is_short(self) -> bool:
        """Whether the terminal is too low for all the bars."""
        return self.app.size.height < SHORT

    def on_resize(self, event: events.Resize) -> None:
        self.strip.display = not self.is_short
        self.status_bar.display = not self.is_short

    # Actions of every screen

    def do_show_health(self) -> None:
        self.console_app.go("health")

    def do_show_jobs(self) -> None:
        self.console_app.go("jobs")

    def do_show_alerts(self) -> None:
        self.console_app.go("alerts")

    def do_show_logs(self) -> None:
        self.console_app.go("logs")

    def do_show_settings(self) -> None:
        self.console_app.go("settings")

    def do_undo(self) -> None:
        self.console_app.take_back()

    @property
    def leaves_past(self) -> bool:
        """Whether going back from here is going back to the present."""
        wanted = self.console_app.wanted
        return wanted is not None and (self.is_root or self is wanted.began_on)

    def do_go_back(self) -> None:
        self.console_app.navigator.step(-1)

    def do_go_forward(self) -> None:
        self.console_app.navigator.step(1)

    def do_previous_screen(self) -> None:
        self.console_app.navigator.swap()

    def copies(self) -> Sequence[Copy]:
        """What can be copied of what is under the cursor."""
        return []

    def do_copy(self) -> None:
        self.app.push_screen(CopyMenu(self, self.copies()))

    def do_switch_mouse(self) -> None:
        self.console_app.switch_mouse()

    def do_switch_bell(self) -> None:
        self.console_app.switch_bell()

    @on(TabBar.Chosen)
    def _tab_chosen(self, event: TabBar.Chosen) -> None:
        self.console_app.go(event.room)

    def do_travel(self) -> None:
        ask_for_moment(self)

    @property
    def unsaved(self) -> int:
        """How much was filled in here that leaving would lose."""
        return 0

    def holds(self, go_on: Callable[[], None]) -> bool:
        """Whether this screen may not be left without a question; asks it, and calls `go_on` once it is left."""
        return False

    def do_back(self) -> None:
        if self.leaves_past:
            self.console_app.return_to_now()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def do_close(self) -> None:
        if self.leaves_past:
            self.console_app.return_to_now()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        else:
            self.console_app.quit()

    def do_quit(self) -> None:
        self.console_app.quit()

    def do_lock(self) -> None:
        app = self.console_app

        def unlock(sure: bool | None) -> None:
            if sure:
                app.lock(False)

        if app.locked:
            app.push_screen(UnlockDialog(), unlock)
        else:
            app.lock(True)

    def do_redraw(self) -> None:
        self.console_app.draw_again()

    def do_toggle_times(self) -> None:
        app = self.console_app
        app.absolute = not app.absolute
        app.remember("times", "absolute" if app.absolute else "relative")
        self.show()

    def do_help(self) -> None:
        self.help_with("")

    def help_with(self, words: str) -> None:
        """Show the keys of this screen, those first that have to do with `words`."""
        self.app.push_screen(HelpPicker(self, words))

    def do_commands(self) -> None:
        self.app.push_screen(CommandLine(self))
