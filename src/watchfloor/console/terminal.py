"""The terminal: whether it will do, how output reaches it, and running a console on it."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver

from watchfloor.console.leave import Exits

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp

FLUSH_AT = 64 * 1024


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
    over_ssh = (
        "SSH_TTY" in environ or "SSH_CONNECTION" in environ
    )  # every move of a mouse would cross the line
    with app.exits.watched():
        app.run(mouse=not over_ssh)
    return app.left_because


class TerminalFile:
    """What Textual's output thread writes to: whole frames in one system call, no error when nobody is there."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending: list[str] = []
        self._size = 0
        self._lost = False

    def abandon(self) -> None:
        """Write nothing any more: nobody reads it."""
        self._lost = True

    def write(self, text: str) -> None:
        """Keep `text` until the frame is complete."""
        self._pending.append(text)
        self._size += len(text)
        if self._size >= FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Send what is kept; blocks for as long as the terminal takes nothing."""
        data = memoryview("".join(self._pending).encode("utf-8", "replace"))
        self._pending.clear()
        self._size = 0
        while data and not self._lost:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                select.select([], [self._fd], [])
            except OSError:
                self._lost = True  # whoever watches the terminal hears of it in their own way

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """It is a terminal."""
        return True


class ConsoleDriver(LinuxDriver):
    """Textual's driver on the terminal that is there, surviving that it goes away."""

    def __init__(self, app: Any, **more: Any) -> None:
        super().__init__(app, **more)
        fd = terminal_fd()
        output = TerminalFile(2 if fd is None else fd)
        self._file = output  # type: ignore[assignment]
        self._exits: Exits | None = getattr(app, "exits", None)
        if self._exits is not None:
            self._exits.abandon = output.abandon

    def run_input_thread(self) -> None:
        """Read keys until the console ends or nobody can type any more."""
        try:
            super().run_input_thread()
        except OSError:
            if self._exits is not None:
                self._exits.ask("the terminal went away")
