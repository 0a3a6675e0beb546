"""Labels of rules: what their alerts carry for routes, silences and filters."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE rules ADD COLUMN labels jsonb NOT NULL DEFAULT '{}'")
