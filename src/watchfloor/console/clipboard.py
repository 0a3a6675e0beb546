"""Copying: text goes to the terminal's clipboard by OSC 52, also through tmux and screen; what is too big to a file.

What is sent is base64 between fixed bytes, so nothing that came from outside can end the sequence or begin another.
Whether the terminal takes it is its own affair: it gives no answer. As it comes, tmux takes neither form and says
nothing, but its own command puts text into its buffer and hands it on to the clipboard outside. Sources: xterm's
control sequences (OSC 52), tmux(1) ``set-clipboard``, ``allow-passthrough`` and ``load-buffer``, screen(1) on strings
passed to the terminal. The limit is the one k9s uses.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from watchfloor.domain.bell import through_tmux

LIMIT = 74_994
"""Encoded bytes that a terminal can be expected to take in one sequence."""
_SCREEN_PART = 240
"""screen passes on strings of at most 256 bytes."""
FILE = "copied.txt"
TMUX_S = 2.0


def sequence(text: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The bytes that copy `text`, for the terminal that `environ` tells of; None where it is too big."""
    encoded = b64encode(text.encode("utf-8", "replace")).decode()
    if len(encoded) > LIMIT:
        return None
    plain = f"\x1b]52;c;{encoded}\x07"
    if environ.get("TMUX"):
        # With set-clipboard on, tmux takes the plain form; with allow-passthrough on, it hands on the wrapped one.
        return plain + through_tmux(plain)
    if environ.get("STY"):
        parts = (plain[start : start + _SCREEN_PART] for start in range(0, len(plain), _SCREEN_PART))
        return "".join(f"\x1bP{part}\x1b\\" for part in parts)
    return plain


async def into_tmux(text: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Put `text` into the buffer of the tmux that shows this console; False where there is none that takes it."""
    if not environ.get("TMUX"):
        return False
    try:
        process = await asyncio.create_subprocess_exec(
            "tmux", "load-buffer", "-w", "-", stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, env=dict(environ)
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(TMUX_S):
            await process.communicate(text.encode("utf-8", "replace"))
    except TimeoutError:
        process.kill()
        await process.wait()
    return process.returncode == 0


def state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the console leaves its own files: ``$XDG_STATE_HOME/watchfloor``, else below ``~/.local/state``."""
    named = Path(environ.get("XDG_STATE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".local" / "state") / "watchfloor"


def brief_path(path: Path) -> str:
    """A path as a shell takes it, as short as that goes: many lines have room for 80 cells.

    >>> brief_path(Path.home() / "notes" / "a.txt"), brief_path(Path("/srv/a.txt"))
    ('~/notes/a.txt', '/srv/a.txt')
    """
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def write_file(text: str, directory: Path) -> Path:
    """Put `text` into a file that only this person can read, in place of the one before. Raises `OSError`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=directory, prefix=f".{FILE}.")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        path = directory / FILE
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return path
