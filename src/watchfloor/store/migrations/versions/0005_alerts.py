"""Alerts: silences, routes and inhibition, groups with the log of what was told, an outbox asked channel by channel."""

from alembic import op

revision = "0005"
down_revision = "0004"

OUTBOX = """
ALTER TABLE outbox ADD COLUMN group_id int, ADD COLUMN reason text NOT NULL DEFAULT '';
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (channel, not_before) WHERE state IN ('queued', 'leased');
CREATE INDEX outbox_trials ON outbox (channel) WHERE state IN ('queued', 'leased') AND kind = 'channel.test';
CREATE UNIQUE INDEX outbox_of_groups ON outbox (group_id, seq) WHERE group_id IS NOT NULL;
CREATE INDEX outbox_by_time ON outbox (created_at DESC, id DESC);
"""

ALERTS = """
ALTER TABLE rules ADD COLUMN cooldown_ms bigint NOT NULL DEFAULT 0 CHECK (cooldown_ms >= 0);
ALTER TABLE alerts ADD COLUMN warn_at timestamptz, ADD COLUMN silenced_by int[] NOT NULL DEFAULT '{}',
    ADD COLUMN remind_at timestamptz, ADD COLUMN hold_until timestamptz, ADD COLUMN unsaid int NOT NULL DEFAULT 0,
    ADD COLUMN observed_from timestamptz;
CREATE INDEX alerts_by_fingerprint ON alerts (fingerprint, id DESC);
"""

WISHES = """
CREATE TABLE silences (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    replaces int REFERENCES silences,
    matchers text[] NOT NULL CHECK (cardinality(matchers) > 0),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    until_resolved boolean NOT NULL,
    author text NOT NULL,
    comment text NOT NULL CHECK (comment <> ''),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_by text NOT NULL DEFAULT '',
    CHECK (until_resolved OR ends_at IS NOT NULL),
    CHECK (ends_at >= starts_at)
);
CREATE INDEX silences_by_end ON silences (ends_at DESC NULLS FIRST, id DESC);

CREATE TABLE routing (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    routes jsonb NOT NULL DEFAULT '[]',
    inhibitions jsonb NOT NULL DEFAULT '[]'
);
INSERT INTO routing DEFAULT VALUES;
"""

GROUPS = """
CREATE TABLE notice_groups (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE,
    key text NOT NULL,
    channel text NOT NULL,
    labels jsonb NOT NULL,
    interval_s float8 NOT NULL,
    repeat_s float8 NOT NULL,
    send_resolved boolean NOT NULL,
    seq int NOT NULL DEFAULT 0,
    next_at timestamptz,
    sent_at timestamptz,
    outstanding uuid,
    log_seq int NOT NULL DEFAULT 0,
    log_at timestamptz,
    log_open int[] NOT NULL DEFAULT '{}',
    log_acknowledged int[] NOT NULL DEFAULT '{}',
    log_resolved int[] NOT NULL DEFAULT '{}',
    log_severity smallint NOT NULL DEFAULT 0,
    closed_at timestamptz
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX notice_groups_open ON notice_groups (key, channel) WHERE closed_at IS NULL;
CREATE INDEX notice_groups_due ON notice_groups (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notice_groups_closed ON notice_groups (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE group_members (
    group_id int NOT NULL REFERENCES notice_groups ON DELETE CASCADE,
    alert_id int NOT NULL REFERENCES alerts ON DELETE CASCADE,
    PRIMARY KEY (group_id, alert_id)
);
CREATE INDEX group_members_by_alert ON group_members (alert_id);

CREATE TABLE group_messages (
    id uuid PRIMARY KEY REFERENCES outbox ON DELETE CASCADE,
    group_id int NOT NULL REFERENCES notice_groups ON DELETE CASCADE,
    seq int NOT NULL,
    open int[] NOT NULL,
    acknowledged int[] NOT NULL,
    resolved int[] NOT NULL,
    severity smallint NOT NULL
);
CREATE INDEX group_messages_by_group ON group_messages (group_id);

CREATE TABLE watchdog (
    node_id int PRIMARY KEY REFERENCES nodes ON DELETE CASCADE,
    outside boolean NOT NULL,
    passed boolean NOT NULL,
    findings text[] NOT NULL,
    at timestamptz NOT NULL
) WITH (fillfactor = 50);
"""


def upgrade() -> None:
    """Add the columns, indexes and tables."""
    for statements in (OUTBOX, ALERTS, WISHES, GROUPS):
        op.execute(statements)
