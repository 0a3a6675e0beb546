"""History: packed results, roll-ups minute, hour and day, uptime by day, objectives, changes of certificates.

A histogram is an ``int[]`` of ``bucket * 2^20 + count``, ascending; `watchfloor.domain.histogram` says what a
bucket is, and ``histogram_bucket`` here is the same arithmetic. Roll-ups are recomputable: whoever rebuilds a bucket
overwrites it.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

PACKED = """
CREATE TABLE check_packed (
    service_id int NOT NULL,
    step_ms int NOT NULL,
    ts timestamptz NOT NULL,
    first timestamptz NOT NULL,
    codes bytea NOT NULL,
    gaps bytea NOT NULL,
    notes jsonb,
    PRIMARY KEY (service_id, ts)
) PARTITION BY RANGE (ts);
"""

BUCKET = """
CREATE FUNCTION histogram_bucket(v float8) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(v) < 1e-9 THEN 0
        ELSE (sign(v) * least(1 + greatest(0, ceil((ln(abs(v)) - ln(1e-9::float8)) / ln(1.04::float8))), 2047))::int END
$$;
"""

RESULTS = """
CREATE TABLE result_{grain} (
    service_id int NOT NULL,
    n int NOT NULL,
    ts timestamptz NOT NULL,
    degraded int NOT NULL,
    failing int NOT NULL,
    unknown int NOT NULL,
    measured int NOT NULL,
    total_us float8,
    least_us float8,
    most_us float8,
    hist int[],
    phases_us real[],
    PRIMARY KEY (service_id, ts)
) PARTITION BY RANGE (ts);
"""

METRICS = """
CREATE TABLE metric_{grain} (
    service_id int NOT NULL,
    series_id int NOT NULL,
    ts timestamptz NOT NULL,
    n int NOT NULL,
    total float8 NOT NULL,
    least float8 NOT NULL,
    most float8 NOT NULL,
    last float8 NOT NULL,
    hist int[] NOT NULL,
    PRIMARY KEY (service_id, series_id, ts)
) PARTITION BY RANGE (ts);
"""

PROGRESS = """
CREATE TABLE rollups (
    name text PRIMARY KEY,
    until timestamptz NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE TABLE rollup_late (
    service_id int NOT NULL,
    hour timestamptz NOT NULL,
    PRIMARY KEY (service_id, hour)
) WITH (fillfactor = 80);
"""

UPTIME = """
CREATE TABLE uptime_1d (
    service_id int NOT NULL,
    ts timestamptz NOT NULL,
    up_us bigint NOT NULL,
    degraded_us bigint NOT NULL,
    down_us bigint NOT NULL,
    unreachable_us bigint NOT NULL,
    planned_us bigint NOT NULL,
    state text,
    PRIMARY KEY (service_id, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX uptime_1d_by_day ON uptime_1d USING brin (ts) WITH (pages_per_range = 16);
CREATE INDEX state_spans_began ON state_spans (began);

CREATE TABLE uptime_late (
    service_id int PRIMARY KEY,
    since timestamptz NOT NULL
) WITH (fillfactor = 80);

CREATE FUNCTION keep_uptime_late() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE  -- whatever lies before today may have been added up already, or be just now
    done timestamptz := date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO uptime_late AS l SELECT service_id, min(began) FROM fresh WHERE began < done GROUP BY 1
        ON CONFLICT (service_id) DO UPDATE SET since = least(l.since, EXCLUDED.since);
    ELSE
        INSERT INTO uptime_late AS l
        SELECT f.service_id, min(least(f.ended, o.ended)) FROM fresh f JOIN old o USING (service_id, began)
        WHERE least(f.ended, o.ended) < done AND f.ended IS DISTINCT FROM o.ended GROUP BY 1
        ON CONFLICT (service_id) DO UPDATE SET since = least(l.since, EXCLUDED.since);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER spans_begun AFTER INSERT ON state_spans REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION keep_uptime_late();
CREATE TRIGGER spans_changed AFTER UPDATE ON state_spans REFERENCING NEW TABLE AS fresh OLD TABLE AS old
    FOR EACH STATEMENT EXECUTE FUNCTION keep_uptime_late();
"""

OBJECTIVES = """
CREATE TABLE objectives (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    target float8 NOT NULL CHECK (target > 0 AND target < 1),
    window_ms bigint NOT NULL CHECK (window_ms > 0),
    selector jsonb NOT NULL,
    planned_counts boolean NOT NULL,
    unreachable_counts boolean NOT NULL,
    owner text NOT NULL CHECK (owner IN ('file', 'console', 'system')),
    origin text NOT NULL,
    position int NOT NULL,
    retired_at timestamptz
);
"""

CERTIFICATES = """
CREATE TABLE certificate_changes (
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    at timestamptz NOT NULL,
    fingerprint text NOT NULL,
    PRIMARY KEY (service_id, at)
);
"""


def upgrade() -> None:
    """Create the tables of history."""
    op.execute(PACKED)
    op.execute(BUCKET)
    for grain in ("1m", "1h", "1d"):
        op.execute(RESULTS.format(grain=grain))
        op.execute(METRICS.format(grain=grain))
    for area in (PROGRESS, UPTIME, OBJECTIVES, CERTIFICATES):
        op.execute(area)
