"""Foundation: nodes, services, results, incidents, alerts, logs, settings, audit.

Fact tables are append-only, range-partitioned by day, without DEFAULT partition, foreign keys or sequences;
their key is (owner, time, ...). Small mutable tables are plain with a low fillfactor for HOT updates.
"""

from alembic import op

revision = "0001"
down_revision = None

NODES = """
CREATE TABLE nodes (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    machine text NOT NULL,
    pid int NOT NULL,
    version text NOT NULL,
    environment text NOT NULL,
    tags text[] NOT NULL,
    state text NOT NULL CHECK (state IN ('starting', 'running', 'stopping', 'stopped', 'error')),
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    stopped_at timestamptz,
    error text NOT NULL DEFAULT '',
    config jsonb NOT NULL DEFAULT '{}',
    stats jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 80);

CREATE TABLE component_health (
    node_id int NOT NULL REFERENCES nodes ON DELETE CASCADE,
    component text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'restarting', 'stuck', 'stopped')),
    beat_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    restarts int NOT NULL,
    last_error text NOT NULL,
    PRIMARY KEY (node_id, component)
) WITH (fillfactor = 80);

CREATE TABLE task_runs (
    node_id int NOT NULL,
    started_at timestamptz NOT NULL,
    task text NOT NULL,
    duration_ms int NOT NULL,
    outcome text NOT NULL,
    error text NOT NULL,
    next_run_at timestamptz,
    PRIMARY KEY (node_id, started_at, task)
) PARTITION BY RANGE (started_at);
"""

HEALTH = """
CREATE TABLE services (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE,
    name text NOT NULL UNIQUE,
    kind text NOT NULL,
    settings jsonb NOT NULL,
    every_ms int NOT NULL CHECK (every_ms >= 100),
    retry_every_ms int NOT NULL CHECK (retry_every_ms >= 100),
    timeout_ms int NOT NULL CHECK (timeout_ms >= 1),
    max_attempts smallint NOT NULL CHECK (max_attempts >= 1),
    recover_attempts smallint NOT NULL CHECK (recover_attempts >= 1),
    group_name text NOT NULL,
    tags text[] NOT NULL,
    description text NOT NULL,
    runbook text NOT NULL,
    depends_on text[] NOT NULL DEFAULT '{}',
    owner text NOT NULL CHECK (owner IN ('file', 'console', 'system')),
    origin text NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    paused_by_file boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    version int NOT NULL DEFAULT 1
);

CREATE TABLE service_versions (
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    began timestamptz NOT NULL,
    kind text NOT NULL,
    group_name text NOT NULL,
    tags text[] NOT NULL,
    every_ms int NOT NULL,
    max_attempts smallint NOT NULL,
    paused boolean NOT NULL,
    retired boolean NOT NULL,
    PRIMARY KEY (service_id, began)
);

CREATE FUNCTION keep_service_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO service_versions
    SELECT id, clock_timestamp(), kind, group_name, tags, every_ms, max_attempts, paused, retired_at IS NOT NULL
    FROM fresh;
    RETURN NULL;
END $$;
CREATE TRIGGER services_added AFTER INSERT ON services REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION keep_service_versions();
CREATE TRIGGER services_changed AFTER UPDATE ON services REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION keep_service_versions();

CREATE TABLE service_state (
    service_id int PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    status smallint,
    hard smallint,
    soft boolean NOT NULL DEFAULT false,
    attempt smallint NOT NULL DEFAULT 0,
    ok_streak int NOT NULL DEFAULT 0,
    since timestamptz,
    first_bad timestamptz,
    first_ok timestamptz,
    last_started timestamptz,
    last_ended timestamptz,
    latency_us bigint,
    summary text NOT NULL DEFAULT '',
    recent bytea NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE service_facts (
    service_id int PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    at timestamptz NOT NULL,
    facts jsonb NOT NULL,
    metrics jsonb NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE check_requests (
    service_id int PRIMARY KEY REFERENCES services ON DELETE CASCADE,
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE check_results (
    service_id int NOT NULL,
    took_us int NOT NULL,
    ts timestamptz NOT NULL,
    node_id int NOT NULL,
    status smallint NOT NULL,
    latency_us bigint,
    lag_us bigint NOT NULL,
    phases int[],
    summary text,
    PRIMARY KEY (service_id, ts)
) PARTITION BY RANGE (ts);

CREATE TABLE series (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE metric_raw (
    service_id int NOT NULL,
    series_id int NOT NULL,
    ts timestamptz NOT NULL,
    v float8 NOT NULL,
    PRIMARY KEY (service_id, series_id, ts)
) PARTITION BY RANGE (ts);

CREATE TABLE state_spans (
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    began timestamptz NOT NULL,
    ended timestamptz,
    state text NOT NULL CHECK (state IN ('up', 'degraded', 'down', 'unreachable', 'planned', 'unknown')),
    PRIMARY KEY (service_id, began),
    CHECK (ended >= began)
);
CREATE UNIQUE INDEX state_spans_open ON state_spans (service_id) WHERE ended IS NULL;
CREATE INDEX state_spans_ended ON state_spans (ended);

CREATE TABLE incidents (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    opened_at timestamptz NOT NULL,
    confirmed_at timestamptz NOT NULL,
    closed_at timestamptz,
    worst smallint NOT NULL,
    cause text NOT NULL,
    previous_id int REFERENCES incidents ON DELETE SET NULL
);
CREATE UNIQUE INDEX incidents_open ON incidents (service_id) WHERE closed_at IS NULL;
CREATE INDEX incidents_by_service ON incidents (service_id, opened_at DESC);
CREATE INDEX incidents_by_previous ON incidents (previous_id);

CREATE TABLE incident_events (
    incident_id int NOT NULL REFERENCES incidents ON DELETE CASCADE,
    seq int NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (incident_id, seq)
);

CREATE TABLE certificates (
    service_id int NOT NULL REFERENCES services ON DELETE CASCADE,
    fingerprint text NOT NULL,
    subject text NOT NULL,
    issuer text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    detail jsonb NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    PRIMARY KEY (service_id, fingerprint)
) WITH (fillfactor = 80);
"""

