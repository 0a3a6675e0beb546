"""Checkpoints: how far long jobs have got, one row per job."""

from alembic import op

revision = "0007"
down_revision = "0006"

CHECKPOINTS = """
CREATE TABLE checkpoints (
    job_id int PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    value jsonb NOT NULL,
    run_id bigint NOT NULL,
    attempt int NOT NULL,
    saved_at timestamptz NOT NULL
) WITH (fillfactor = 80);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(CHECKPOINTS)
