"""``watchfloor demo``: a world of real local servers, watched, in a directory that goes away with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from watchfloor.cli.console import show
from watchfloor.cli.options import Options
from watchfloor.cli.place import Place
from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.loader import load
from watchfloor.console.terminal import refusal
from watchfloor.demo.remembering import remember
from watchfloor.demo.reporter import Reporter
from watchfloor.demo.world import WorldThread
from watchfloor.store.embedded import Embedded, EmbeddedError, status

PREFIX = "watchfloor-demo-"
BEGUN_S = 60.0
DSN_VARIABLE = "WATCHFLOOR_DEMO_DSN"


def demo(options: Options, seed: int) -> int:
    """Run the demo until the console is left; nothing of it stays behind."""
    problem = refusal()
    if problem is not None:
        print(f"watchfloor: {problem}", file=sys.stderr)
        return 2
    with scene(seed) as configured:
        configuration = configured.configuration
        return show(lambda: Place(None, configuration.data_dir), lambda: configuration, options)


class Scene:
    """A running world and the configuration that watches it."""

    def __init__(self, directory: Path, world: WorldThread, embedded: Embedded) -> None:
        path = directory / "config.yaml"
        path.write_text(world.config_text(), encoding="utf-8")
        os.environ[DSN_VARIABLE] = embedded.dsn
        kinds = probe_kinds().models, channel_kinds().models
        loaded = load(path, *kinds, os.environ, payload_kinds=payload_kinds().models)
        self.configuration = replace(loaded.required(), database=None, data_dir=embedded.data_dir)


def _sweep() -> None:
    """Remove what demos left that were killed: directories of this user whose database nobody uses."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_left(left):
            shutil.rmtree(left, ignore_errors=True)


def _is_left(directory: Path) -> bool:
    """Whether a demo that was killed left this; one that goes away just now with its demo is not ours to judge."""
    try:
        found = directory.lstat()
        just_begun = time.time() - found.st_mtime < BEGUN_S
        if just_begun or found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
            return False
        data = directory / "data"
        return not data.exists() or status(data).state in ("absent", "stopped")
    except (FileNotFoundError, EmbeddedError):
        return False


@contextlib.contextmanager
def scene(seed: int) -> Iterator[Scene]:
    """Start servers and a database in a temporary directory; end and remove all of it."""
    _sweep()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    directory.chmod(0o711)  # the database may run as another user, who must be able to pass
    try:
        embedded = Embedded.start(directory / "data")  # before the world, whose script begins with it
        try:
            with WorldThread(seed, directory) as world, Reporter(seed, embedded.dsn):
                made = Scene(directory, world, embedded)
                asyncio.run(remember(embedded.dsn, made.configuration, seed))
                yield made
        finally:
            embedded.stop(wait=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
