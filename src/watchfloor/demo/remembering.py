"""Writes the past of the demo into its own database, before an engine or a console looks at it.

Single results of the last hour, minutes of the last day, hours of five weeks; what is coarser is rolled up by the
store itself. Of faults the spans, the incidents and the alerts that are over; of jobs the
runs of the last hours. Every statement makes a whole table: it is done within a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from watchfloor.config.model import Configuration
from watchfloor.demo.past import DAY, DAYS, FIGURES, HABITS, HOUR, MINUTE, Fault, faults, spans
from watchfloor.demo.script import between
from watchfloor.domain import spark
from watchfloor.domain.alert import EventKind
from watchfloor.domain.outcome import Status
from watchfloor.engine import definitions
from watchfloor.store.database import Connection, Database, fetch_all, fetch_value
from watchfloor.store.jobs import apply_jobs
from watchfloor.store.partitions import FACTS, ensure_days
from watchfloor.store.rollups import GRAINS, move_watermark, roll
from watchfloor.store.rules import apply_channels, apply_rules
from watchfloor.store.schema import ensure_schema
from watchfloor.store.services import apply_definitions

IN_FULL = timedelta(minutes=70)
BY_MINUTE = timedelta(hours=26)
NODE = 1
"""The demo's own node, which is the first of its database."""
RULE = "service is not ok"


async def remember(dsn: str, configuration: Configuration, seed: int) -> None:
    """Put the definitions of the demo and its past into an empty database."""
    database = Database(dsn, name="demo past", size=1)
    try:
        await ensure_schema(database)
        async with database.transaction() as connection:
            now: datetime = await fetch_value(
                connection, "SELECT date_trunc('milliseconds', clock_timestamp())"
            )
            await _define(connection, configuration, now)
            happened = faults(seed, now)
            await _rooms(connection, now)
            await _stand(connection, happened, now, seed)
            await _measure(connection, now, seed)
            await _alert(connection, happened)
            await _run(connection, now)
    finally:
        await database.close()


async def _define(connection: Connection, configuration: Configuration, now: datetime) -> None:
    """What the engine will find unchanged, as old as the past is."""
    began = now - DAY * DAYS
    await apply_definitions(connection, definitions.services(configuration))
    await apply_channels(connection, definitions.channels(configuration))
    await apply_jobs(connection, definitions.jobs(configuration), now, configuration.calendars)
    told = [channel.name for channel in configuration.channels if channel.enabled]
    await apply_rules(connection, definitions.rules(configuration), told)
    await connection.execute("UPDATE services SET created_at = %(began)s", {"began": began})
    await connection.execute(
        "DELETE FROM service_versions WHERE began > (SELECT min(began) FROM service_versions)"
    )
    await connection.execute("UPDATE service_versions SET began = %(began)s", {"began": began})


async def _rooms(connection: Connection, now: datetime) -> None:
    """The partitions that the past lies in."""
    days = [(now - DAY * n).date() for n in range(DAYS + 1)]
    months = sorted({day.replace(day=1) for day in days})
    for table in FACTS:
        if table.endswith(("_1h", "_1d")):
            await ensure_days(connection, table, months)
        else:
            await ensure_days(connection, table, days[: BY_MINUTE.days + 2])


_SPANS = """
INSERT INTO state_spans (service_id, began, ended, state)
SELECT s.id, v.began, v.ended, v.state
FROM unnest(%(names)s::text[], %(began)s::timestamptz[], %(ended)s::timestamptz[], %(states)s::text[])
    AS v(name, began, ended, state) JOIN services s USING (name)
"""

_INCIDENTS = """
INSERT INTO incidents (service_id, opened_at, confirmed_at, closed_at, worst, cause)
SELECT s.id, v.began, v.began + interval '4 s', v.ended, v.status, v.cause
FROM unnest(%(names)s::text[], %(began)s::timestamptz[], %(ended)s::timestamptz[], %(status)s::smallint[],
    %(causes)s::text[]) AS v(name, began, ended, status, cause) JOIN services s USING (name)
ORDER BY v.began
"""

