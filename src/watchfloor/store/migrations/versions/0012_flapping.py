"""When services flapped, so that the past can be shown with it."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """A span for each time a service flapped; those that flap now have just begun, as far as is known."""
    op.execute("""
CREATE TABLE flapping_spans (
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    began timestamptz NOT NULL,
    ended timestamptz CHECK (ended >= began),
    PRIMARY KEY (service_id, began)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX flapping_spans_open ON flapping_spans (service_id) WHERE ended IS NULL;
INSERT INTO flapping_spans (service_id, began) SELECT service_id, clock_timestamp() FROM service_state WHERE flapping;
""")
