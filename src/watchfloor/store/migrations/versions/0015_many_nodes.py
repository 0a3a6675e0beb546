"""Which nodes may check a service, how many of them must agree that it fails, and what each of them found."""

from alembic import op

revision = "0015"
down_revision = "0014"

_STATEMENTS = """
ALTER TABLE services ADD COLUMN on_nodes text[] NOT NULL DEFAULT '{}', ADD COLUMN quorum smallint NOT NULL DEFAULT 1;

CREATE TABLE service_votes (
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    node_id int NOT NULL REFERENCES nodes ON DELETE CASCADE,
    at timestamptz NOT NULL,
    status smallint NOT NULL,
    summary text NOT NULL,
    PRIMARY KEY (service_id, node_id)
) WITH (fillfactor = 50);
CREATE INDEX service_votes_by_node ON service_votes (node_id);
"""


def upgrade() -> None:
    """Make the columns and the table."""
    op.execute(_STATEMENTS)