_TIMELINES = """
INSERT INTO incident_events (incident_id, seq, at, kind, actor, data)
SELECT id, 0, confirmed_at, CASE worst WHEN 2 THEN 'failing' ELSE 'degraded' END, 'watchfloor',
    jsonb_build_object('cause', cause, 'since', opened_at) FROM incidents
UNION ALL
SELECT id, 1, closed_at + interval '4 s', 'recovered', 'watchfloor', jsonb_build_object('cause', '', 'since', closed_at)
FROM incidents WHERE closed_at IS NOT NULL
"""

_STATES = """
UPDATE service_state t SET status = v.status, hard = v.status, since = p.began, ok_streak = 9,
    first_bad = CASE WHEN v.status <> 0 THEN p.began END, last_started = %(now)s - interval '1 s', last_ended = %(now)s,
    latency_us = v.latency_us, summary = v.summary, recent = v.recent
FROM unnest(%(names)s::text[], %(status)s::smallint[], %(latency_us)s::bigint[], %(summaries)s::text[],
    %(recent)s::bytea[]) AS v(name, status, latency_us, summary, recent)
JOIN services s USING (name) JOIN state_spans p ON p.service_id = s.id AND p.ended IS NULL
WHERE t.service_id = s.id
"""


async def _stand(connection: Connection, happened: Sequence[Fault], now: datetime, seed: int) -> None:
    """Spans, incidents with their timelines, and how every service stands."""
    lived = spans(happened, now - DAY * DAYS)
    await connection.execute(
        _SPANS,
        {
            "names": [each.service for each in lived],
            "began": [each.began for each in lived],
            "ended": [each.ended for each in lived],
            "states": [each.state for each in lived],
        },
    )
    await connection.execute(
        _INCIDENTS,
        {
            "names": [each.service for each in happened],
            "began": [each.began for each in happened],
            "ended": [each.ended for each in happened],
            "status": [int(each.status) for each in happened],
            "causes": [each.cause for each in happened],
        },
    )
    await connection.execute(_TIMELINES)
    on = {each.service: each for each in happened if each.ended is None}
    rows = [(name, *_latest(name, on.get(name), seed)) for name in HABITS]
    await connection.execute(
        _STATES,
        {
            "now": now,
            "names": [row[0] for row in rows],
            "status": [row[1] for row in rows],
            "latency_us": [row[2] for row in rows],
            "summaries": [row[3] for row in rows],
            "recent": [row[4] for row in rows],
        },
    )


def _latest(name: str, fault: Fault | None, seed: int) -> tuple[int, int | None, str, bytes]:
    """The status of a service now, its latest latency (µs), what it said, and its latest results as a sparkline."""
    calm = HABITS[name].calm_ms
    status = Status.OK if fault is None else fault.status
    course = [
        None if calm is None else calm * between(0.9, 1.35, f"{seed}/{name}/latest/{n}") / 1000
        for n in range(48)
    ]
    recent = bytes(spark.encode(status, each) for each in course)
    latest = None if course[-1] is None or status is Status.FAILING else int(course[-1] * 1e6)
    return int(status), latest, "" if fault is None else fault.cause, recent


_COURSE = """
    {base} * (1 + {busy} * (0.5 - 0.5 * cos((extract(hour FROM {at}) + extract(minute FROM {at}) / 60 - 2) * pi() / 12))
    * CASE WHEN extract(isodow FROM {at}) > 5 THEN 0.4 ELSE 1 END)
    * (0.88 + 0.3 * (hashtextextended(s.name || extract(epoch FROM {at}), %(seed)s) & 65535) / 65535.0)
"""
"""What a service takes at a moment (ms): low at two in the night, high at two in the afternoon, less at weekends."""

_PHASES = "CASE WHEN kind = 'http' THEN ARRAY[NULL, us * 0.08, NULL, us * 0.86, us * 0.06]::{type}[] END"

