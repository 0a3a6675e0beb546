"""What each operator has seen of each alert."""

from alembic import op

revision = "0021"
down_revision = "0020"

VIEWS = """
CREATE TABLE alert_views (
    operator text NOT NULL,
    alert_id int NOT NULL REFERENCES alerts ON DELETE CASCADE,
    seq int NOT NULL,
    PRIMARY KEY (operator, alert_id)
) WITH (fillfactor = 80);
CREATE INDEX alert_views_by_alert ON alert_views (alert_id);
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(VIEWS)
