"""Notices that the configuration changed: its own file or any file a reference in it names.

Cheap enough to ask every second: one ``stat`` for each file. Contents are read only where that differs, and
only new content or new permissions count, so touching a file does nothing. It must never load anything and
never keep contents, only digests of them.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from watchfloor.config.document import MAX_BYTES
from watchfloor.config.files import Unreadable, read_small

RECENT_NS = 2_000_000_000
"""A file changed this recently may change again within the same time stamp, so its content is compared."""

_Stamp = tuple[int, int, int] | None
_NEVER_SEEN = (0, -1, -1)


class ConfigWatch:
    """Follows one configuration file and the files its references name."""

    def __init__(self, path: Path, files: Iterable[Path] = (), digest: str | None = None) -> None:
        """``digest`` is that of the content in force: what changed since it was read counts as changed."""
        self._path = path
        self._stamps: dict[Path, _Stamp] = {}
        self._digests: dict[Path, str] = {}
        self.follow(files)
        if digest is not None:
            self._stamps[path], self._digests[path] = _NEVER_SEEN, digest

    @property
    def path(self) -> Path:
        """The configuration file itself."""
        return self._path

    def follow(self, files: Iterable[Path]) -> None:
        """Replace the set of referenced files, after a load that may have found others."""
        wanted = {self._path, *files}
        for path in self._stamps.keys() - wanted:
            del self._stamps[path], self._digests[path]
        for path in wanted - self._stamps.keys():
            self._stamps[path] = _stamp(path)
            self._digests[path] = self._digest(path)

    def changed(self) -> bool:
        """Whether anything is different from the last time this was asked (or from the start)."""
        different = False
        for path, known in self._stamps.items():
            stamp = _stamp(path)
            if stamp == known and not _is_recent(stamp):
                continue
            digest = self._digest(path)
            different |= digest != self._digests[path]
            self._stamps[path], self._digests[path] = stamp, digest
        return different

    def _digest(self, path: Path) -> str:
        try:
            data, status = read_small(path, MAX_BYTES)
        except Unreadable as trouble:
            return trouble.reason
        digest = hashlib.sha256(data).hexdigest()
        # A secret that was refused because everyone could read it counts as changed once that is mended.
        return digest if path == self._path else f"{digest} {status.st_mode:o}"


def _stamp(path: Path) -> _Stamp:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # missing is a state like any other; the loader says why
        return None
    # The change time also moves where a copy keeps the old modification time, and with permissions.
    return max(status.st_mtime_ns, status.st_ctime_ns), status.st_ino, status.st_size


def _is_recent(stamp: _Stamp) -> bool:
    return stamp is not None and abs(time.time_ns() - stamp[0]) < RECENT_NS
