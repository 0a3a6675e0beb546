"""Rules as they were written, by whom, and which version that is; whether the file or an operator switched one off."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the columns; what the file owns is written when it is applied next."""
    op.execute("""
ALTER TABLE rules
    ADD COLUMN written jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN version int NOT NULL DEFAULT 1,
    ADD COLUMN changed_by text NOT NULL DEFAULT '',
    ADD COLUMN changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN enabled_by_file boolean;
UPDATE rules SET enabled_by_file = enabled;
ALTER TABLE rules ALTER COLUMN enabled_by_file SET NOT NULL;
""")
