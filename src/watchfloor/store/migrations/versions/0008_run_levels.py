"""Run logs: how serious a line is."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Extend the table of run logs."""
    op.execute("ALTER TABLE run_logs ADD COLUMN level smallint NOT NULL DEFAULT 9")
