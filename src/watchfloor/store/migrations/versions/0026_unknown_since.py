"""Since when checks have found nothing out, so that a rule can tell of it and its wait survives a restart."""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add it; where the latest check found nothing out, that began when the time began to count as unknown."""
    op.execute("""
ALTER TABLE service_state ADD COLUMN unknown_since timestamptz;
UPDATE service_state t SET unknown_since = coalesce(
    (SELECT began FROM state_spans WHERE service_id = t.service_id AND ended IS NULL AND state = 'unknown'),
    t.last_started
) WHERE t.status = 3;
""")
