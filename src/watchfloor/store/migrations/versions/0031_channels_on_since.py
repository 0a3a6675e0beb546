"""What waited for a channel that was off is as old as the channel has been on."""

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Add since when a channel is on again; those there are were never off."""
    op.execute("ALTER TABLE channels ADD COLUMN on_since timestamptz")
