"""Maintenance windows have versions, so that nobody writes over what somebody else changed."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Those there are begin with the first."""
    op.execute("""
ALTER TABLE maintenance
    ADD COLUMN version int NOT NULL DEFAULT 1,
    ADD COLUMN changed_by text NOT NULL DEFAULT '',
    ADD COLUMN changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
""")
