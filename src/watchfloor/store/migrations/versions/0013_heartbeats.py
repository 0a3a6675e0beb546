"""Heartbeats: what they are known to be, and the last pings of each."""

from alembic import op

revision = "0013"
down_revision = "0012"

_STATEMENTS = """
CREATE TABLE heartbeats (
    service_id int PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    token_hash bytea UNIQUE,
    token_made_at timestamptz,
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'up', 'down', 'paused')),
    last_ping timestamptz,
    last_start timestamptz,
    last_run_id text,
    looked timestamptz,
    down_at timestamptz,
    pings bigint NOT NULL DEFAULT 0,
    booked bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE INDEX heartbeats_down_at ON heartbeats (down_at);
CREATE INDEX heartbeats_unbooked ON heartbeats (service_id) WHERE pings > booked;

CREATE TABLE heartbeat_pings (
    service_id int NOT NULL REFERENCES heartbeats ON DELETE CASCADE,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    signal text NOT NULL CHECK (signal IN ('success', 'start', 'fail', 'log')),
    exit_status int,
    run_id text,
    took_us bigint,
    source text NOT NULL,
    body text NOT NULL DEFAULT '',
    PRIMARY KEY (service_id, seq)
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(_STATEMENTS)
