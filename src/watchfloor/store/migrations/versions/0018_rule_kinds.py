"""Rules of any kind: how each stands with each instance, kept only where that is not "all is well", and how it runs."""

from alembic import op

revision = "0018"
down_revision = "0017"

STANDINGS = """
CREATE TABLE rule_standings (
    rule_id int NOT NULL REFERENCES rules ON DELETE CASCADE,
    instance text NOT NULL,
    service_id int REFERENCES services ON DELETE CASCADE,
    since timestamptz NOT NULL,
    last_true timestamptz,
    firing boolean NOT NULL,
    PRIMARY KEY (rule_id, instance)
) WITH (fillfactor = 80);
CREATE INDEX rule_standings_by_service ON rule_standings (service_id);

CREATE TABLE rule_health (
    rule_id int PRIMARY KEY REFERENCES rules ON DELETE CASCADE,
    tried_at timestamptz NOT NULL,
    judged_at timestamptz,
    took_ms float8 NOT NULL,
    instances int NOT NULL,
    pending int NOT NULL,
    firing int NOT NULL,
    over_limit boolean NOT NULL,
    error text NOT NULL DEFAULT '',
    error_since timestamptz
) WITH (fillfactor = 50);

CREATE TABLE rule_hours (
    rule_id int NOT NULL REFERENCES rules ON DELETE CASCADE,
    hour timestamptz NOT NULL,
    evaluations int NOT NULL,
    failures int NOT NULL,
    took_ms float8 NOT NULL,
    took_most_ms float8 NOT NULL,
    firing_most int NOT NULL,
    PRIMARY KEY (rule_id, hour)
) WITH (fillfactor = 50);
CREATE INDEX rule_hours_by_hour ON rule_hours (hour);
"""

TAKEN_OVER = """
INSERT INTO rule_standings SELECT rule_id, 'service:' || service_id, service_id, since,
    CASE WHEN last_true < at THEN last_true END, firing FROM rule_series WHERE since IS NOT NULL;
INSERT INTO rule_health SELECT id, evaluated_at, evaluated_at, 0, 0, 0, 0, false, '', NULL FROM rules
    WHERE evaluated_at IS NOT NULL;
DROP TABLE rule_series;
ALTER TABLE rules DROP COLUMN evaluated_at, DROP CONSTRAINT rules_kind_check;
"""


def upgrade() -> None:
    """Make the tables and take over what stood in the old one."""
    op.execute(STANDINGS)
    op.execute(TAKEN_OVER)
