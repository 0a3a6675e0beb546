"""What goes wrong with a database, in words a person can act on."""

from __future__ import annotations

import re

import psycopg
from psycopg import errors as pg

from watchfloor.domain.text import one_line


class StoreError(Exception):
    """The database cannot be used; the message names the place and the remedy."""


_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    pg.ReadOnlySqlTransaction,
    pg.InsufficientPrivilege,
    pg.IdleInTransactionSessionTimeout,
    OSError,
)
_NEVER = (pg.ProgramLimitExceeded, pg.StatementTooComplex, pg.TooManyColumns, pg.TooManyArguments)
"""Refusals of what was sent; the driver files them under operational errors, but waiting does not mend them."""

_NO_ROOM = "the database has no free connection; raise max_connections or close other clients"
_REFUSED = (
    (
        re.compile(r"password|no pg_hba\.conf entry|role .* (does not exist|is not permitted)"),
        "the database refuses this user or password; check `database:` in the config file",
    ),
    (re.compile(r"too many (clients|connections)|remaining connection slots"), _NO_ROOM),
    (re.compile(r"database .* does not exist"), "there is no such database on this server; create it there"),
)
"""What a server says when it refuses a connection, which comes as words without a code, and what that means."""


def is_away(error: BaseException) -> bool:
    """Whether waiting and trying again is the right answer: the server is gone, full, read-only or overloaded."""
    return isinstance(error, _AWAY) and not isinstance(error, _NEVER)


def refusal(error: BaseException) -> str:
    """Why one piece of work failed while the database is well, in one line; empty where it is away."""
    if isinstance(error, pg.QueryCanceled):
        return "its query took too long and was cancelled"
    return "" if is_away(error) else one_line(f"{type(error).__name__}: {_first_line(error)}", 300)


def explain(error: BaseException) -> str:
    """One sentence about ``error`` that names the remedy where there is one."""
    if isinstance(error, pg.DiskFull):
        return "the disk of the database is full; free space there, Watchfloor goes on by itself"
    if isinstance(error, pg.ReadOnlySqlTransaction):
        return "the database is read-only (a standby, or default_transaction_read_only); point to the primary"
    if isinstance(error, pg.TooManyConnections):
        return _NO_ROOM
    if isinstance(error, TimeoutError):
        return "the database answers too slowly: every connection of this process is busy"
    if isinstance(error, pg.InsufficientPrivilege):
        return f"the database user lacks a right: {_first_line(error)}"
    if isinstance(error, pg.QueryCanceled):
        return "the statement took too long and was cancelled"
    words = _first_line(error)
    refusals = (meaning for sign, meaning in _REFUSED if sign.search(words.rpartition("FATAL:")[2]))
    return f"{next(refusals, 'the database is away')}: {words}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
