"""Rules on metrics: what they ask, when they were last evaluated, and how each stands with each service."""

from alembic import op

revision = "0017"
down_revision = "0016"

RULES = """
ALTER TABLE rules ADD COLUMN kind text NOT NULL DEFAULT 'state' CHECK (kind IN ('state', 'metric')),
    ADD COLUMN condition jsonb, ADD COLUMN evaluated_at timestamptz,
    ADD CHECK ((kind = 'state') = (condition IS NULL));
"""

STANDINGS = """
CREATE TABLE rule_series (
    rule_id int NOT NULL REFERENCES rules ON DELETE CASCADE,
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    at timestamptz NOT NULL,
    since timestamptz,
    last_true timestamptz,
    firing boolean NOT NULL,
    value float8,
    PRIMARY KEY (rule_id, service_id),
    CHECK (NOT firing OR since IS NOT NULL)
) WITH (fillfactor = 50);
CREATE INDEX rule_series_by_service ON rule_series (service_id);
"""


def upgrade() -> None:
    """Add the columns and the table."""
    op.execute(RULES)
    op.execute(STANDINGS)
