"""Until when somebody listened for pings, and for how long nobody did."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Begin with what is known: a node that beat listened."""
    op.execute("""
CREATE TABLE hearing (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    heard_at timestamptz NOT NULL
) WITH (fillfactor = 20);
INSERT INTO hearing (heard_at) SELECT coalesce(max(beat_at), clock_timestamp()) FROM nodes;
ALTER TABLE heartbeats ADD COLUMN unheard_until timestamptz;
ALTER TABLE heartbeats ADD COLUMN unheard interval NOT NULL DEFAULT '0';
""")
