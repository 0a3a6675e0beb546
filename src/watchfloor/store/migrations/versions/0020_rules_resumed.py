"""Since when a rule is looked at again, after a time in which nobody did: silence counts from there."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE rule_health ADD COLUMN resumed_at timestamptz")
