"""Services as they were written, by whom, in which environment; trials of services that are not saved yet.

The indexes find what needs a service by its name, alone or in a group, among ten thousand.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

SERVICES = """
ALTER TABLE services
    ADD COLUMN environment text NOT NULL DEFAULT '',
    ADD COLUMN written jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN changed_by text NOT NULL DEFAULT '';
CREATE INDEX services_by_need ON services USING gin (depends_on) WITH (fastupdate = off) WHERE retired_at IS NULL;
CREATE INDEX services_by_any_need ON services USING gin (depends_on_any jsonb_path_ops) WITH (fastupdate = off)
    WHERE retired_at IS NULL;
"""

TRIALS = """
CREATE TABLE trials (
    id uuid PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    asked_by text NOT NULL,
    kind text NOT NULL,
    settings jsonb NOT NULL,
    timeout_ms int NOT NULL CHECK (timeout_ms >= 1),
    node_id int,
    began_at timestamptz,
    ended_at timestamptz,
    outcome jsonb
) WITH (fillfactor = 80);
CREATE INDEX trials_waiting ON trials (asked_at) WHERE node_id IS NULL;
"""


def upgrade() -> None:
    """Add the columns, the indexes and the table."""
    op.execute(SERVICES)
    op.execute(TRIALS)
