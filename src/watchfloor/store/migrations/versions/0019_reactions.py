"""Reactions: jobs that run because of alerts, and which ran when, for their limits."""

from alembic import op

revision = "0019"
down_revision = "0018"

REACTIONS = """
ALTER TABLE routing ADD COLUMN reactions jsonb NOT NULL DEFAULT '[]';

CREATE TABLE reaction_runs (
    reaction text NOT NULL,
    at timestamptz NOT NULL,
    alert_id int NOT NULL,
    run_id bigint NOT NULL
);
CREATE INDEX reaction_runs_by_time ON reaction_runs (reaction, at);

ALTER TABLE runs DROP CONSTRAINT runs_origin_check, ADD CONSTRAINT runs_origin_check
    CHECK (origin IN ('schedule', 'manual', 'requeue', 'backfill', 'chain', 'reaction'));
"""


def upgrade() -> None:
    """Add the column and the table; runs may have a new origin."""
    op.execute(REACTIONS)
