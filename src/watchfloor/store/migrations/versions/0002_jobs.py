"""Jobs: definitions, schedules, workers, runs, attempts, run logs, dead letters.

Partial indexes hold only what is hot (waiting, ready, running); finished runs cost the claim nothing. One slot of a
job is one entry of a unique index, so no mistake in counting can start too many runs.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

JOBS = """
CREATE TABLE jobs (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind text NOT NULL,
    settings jsonb NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 10),
    overlap text NOT NULL CHECK (overlap IN ('skip', 'queue_one', 'queue_all', 'cancel_previous', 'allow')),
    slots smallint CHECK (slots >= 1),
    at_most_once boolean NOT NULL,
    timeout_ms bigint NOT NULL CHECK (timeout_ms >= 1),
    deadline_ms bigint CHECK (deadline_ms >= 1),
    retry jsonb NOT NULL,
    contact text NOT NULL,
    description text NOT NULL,
    runbook text NOT NULL,
    owner text NOT NULL CHECK (owner IN ('file', 'console', 'system')),
    origin text NOT NULL,
    paused boolean NOT NULL,
    paused_by_file boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    version int NOT NULL DEFAULT 1,
    CHECK (slots IS NOT NULL OR overlap = 'allow')
);

CREATE TABLE schedules (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id int NOT NULL REFERENCES jobs ON DELETE CASCADE,
    spec jsonb NOT NULL,
    anchor timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'paused', 'ended', 'error')),
    next_fire_at timestamptz,
    error text NOT NULL DEFAULT '',
    CHECK (state <> 'active' OR next_fire_at IS NOT NULL)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX schedules_once ON schedules (job_id, md5(spec::text));
CREATE INDEX schedules_due ON schedules (next_fire_at) WHERE state = 'active';

CREATE TABLE workers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_id int NOT NULL REFERENCES nodes ON DELETE CASCADE,
    place text NOT NULL,
    pid int NOT NULL,
    born text NOT NULL,
    state text NOT NULL CHECK (state IN ('up', 'draining', 'dead', 'stopped')),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX workers_by_node ON workers (node_id);
CREATE INDEX workers_at_work ON workers (lease_until) WHERE state IN ('up', 'draining');

CREATE TABLE runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL,
    job_id int NOT NULL REFERENCES jobs ON DELETE CASCADE,
    schedule_id int,
    fire_key text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('schedule', 'manual', 'requeue')),
    asked_by text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN
        ('waiting', 'ready', 'running', 'succeeded', 'cancelled', 'dead', 'skipped', 'missed')),
    scheduled_for timestamptz NOT NULL,
    available_at timestamptz NOT NULL,
    deadline_at timestamptz,
    priority smallint NOT NULL,
    capped boolean NOT NULL,
    slot smallint,
    attempt int NOT NULL DEFAULT 0,
    used int NOT NULL DEFAULT 0,
    worker_id bigint,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    aged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancel_requested_at timestamptz,
    cancel_by text NOT NULL DEFAULT '',
    exit_code int,
    signal int,
    error_class text NOT NULL DEFAULT '',
    error text NOT NULL DEFAULT '',
    missed int NOT NULL DEFAULT 0,
    UNIQUE (job_id, fire_key)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX runs_slot ON runs (job_id, slot) WHERE state IN ('ready', 'running') AND slot IS NOT NULL;
CREATE INDEX runs_ready ON runs (priority, available_at, id) WHERE state = 'ready';
CREATE INDEX runs_waiting ON runs (available_at) WHERE state = 'waiting';
CREATE INDEX runs_running ON runs (worker_id) WHERE state = 'running';
CREATE INDEX runs_by_job ON runs (job_id, id DESC);
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE attempts (
    run_id bigint NOT NULL REFERENCES runs ON DELETE CASCADE,
    attempt int NOT NULL,
    worker_id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    exit_code int,
    signal int,
    error_class text NOT NULL DEFAULT '',
    error text NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, attempt)
) WITH (fillfactor = 80);

CREATE TABLE dead_letters (
    run_id bigint PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    reason text NOT NULL,
    died_at timestamptz NOT NULL,
    requeued_as bigint,
    settled_at timestamptz,
    settled_by text NOT NULL DEFAULT ''
);
CREATE INDEX dead_letters_open ON dead_letters (died_at) WHERE settled_at IS NULL;

CREATE TABLE run_logs (
    run_id bigint NOT NULL,
    ts timestamptz NOT NULL,
    attempt int NOT NULL,
    seq bigint NOT NULL,
    stream text NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (run_id, ts, attempt, seq)
) PARTITION BY RANGE (ts);
"""


def upgrade() -> None:
    """Create the tables of jobs."""
    op.execute(JOBS)
