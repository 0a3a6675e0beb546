"""The terminal: whether it will do, how output reaches it, and running a console on it."""

from __future__ import annotations

import logging
import os
import re
import select
import threading
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from watchfloor.console.flow import Flow
from watchfloor.console.leave import Exits
from watchfloor.console.outlet import Outlet
from watchfloor.console.painter import Painter

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp

FRAME_S, SSH_FRAME_S = 1 / 30, 1 / 10
"""Frames that no key asked for are at least so far apart, on this machine and over a network."""
MOUSE_MODES = (1000, 1002, 1006)
"""Buttons and the wheel, motion while a button is down, any column. Motion alone (1003) would cross the line for
nothing."""
ESCAPE_AND_KEY = re.compile(r"\x1b(?=[^\x1b\[\]OPX^_])")
"""An escape before what begins no sequence of a terminal (ECMA-48, 5.3 and 8.3: CSI, OSC, SS3 and strings)."""
ACT_S = 1.0
"""So long at most a key waits for what the escape before it does."""
ESCAPE_S = 0.05
"""After an escape the rest of a sequence is looked for so often."""
PATIENCE_S = 0.25
"""So long the terminal may take for its last output and its last answers, both together."""


def terminal_fd() -> int | None:
    """The descriptor of the terminal to draw on: standard error, else standard output; None: there is none."""
    return next((fd for fd in (2, 1) if _is_terminal(fd)), None)


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False


def refusal(environ: Mapping[str, str] = os.environ) -> str | None:
    """Why no console can run here, with what to do instead; None where it can."""
    instead = "Use `watchfloor health` and `watchfloor alerts` here, or `watchfloor serve` to run an engine."
    if not _is_terminal(0) or terminal_fd() is None:
        return f"The console needs a terminal for its input and its output. {instead}"
    if environ.get("TERM", "") in ("", "dumb", "unknown"):
        found = environ.get("TERM") or "not set"
        return f"The console cannot draw on this terminal (TERM is {found}). {instead}"
    return None


def run(app: WatchfloorApp, environ: Mapping[str, str] = os.environ) -> str:
    """Run a console until it is left, and say why it was; the terminal is as before when this returns.

    To be called in the main thread, after `refusal` found nothing.
    """
    fd = terminal_fd()
    if fd is None:
        raise RuntimeError("there is no terminal; ask refusal() first")
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())  # else Python writes warnings across the screen
    app.exits = Exits(fd, app.leave)
    app.paints = environ.get("WATCHFLOOR_PAINTER") != "off"
    with app.exits.watched():
        app.run(mouse=not over_ssh(environ) if app.mouse is None else app.mouse)
    return app.left_because


