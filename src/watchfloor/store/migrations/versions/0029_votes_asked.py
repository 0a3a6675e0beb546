"""Nodes that check a service together ask each other to look at once; votes know which slot they are of."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add them; votes that are there are of when their checks ended, so that none of them passes for a later one."""
    op.execute("""
ALTER TABLE service_votes ADD COLUMN slot timestamptz;
UPDATE service_votes SET slot = at - interval '1 hour';
ALTER TABLE service_votes ALTER COLUMN slot SET NOT NULL;
CREATE TABLE vote_requests (
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    node_id int NOT NULL REFERENCES nodes ON DELETE CASCADE,
    since timestamptz NOT NULL,
    anew boolean NOT NULL,
    PRIMARY KEY (service_id, node_id)
) WITH (fillfactor = 50);
CREATE INDEX vote_requests_by_node ON vote_requests (node_id);
""")