_RESULTS = """
INSERT INTO check_results (service_id, took_us, ts, node_id, status, latency_us, lag_us, phases, summary)
SELECT id, us, at, %(node)s, coalesce(status, 0), us, 400, {phases}, CASE WHEN status > 0 THEN cause END
FROM (
    SELECT s.id, s.kind, h.cause, at, (1000 * {course})::int AS us, (
        SELECT CASE p.state WHEN 'down' THEN 2 WHEN 'degraded' THEN 1 ELSE 0 END FROM state_spans p
        WHERE p.service_id = s.id AND p.began <= at AND (p.ended IS NULL OR p.ended > at)) AS status
    FROM services s JOIN unnest(%(names)s::text[], %(calm)s::float8[], %(busy)s::float8[], %(causes)s::text[])
        AS h(name, calm, busy, cause) USING (name)
    CROSS JOIN LATERAL generate_series(%(start)s::timestamptz, %(now)s::timestamptz - interval '1 s',
        s.every_ms * interval '1 ms') AS at OFFSET 0  -- what a check took is computed once
) x
"""

_BUCKETS = """
INSERT INTO {table} (service_id, n, ts, degraded, failing, unknown, measured, total_us, least_us, most_us, hist,
    phases_us)
SELECT id, n, at, CASE state WHEN 'degraded' THEN bad ELSE 0 END, n - good, 0, good,
    CASE WHEN good > 0 THEN us * good END, CASE WHEN good > 0 THEN us * 0.8 END, CASE WHEN good > 0 THEN us * 2.1 END,
    CASE WHEN good > 0 THEN ARRAY[(b - 3) * 1048576 + good - good / 3, (b + 5) * 1048576 + 1 + good / 3,
        (b + 16) * 1048576 + 1 + good / 25] END, {phases}
FROM (
    SELECT *, CASE state WHEN 'down' THEN n - bad ELSE n END AS good, histogram_bucket(us) AS b FROM (
        SELECT s.id, s.kind, at, f.state, f.bad, (%(step)s * 1000 / s.every_ms)::int AS n, 1000 * {course} AS us
        FROM services s JOIN unnest(%(names)s::text[], %(calm)s::float8[], %(busy)s::float8[]) AS h(name, calm, busy)
            USING (name)
        CROSS JOIN LATERAL generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 s',
            %(step)s * interval '1 s') AS at
        LEFT JOIN LATERAL (
            SELECT max(state) AS state, least((%(step)s * 1000 / s.every_ms)::int, (sum(extract(epoch FROM
                least(coalesce(ended, 'infinity'), at + %(step)s * interval '1 s') - greatest(began, at))) * 1000
                / s.every_ms)::int) AS bad
            FROM state_spans p WHERE p.service_id = s.id AND p.state <> 'up'
                AND p.began < at + %(step)s * interval '1 s' AND (p.ended IS NULL OR p.ended > at)
        ) f ON true OFFSET 0
    ) y OFFSET 0
) x
"""

_VALUES = """
SELECT s.id AS service_id, r.id AS series_id, at AS ts, h.middle
    + h.swing * (0.5 - cos((extract(hour FROM at) + extract(minute FROM at) / 60 - 2) * pi() / 12))
    + h.swing * 0.3 * ((hashtextextended(h.series || extract(epoch FROM at), %(seed)s) & 65535) / 65535.0 - 0.5)
    + h.rising * extract(epoch FROM at - %(now)s) / 86400 AS v
FROM unnest(%(names)s::text[], %(series)s::text[], %(middle)s::float8[], %(swing)s::float8[], %(rising)s::float8[])
    AS h(name, series, middle, swing, rising)
JOIN services s USING (name) JOIN series r ON r.name = h.series
CROSS JOIN generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 s', %(step)s * interval '1 s') at
"""

_FIGURES = "INSERT INTO metric_raw (service_id, series_id, ts, v) " + _VALUES

_FIGURES_OF = """
INSERT INTO {table} (service_id, series_id, ts, n, total, least, most, last, hist)
SELECT service_id, series_id, ts, n, n * v, v * 0.94, v * 1.07, v,
    ARRAY[b * 1048576 + n / 2, (b + 2) * 1048576 + n - n / 2]
FROM (SELECT *, histogram_bucket(v) AS b FROM ({values} OFFSET 0) y OFFSET 0) x
CROSS JOIN (SELECT greatest(2, %(step)s::int / 5) AS n) m
"""


