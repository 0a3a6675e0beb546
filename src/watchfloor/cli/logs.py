"""Where the program's own log records go: into the engine's buffer, and to standard error where that is free."""

from __future__ import annotations

import logging
import sys

from watchfloor.domain.text import clean, one_line
from watchfloor.engine.intake import LogBuffer

_CHATTY = ("alembic", "apscheduler", "asyncio", "httpx", "httpcore", "sqlalchemy")


class _Safe(logging.Formatter):
    """Whatever a record holds, it prints as one safe line; a traceback follows in lines as safe."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.message, 2000)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))


def collect(*, stderr: bool) -> LogBuffer:
    """Send every record of this process to a new buffer, and to standard error if asked."""
    buffer = LogBuffer()
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(buffer)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if stderr:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Safe("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
    return buffer