def over_ssh(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal is on another machine."""
    return "SSH_TTY" in environ or "SSH_CONNECTION" in environ


class ConsoleDriver(LinuxDriver):
    """Textual's driver on the terminal that is there: output by the outlet, and it survives that the terminal goes.

    The output thread that Textual starts gets nothing to do.
    """

    def __init__(self, app: WatchfloorApp, **more: Any) -> None:
        super().__init__(app, **more)
        self._exits = app.exits
        self._heard = threading.Event()
        self._wake, self._waker = os.pipe()
        self._answers: deque[tuple[float, int]] = deque()
        self.painter = Painter(app.console._color_system)
        self.outlet: Outlet | None = None
        self._patient_until = 0.0

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        fd = terminal_fd()
        interval = SSH_FRAME_S if over_ssh() else FRAME_S
        told = self._app.link_changed  # type: ignore[attr-defined]
        self.outlet = Outlet(2 if fd is None else fd, self.painter, Flow(interval), told=told)
        self.painter.forget()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.outlet.ask()

    def use_mouse(self, on: bool) -> None:
        """Have the terminal tell of the mouse, or leave the mouse to the terminal."""
        self._disable_mouse_support()
        self._mouse = on
        self._enable_mouse_support()

    @property
    def has_mouse(self) -> bool:
        """Whether the terminal tells of the mouse."""
        return self._mouse

    def _enable_mouse_support(self) -> None:
        if self._mouse:
            self.write("".join(f"\x1b[?{mode}h" for mode in MOUSE_MODES))

    def _disable_mouse_support(self) -> None:
        if self._mouse:
            self.write("".join(f"\x1b[?{mode}l" for mode in MOUSE_MODES))

    def _enable_mouse_pixels(self) -> None:
        """Nobody here needs to know where in a cell the mouse is."""

    def _get_terminal_size(self) -> tuple[int, int]:
        """Of the terminal itself: COLUMNS and LINES say what it was when somebody exported them."""
        try:
            columns, lines = os.get_terminal_size(2 if (fd := terminal_fd()) is None else fd)
        except OSError:
            columns = lines = 0
        return columns or 80, lines or 24

    def write(self, data: str) -> None:
        """Send what belongs to no frame."""
        if self.outlet is not None:
            self.outlet.write(data)

    def flush(self) -> None:
        """Everything is on its way already."""

    def stop_application_mode(self) -> None:
        """Give the terminal back; its last answers must not reach whoever reads from it next.

        A terminal that took nothing for so long already is not waited for once more.
        """
        if self.outlet is not None:
            self.outlet.write("\x1b[m")
            self._patient_until = monotonic() + max(0.0, PATIENCE_S - self.outlet.stuck_s)
            if self.outlet.drain(self._patient_until):
                self._hear_out(self.outlet)
        super().stop_application_mode()

    def _hear_out(self, outlet: Outlet) -> None:
        while outlet.open_questions > len(self._answers) and (rest := self._patient_until - monotonic()) > 0:
            self._heard.wait(rest)
            self._heard.clear()

    def close(self) -> None:
        """Send what is left, as far as the terminal takes it."""
        super().close()
        outlet, self.outlet = self.outlet, None
        if outlet is None:
            return
        if not outlet.drain(self._patient_until) and self._exits is not None:
            self._exits.drop_output()
        outlet.close()

    def process_message(self, message: Message) -> None:
        """Called in the input thread. Answers of the terminal go to the outlet, everything else to the application."""
        if isinstance(message, events.CursorPosition):
            self._answers.append((monotonic(), message.x + 1))
            self._heard.set()
            self._loop.call_soon_threadsafe(self._answered)
            return
        if isinstance(message, events.Key | events.MouseEvent) and self.outlet is not None:
            self.outlet.key_at = monotonic()
        super().process_message(message)

    def _answered(self) -> None:
        at, column = self._answers.popleft()
        if self.outlet is not None:
            self.outlet.answered(at, column)

    def run_input_thread(self) -> None:
        """Read keys until the console ends or nobody can type any more; sleeps while nobody does.

        Textual's own loop wakes ten times a second.
        """
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        try:
            while not self.exit_event.is_set():
                wait = None if parser._timeout_time is None else ESCAPE_S  # an escape may begin a sequence
                ready, _, _ = select.select([self.fileno, self._wake], [], [], wait)
                if self.fileno in ready:
                    data = os.read(self.fileno, 4096)
                    if not data:
                        raise OSError("end of file")
                    self._read(parser, decode(data))
                self._process(parser.tick())
        except OSError:
            if self._exits is not None:
                self._exits.ask("the terminal went away")

    def _read(self, parser: XTermParser, text: str) -> None:
        """On a slow link an escape and the key after it arrive together. Nothing here is bound to alt: they are two."""
        *before, last = ESCAPE_AND_KEY.split(text)
        for part in before:
            if part:
                self._process(parser.feed(part))
            self.process_message(events.Key("escape", "\x1b"))
            self._let_it_act()
        if last:  # an empty text would end the parser
            self._process(parser.feed(last))

    def _let_it_act(self) -> None:
        """Wait until what the last key did is done: the next one is meant for the screen that is there then."""
        acted = threading.Event()
        self._loop.call_soon_threadsafe(self._app.call_after_refresh, acted.set)
        acted.wait(ACT_S)

    def _process(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)

    def disable_input(self) -> None:
        """End the input thread."""
        os.write(self._waker, b".")
        super().disable_input()
        os.read(self._wake, 1)
