"""What a better way made needless: waits are put off by results, backfills are found by their nominal time."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Drop a column and an index that nothing reads."""
    op.execute("""
ALTER TABLE alerts DROP COLUMN observed_from;
DROP INDEX runs_backfilled;
""")