async def _measure(connection: Connection, now: datetime, seed: int) -> None:
    """Results and figures, each in the grain that is kept of its age, and the marks up to where they are rolled up."""
    minute, hour = now.replace(second=0, microsecond=0), now.replace(minute=0, second=0, microsecond=0)
    midnight = hour.replace(hour=0)
    rolled = minute - 3 * MINUTE
    full, day_ago, began = minute - IN_FULL, hour - BY_MINUTE, midnight - DAY * (DAYS - 1)
    course = _COURSE.format(base="h.calm", busy="h.busy", at="at")
    timed = [(name, each) for name, each in HABITS.items() if each.calm_ms is not None]
    asked = {
        "names": [name for name, _ in timed],
        "calm": [float(each.calm_ms or 0) for _, each in timed],
        "busy": [float(each.busy) for _, each in timed],
        "causes": [each.cause for _, each in timed],
    }
    figures = {
        "names": [name for name, _ in FIGURES],
        "series": [series for _, series in FIGURES],
        "middle": [float(each.middle) for each in FIGURES.values()],
        "swing": [float(each.swing) for each in FIGURES.values()],
        "rising": [float(each.rising) for each in FIGURES.values()],
    }
    await connection.execute(
        "INSERT INTO series (name) SELECT DISTINCT unnest(%(series)s::text[]) ON CONFLICT DO NOTHING", figures
    )
    always = {"now": now, "node": NODE, "seed": seed}
    await connection.execute(
        _RESULTS.format(course=course, phases=_PHASES.format(type="int")),
        asked | always | {"start": full},
    )
    await connection.execute(_FIGURES, figures | always | {"start": full, "end": now, "step": 5})
    for grain, start, end, step in (("1m", day_ago, rolled, 60), ("1h", began, day_ago, 3600)):
        part = always | {"start": start, "end": end, "step": step}
        phases = _PHASES.format(type="real") if grain == "1h" else "NULL"
        table = _BUCKETS.format(table=f"result_{grain}", course=course, phases=phases)
        await connection.execute(table, asked | part)
        await connection.execute(_FIGURES_OF.format(table=f"metric_{grain}", values=_VALUES), figures | part)
    ids = [row.id for row in await fetch_all(connection, "SELECT id FROM services ORDER BY id")]
    for coarser, start, end in ((GRAINS[1], day_ago, hour - HOUR), (GRAINS[2], began, midnight - DAY)):
        await roll(connection, coarser, ids, start, end)
        await move_watermark(connection, coarser.name, end)
    await move_watermark(connection, GRAINS[0].name, rolled)
    await move_watermark(connection, "pack", hour)


_ALERTS = """
INSERT INTO alerts (uuid, subject, fingerprint, rule_id, service_id, incident_id, state, severity, title, summary,
    labels, active_at, fire_at, fired_at, acked_by, note, ended_at, resolved_at, seq, changed_at)
SELECT v.uuid, 'service/' || s.id, 'service/' || s.id || '/' || r.id, r.id, s.id, i.id,
    CASE WHEN v.ended IS NULL THEN 'acknowledged' ELSE 'resolved' END,
    CASE v.status WHEN 2 THEN 2 ELSE 1 END, s.name || CASE v.status WHEN 2 THEN ' is failing' ELSE ' is degraded' END,
    v.cause, jsonb_build_object('service', s.name, 'kind', s.kind, 'group', s.group_name, 'since', v.began),
    i.confirmed_at, i.confirmed_at, i.confirmed_at, v.person, v.note, v.ended, v.ended,
    2 + (v.person <> '')::int + (v.ended IS NOT NULL)::int, coalesce(v.ended, v.began)
FROM unnest(%(uuids)s::uuid[], %(names)s::text[], %(began)s::timestamptz[], %(ended)s::timestamptz[],
    %(status)s::smallint[], %(causes)s::text[], %(persons)s::text[], %(notes)s::text[])
    AS v(uuid, name, began, ended, status, cause, person, note)
JOIN services s USING (name) JOIN rules r ON r.name = %(rule)s
JOIN incidents i ON i.service_id = s.id AND i.opened_at = v.began
ORDER BY v.began
"""

