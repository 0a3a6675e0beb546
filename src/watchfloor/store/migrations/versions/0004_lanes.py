"""Jobs: queues and tags, chains, the circuit, parameters of a run, calendars, figures over time, the archive of runs.

A lane (queue and tags) leads the index that runs are claimed by: a node never scans what others have to take.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

LANES = """
ALTER TABLE jobs
    ADD COLUMN lane text NOT NULL DEFAULT 'default',
    ADD COLUMN chains jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN pause_after smallint CHECK (pause_after >= 1),
    ADD COLUMN failures int NOT NULL DEFAULT 0,
    ADD COLUMN tripped_at timestamptz;

ALTER TABLE runs
    ADD COLUMN lane text NOT NULL DEFAULT 'default',
    ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN upstream_id bigint,
    DROP CONSTRAINT runs_origin_check,
    ADD CONSTRAINT runs_origin_check CHECK (origin IN ('schedule', 'manual', 'requeue', 'backfill', 'chain'));
DROP INDEX runs_ready;
CREATE INDEX runs_ready ON runs (lane, priority, available_at, id) WHERE state = 'ready';
CREATE INDEX runs_downstream ON runs (upstream_id) WHERE upstream_id IS NOT NULL;
CREATE INDEX runs_overdue ON runs (deadline_at) WHERE state IN ('waiting', 'ready') AND deadline_at IS NOT NULL;

ALTER TABLE workers
    ADD COLUMN queues text[] NOT NULL DEFAULT '{}',
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN at_once int;

CREATE TABLE calendars (
    name text PRIMARY KEY,
    days text[] NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE job_hours (
    job_id int NOT NULL REFERENCES jobs ON DELETE CASCADE,
    hour timestamptz NOT NULL,
    succeeded int NOT NULL,
    dead int NOT NULL,
    cancelled int NOT NULL,
    skipped int NOT NULL,
    missed int NOT NULL,
    took_p50_ms float8,
    took_p95_ms float8,
    took_max_ms float8,
    lag_p50_ms float8,
    lag_p99_ms float8,
    lag_max_ms float8,
    PRIMARY KEY (job_id, hour)
) WITH (fillfactor = 80);

CREATE TABLE queue_minutes (
    queue text NOT NULL,
    minute timestamptz NOT NULL,
    waiting int NOT NULL,
    ready int NOT NULL,
    running int NOT NULL,
    oldest_s float8 NOT NULL,
    started int NOT NULL,
    lag_p50_ms float8,
    lag_p99_ms float8,
    lag_max_ms float8,
    PRIMARY KEY (queue, minute)
);
CREATE INDEX queue_minutes_by_age ON queue_minutes (minute);

CREATE TABLE run_archive (
    id bigint NOT NULL,
    finished_at timestamptz NOT NULL,
    uuid uuid NOT NULL,
    job_id int NOT NULL,
    job text NOT NULL,
    kind text NOT NULL,
    fire_key text NOT NULL,
    origin text NOT NULL,
    asked_by text NOT NULL,
    state text NOT NULL,
    scheduled_for timestamptz NOT NULL,
    started_at timestamptz,
    attempt int NOT NULL,
    exit_code int,
    signal int,
    error_class text NOT NULL,
    error text NOT NULL,
    node text NOT NULL,
    missed int NOT NULL,
    upstream_id bigint,
    parameters jsonb NOT NULL,
    attempts jsonb NOT NULL,
    PRIMARY KEY (id, finished_at)
) PARTITION BY RANGE (finished_at);
CREATE INDEX run_archive_by_job ON run_archive (job_id, id DESC);
"""


def upgrade() -> None:
    """Extend the tables of jobs."""
    op.execute(LANES)
