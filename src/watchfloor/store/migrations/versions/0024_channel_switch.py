"""Channels that an operator switches off stay so through a reload of the file and a restart."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add what the file said last; those there are stand as it says."""
    op.execute("""
ALTER TABLE channels ADD COLUMN enabled_by_file boolean;
UPDATE channels SET enabled_by_file = enabled;
ALTER TABLE channels ALTER COLUMN enabled_by_file SET NOT NULL;
""")
