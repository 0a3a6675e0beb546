"""Check state: dependency groups, flapping, reachability with root causes, maintenance windows.

What holds for few services at a time (out of reach, planned) is in tables of its own, so that it is written without
touching, or waiting for, the row that every result overwrites.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

STATE = """
ALTER TABLE services ADD COLUMN depends_on_any jsonb NOT NULL DEFAULT '[]';
ALTER TABLE service_state ADD COLUMN flap int NOT NULL DEFAULT 0,
    ADD COLUMN flapping boolean NOT NULL DEFAULT false;

CREATE TABLE service_reach (
    service_id int PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    root_id int REFERENCES services ON DELETE CASCADE,
    since timestamptz NOT NULL,
    until timestamptz,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((root_id IS NULL) = (until IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX service_reach_by_root ON service_reach (root_id) WHERE root_id IS NOT NULL;

CREATE INDEX service_reach_by_change ON service_reach (changed_at);

CREATE TABLE maintenance (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    selector jsonb NOT NULL,
    spec jsonb NOT NULL,
    triggered_by int REFERENCES maintenance ON DELETE CASCADE,
    note text NOT NULL,
    author text NOT NULL,
    owner text NOT NULL CHECK (owner IN ('file', 'console', 'system')),
    origin text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
CREATE UNIQUE INDEX maintenance_names ON maintenance (name) WHERE retired_at IS NULL;
CREATE INDEX maintenance_by_trigger ON maintenance (triggered_by);

CREATE TABLE maintenance_runs (
    window_id int NOT NULL REFERENCES maintenance ON DELETE CASCADE,
    began timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    ended_by text NOT NULL DEFAULT '',
    muted int NOT NULL DEFAULT 0,
    PRIMARY KEY (window_id, began)
) WITH (fillfactor = 80);

CREATE TABLE service_planned (
    service_id int PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    depth smallint NOT NULL CHECK (depth >= 0),
    since timestamptz NOT NULL,
    until timestamptz,
    windows int[] NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((depth = 0) = (until IS NOT NULL))
) WITH (fillfactor = 50);
"""

ALERTS = """
ALTER TABLE alerts ADD COLUMN root_id int REFERENCES services ON DELETE SET NULL;
CREATE INDEX alerts_by_root ON alerts (root_id) WHERE root_id IS NOT NULL;
CREATE INDEX alerts_suppressed ON alerts (service_id) WHERE suppressed <> '{}';
"""


def upgrade() -> None:
    """Add the columns and tables."""
    op.execute(STATE)
    op.execute(ALERTS)
