"""Who is on call: the file's word on it, overrides, chains that run, and messages that wait for quiet hours to end."""

from alembic import op

revision = "0016"
down_revision = "0015"

OUTBOX = """
ALTER TABLE outbox ADD COLUMN person text NOT NULL DEFAULT '', ADD COLUMN held_until timestamptz;
CREATE INDEX outbox_held ON outbox (alert_id, channel) WHERE held_until IS NOT NULL AND state = 'queued';
"""

DUTY = """
ALTER TABLE routing ADD COLUMN oncall jsonb NOT NULL DEFAULT '{"people":[],"groups":[],"rotas":[],"escalations":[]}';

CREATE TABLE rota_overrides (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rota text NOT NULL,
    person text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX rota_overrides_by_end ON rota_overrides (ends_at);

CREATE TABLE escalations (
    alert_id int PRIMARY KEY REFERENCES alerts ON DELETE CASCADE,
    chain jsonb NOT NULL,
    step int NOT NULL DEFAULT 0,
    round int NOT NULL DEFAULT 0,
    next_at timestamptz,
    left_s float8,
    begun_at timestamptz NOT NULL,
    ended_why text NOT NULL DEFAULT '',
    CHECK (next_at IS NULL OR left_s IS NULL)
) WITH (fillfactor = 70);
CREATE INDEX escalations_due ON escalations (next_at) WHERE next_at IS NOT NULL;
"""


def upgrade() -> None:
    """Add the columns and tables."""
    op.execute(OUTBOX)
    op.execute(DUTY)
