"""Of how many results the mean of each phase is: not every check reaches every phase."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the counts; empty in what was rolled up before, where every phase counted for every result."""
    for grain in ("1m", "1h", "1d"):
        op.execute(f"ALTER TABLE result_{grain} ADD COLUMN phases_n int[]")