_EVENTS = """
INSERT INTO alert_events (alert_id, seq, at, kind, actor, note, data, title)
SELECT a.id, row_number() OVER (PARTITION BY a.id ORDER BY v.n) - 1, v.at, v.kind, v.actor, v.note, '{}', a.title
FROM unnest(%(uuids)s::uuid[], %(at)s::timestamptz[], %(kinds)s::text[], %(actors)s::text[], %(notes)s::text[])
    WITH ORDINALITY AS v(uuid, at, kind, actor, note, n) JOIN alerts a USING (uuid)
"""


async def _alert(connection: Connection, happened: Sequence[Fault]) -> None:
    """The alerts of all that happened, most of them over, each with its history."""
    uuids = [str(uuid4()) for _ in happened]
    await connection.execute(
        _ALERTS,
        {
            "rule": RULE,
            "uuids": uuids,
            "names": [each.service for each in happened],
            "began": [each.began for each in happened],
            "ended": [each.ended for each in happened],
            "status": [int(each.status) for each in happened],
            "causes": [each.cause for each in happened],
            "persons": [each.person for each in happened],
            "notes": [each.note for each in happened],
        },
    )
    events = [(uuid, *event) for uuid, fault in zip(uuids, happened, strict=True) for event in _told(fault)]
    columns = zip(*events, strict=True)
    await connection.execute(
        _EVENTS, dict(zip(("uuids", "at", "kinds", "actors", "notes"), map(list, columns), strict=True))
    )


def _told(fault: Fault) -> list[tuple[datetime, str, str, str]]:
    """What happened to the alert of a fault: when, what, by whom, and the words."""
    fired, system = fault.began + timedelta(seconds=4), "watchfloor"
    events = [(fired, str(EventKind.RAISED), system, ""), (fired, str(EventKind.FIRED), system, "")]
    if fault.person:
        events.append((fired + fault.after, str(EventKind.ACKNOWLEDGED), fault.person, fault.note))
    if fault.ended is not None:
        events.append((fault.ended, str(EventKind.RESOLVED), system, ""))
    return events


_RUNS = """
INSERT INTO runs (uuid, job_id, schedule_id, fire_key, origin, state, scheduled_for, available_at, priority, capped,
    attempt, used, created_at, started_at, finished_at, exit_code, lane)
SELECT gen_random_uuid(), j.id, c.id, 'past:' || c.id || ':' || extract(epoch FROM at), 'schedule', 'succeeded', at, at,
    j.priority, false, 1, 1, at, at + interval '3 ms', at + interval '3 ms' + v.takes * interval '1 s'
    * (0.94 + 0.2 * (hashtextextended(j.name || extract(epoch FROM at), 0) & 255) / 255.0), 0, j.lane
FROM unnest(%(names)s::text[], %(every)s::interval[], %(count)s::int[], %(last)s::timestamptz[], %(takes)s::float8[])
    AS v(name, every, count, last, takes)
JOIN jobs j USING (name) JOIN schedules c ON c.job_id = j.id
CROSS JOIN LATERAL generate_series(v.last - (v.count - 1) * v.every, v.last, v.every) AS at
ORDER BY at
"""


async def _run(connection: Connection, now: datetime) -> None:
    """The latest runs of the jobs that have a schedule."""
    night = now.replace(hour=1, minute=30, second=0, microsecond=0)
    night -= DAY if night > now - HOUR else timedelta()
    past = (
        ("export orders", timedelta(seconds=30), 60, now - timedelta(seconds=30), 5.6),
        ("refresh prices", timedelta(seconds=20), 60, now - timedelta(seconds=20), 1.0),
        ("watch the mailbox", MINUTE, 30, now - 2 * MINUTE, 55.0),
        ("balance ledger", timedelta(seconds=45), 40, now - HOUR, 0.2),
        ("nightly backup", DAY, 14, night, 194.0),
    )
    names = ("names", "every", "count", "last", "takes")
    await connection.execute(_RUNS, dict(zip(names, map(list, zip(*past, strict=True)), strict=True)))
