"""The one log of an embedded server: what PostgreSQL and its keeper write, bounded in size.

Standard library only, because the keeper loads this file without the rest of the product. A log that cannot be
written, on a full disk for one, never takes the keeper down: the server is worth more than its log.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

LIMIT = 8 << 20
"""Bytes from which on the log is cut."""

KEPT = 1 << 20
"""Bytes that a cut leaves."""


class ServerLog:
    """The open log file, appended to by several processes at once."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, text: str) -> None:
        """Write a line of the keeper's own, in the form of PostgreSQL's lines."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        line = f"{stamp} [{os.getpid()}] KEEPER:  {text}\n"
        with suppress(OSError):
            os.write(self.fd, line.encode(errors="backslashreplace"))

    def bound(self) -> None:
        """Keep only the newest part of a log that has grown too long. Needs no disk space of its own.

        A line that the server writes in the very instant of the cut may be lost.
        """
        size = os.fstat(self.fd).st_size
        if size <= LIMIT:
            return
        kept = os.pread(self.fd, KEPT, size - KEPT).partition(b"\n")[2]
        with suppress(OSError):
            os.ftruncate(self.fd, 0)
            os.write(self.fd, kept)
