"""Nodes hand services over without a check twice or none, and keep figures of themselves over time."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Note who is lost and who has seen whom; make the figures of nodes, one row a node and minute."""
    op.execute("""
ALTER TABLE nodes
    ADD COLUMN lost_at timestamptz,
    ADD COLUMN sees int[] NOT NULL DEFAULT '{}',
    ADD COLUMN let_go_at timestamptz;

CREATE TABLE node_minutes (
    node_id int NOT NULL REFERENCES nodes ON DELETE CASCADE,
    minute timestamptz NOT NULL,
    services int NOT NULL,
    checks int NOT NULL,
    missed int NOT NULL,
    lag_p50_ms real,
    lag_p99_ms real,
    lag_max_ms real,
    waiting int NOT NULL,
    runs int NOT NULL,
    loop_ms real NOT NULL,
    cpu_pct real NOT NULL,
    rss_bytes bigint NOT NULL,
    database_ms real NOT NULL,
    PRIMARY KEY (node_id, minute)
);
CREATE INDEX node_minutes_by_age ON node_minutes (minute);
""")
