"""From what is written on a command line to a ping, with as little loading as possible."""

from __future__ import annotations

import sys
from collections.abc import Callable

from watchfloor.cli.asking import at_database, to_stderr
from watchfloor.cli.options import Options
from watchfloor.domain.heartbeats import Signal
from watchfloor.operations import heartbeats
from watchfloor.operations.actor import Refused
from watchfloor.operations.heartbeats import BODY_LIMIT, Said


def said(
    start: bool, fail: bool, log: bool, exit_status: int | None, run_id: str | None, message: str | None
) -> Said:
    """The ping that is meant. Raises `Refused` where it is two at once."""
    if sum((start, fail, log, exit_status is not None)) > 1:
        raise Refused("Say one of --start, --fail, --log and --exit.")
    signal = Signal.START if start else Signal.FAIL if fail else Signal.LOG if log else Signal.SUCCESS
    return Said(signal, exit_status, run_id, _body(message)).checked()


def _body(message: str | None) -> str:
    """What was written, or comes in where it is ``-``; only the end of it is kept."""
    if message != "-":
        return message or ""
    tail = b""
    while chunk := sys.stdin.buffer.read(65_536):
        tail = (tail + chunk)[-BODY_LIMIT * 4 :]
    return tail.decode(errors="replace")


def send(options: Options, name: str, words: Said, say: Callable[[str], None] = to_stderr) -> None:
    """Ping a heartbeat. ``say`` is as in `at_database`. Raises `Refused`, and what the store raises."""
    at_database(options, lambda database, _, actor: heartbeats.ping(database, actor, name, words), say)
