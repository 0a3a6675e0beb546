"""What a PostgreSQL server says of itself: the one query of a check, and its answer read with mistrust.

How far a standby is behind is the age of the last transaction that it replayed, as long as it has not replayed all that
it has received; a primary at rest sends nothing, so that the age alone says nothing. What is fed from an archive cannot
say: it does not know whether there is more. Statements are slow that ran past
a mark within the last minute, as the sessions show them: a session shows its latest statement only, so that what it
did since hides what it did before, and the count is a lower bound.
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from watchfloor.probes.checking import Fault

WINDOW_S = 60
"""How far back statements count as slow that passed the mark, in seconds."""

# The kind of other people's sessions is hidden from a role without pg_monitor; their database is not.
_FIGURES = """
/* watchfloor */ SELECT
    (SELECT count(*) FROM pg_stat_activity
      WHERE coalesce(backend_type, 'client backend') = 'client backend'
        AND datid IS NOT NULL AND usesysid IS NOT NULL AND pid <> pg_backend_pid()),
    current_setting('max_connections')::int
      - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true), '0')::int,
    current_setting('server_version'),
    pg_is_in_recovery(),
    extract(epoch FROM now() - pg_postmaster_start_time())::float,
    CASE WHEN NOT pg_has_role('pg_read_all_stats', 'USAGE') THEN NULL ELSE
    (SELECT count(*) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
        AND query_start + {after} * interval '1 second' BETWEEN now() - interval '{window} s' AND now()
        AND (state = 'active' OR state_change - query_start >= {after} * interval '1 second')) END,
    CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS NOT NULL THEN
      CASE WHEN pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver)
      THEN 0 ELSE greatest(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)::float END END,
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() END,
    EXISTS (SELECT FROM pg_stat_wal_receiver)
"""

_REPLAYED = "/* watchfloor */ SELECT pg_last_wal_replay_lsn() >= '{received}'::pg_lsn"


def figures_query(slow_after_s: float) -> str:
    """The query for `Figures`; statements are slow that take longer than ``slow_after_s``."""
    return _FIGURES.format(after=float(slow_after_s), window=WINDOW_S)


def replayed_query(received: str) -> str:
    """The query whether a standby has replayed all up to a place in the log; the place is one `Figures` has read."""
    return _REPLAYED.format(received=received)


class Figures(NamedTuple):
    """What a server says of itself.

    ``slow`` is how many statements became slow in the last minute, None for a role that must not see those of others;
    ``lag_s`` is how many seconds a standby is behind, None where it cannot say, and of a primary; ``received`` is the
    place in the log up to which it has received it, empty where it never did, and ``streaming`` whether it does now.
    """

    used: int
    most: int
    version: str
    standby: bool
    uptime: float
    slow: int | None
    lag_s: float | None
    received: str
    streaming: bool

    @classmethod
    def of(cls, row: list[str]) -> Figures:
        """Read an answer. Raises `Fault` when it is not what a PostgreSQL server would say."""
        try:
            used, most, version, standby, uptime, slow, lag, received, streaming = row
            figures = cls(
                int(used),
                int(most),
                version,
                standby == "t",
                float(uptime),
                int(slow) if slow else None,
                float(lag) if lag else None,
                _place(received),
                streaming == "t",
            )
        except ValueError:
            figures = None
        if (
            figures is None
            or figures.most < 1
            or not all(map(isfinite, (figures.uptime, figures.lag_s or 0)))
        ):
            raise Fault("something answered, but not as PostgreSQL would")
        return figures


def _place(received: str) -> str:
    """A place in the log as ``16/B374D848``. Raises `ValueError` for what is none: it becomes part of a query."""
    if received:
        high, low = received.split("/")
        if not (0 <= int(high, 16) < 2**32 and 0 <= int(low, 16) < 2**32):
            raise ValueError("no place in the log")
        return f"{int(high, 16):X}/{int(low, 16):X}"
    return ""
