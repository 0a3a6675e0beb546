"""Jobs: whom they belong to, who changed them last, and how they were written; runs that are killed."""

from alembic import op

revision = "0006"
down_revision = "0005"

DESK = """
ALTER TABLE jobs
    ADD COLUMN belongs_to text NOT NULL DEFAULT '',
    ADD COLUMN role text NOT NULL DEFAULT '',
    ADD COLUMN written jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN changed_by text NOT NULL DEFAULT '';

ALTER TABLE runs ADD COLUMN kill boolean NOT NULL DEFAULT false;
CREATE INDEX runs_backfilled ON runs (job_id, scheduled_for) WHERE origin = 'backfill';
"""


def upgrade() -> None:
    """Extend the tables of jobs and runs."""
    op.execute(DESK)