ALERTS = """
CREATE TABLE channels (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind text NOT NULL,
    settings jsonb NOT NULL,
    enabled boolean NOT NULL,
    owner text NOT NULL CHECK (owner IN ('file', 'console', 'system')),
    origin text NOT NULL,
    retired_at timestamptz
);

CREATE TABLE rules (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    selector jsonb NOT NULL,
    for_ms bigint NOT NULL CHECK (for_ms >= 0),
    severity smallint,
    channels text[] NOT NULL,
    enabled boolean NOT NULL,
    position int NOT NULL,
    owner text NOT NULL CHECK (owner IN ('file', 'console', 'system')),
    origin text NOT NULL,
    retired_at timestamptz
);

CREATE TABLE alerts (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE,
    subject text NOT NULL,
    fingerprint text NOT NULL,
    rule_id int NOT NULL REFERENCES rules,
    service_id int REFERENCES services ON DELETE CASCADE,
    incident_id int REFERENCES incidents ON DELETE SET NULL,
    state text NOT NULL CHECK (state IN ('pending', 'firing', 'acknowledged', 'resolved')),
    severity smallint NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    labels jsonb NOT NULL,
    active_at timestamptz NOT NULL,
    fire_at timestamptz NOT NULL,
    fired_at timestamptz,
    acked_by text NOT NULL DEFAULT '',
    acked_until timestamptz,
    sticky boolean NOT NULL DEFAULT false,
    note text NOT NULL DEFAULT '',
    ended_at timestamptz,
    resolved_at timestamptz,
    reopen_count int NOT NULL DEFAULT 0,
    held boolean NOT NULL DEFAULT false,
    suppressed text[] NOT NULL DEFAULT '{}',
    seq int NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX alerts_open ON alerts (fingerprint) WHERE state <> 'resolved' OR held;
CREATE INDEX alerts_live ON alerts (state) WHERE state <> 'resolved';
CREATE INDEX alerts_by_subject ON alerts (subject, id DESC);
CREATE INDEX alerts_by_service ON alerts (service_id, id DESC);
CREATE INDEX alerts_by_incident ON alerts (incident_id);
CREATE INDEX alerts_by_change ON alerts (changed_at);
CREATE INDEX alerts_resolved ON alerts (resolved_at, id) WHERE state = 'resolved';

CREATE TABLE alert_events (
    alert_id int NOT NULL REFERENCES alerts ON DELETE CASCADE,
    seq int NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    note text NOT NULL,
    data jsonb NOT NULL,
    title text NOT NULL,
    PRIMARY KEY (alert_id, seq)
);

CREATE FUNCTION alert_events_are_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN  -- goes with its alert
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the history of an alert is never changed';
END $$;
CREATE TRIGGER alert_events_immutable BEFORE UPDATE OR DELETE ON alert_events
    FOR EACH ROW EXECUTE FUNCTION alert_events_are_immutable();

CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    alert_id int REFERENCES alerts ON DELETE CASCADE,
    seq int NOT NULL,
    channel text NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    rendered bytea,
    created_at timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    attempt int NOT NULL DEFAULT 0,
    lease_until timestamptz,
    leased_by int,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'leased', 'delivered', 'dead', 'cancelled')),
    delivered_at timestamptz,
    last_error text NOT NULL DEFAULT '',
    UNIQUE (alert_id, seq, channel)
) WITH (fillfactor = 80);
CREATE INDEX outbox_due ON outbox (not_before) WHERE state IN ('queued', 'leased');
CREATE INDEX outbox_leased ON outbox (leased_by) WHERE state = 'leased';
CREATE INDEX outbox_by_channel ON outbox (channel, created_at);
CREATE INDEX outbox_dead ON outbox (created_at) WHERE state = 'dead';

CREATE TABLE channel_health (
    channel text PRIMARY KEY,
    failures int NOT NULL,
    opened_at timestamptz,
    probes int NOT NULL,
    probe_at timestamptz,
    last_error text NOT NULL,
    failed_at timestamptz NOT NULL
) WITH (fillfactor = 50);
"""

LOGS = """
CREATE TABLE log_channels (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE logs (
    source_id int NOT NULL,
    ts timestamptz NOT NULL,
    id bigint NOT NULL,
    sev smallint NOT NULL,
    channel_id int NOT NULL,
    msg text NOT NULL,
    attrs jsonb,
    PRIMARY KEY (source_id, ts, id)
) PARTITION BY RANGE (ts);
CREATE INDEX logs_newest ON logs (ts, id);
CREATE INDEX logs_warnings ON logs (ts, id) WHERE sev >= 13;
"""

SETTINGS = """
CREATE TABLE settings (
    key text PRIMARY KEY,
    value jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    version int NOT NULL DEFAULT 1
);

CREATE TABLE preferences (
    operator text NOT NULL,
    key text NOT NULL,
    value jsonb NOT NULL,
    PRIMARY KEY (operator, key)
);

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE INDEX audit_by_object ON audit (object_kind, object_id, id DESC);
CREATE INDEX audit_by_time ON audit (at);
"""


def upgrade() -> None:
    """Create the tables of every area."""
    for area in (NODES, HEALTH, ALERTS, LOGS, SETTINGS):
        op.execute(area)
