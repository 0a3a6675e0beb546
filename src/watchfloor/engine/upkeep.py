"""The work of the periodic tasks."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import cast

from psycopg.errors import LockNotAvailable

from watchfloor.domain.durations import compact_duration
from watchfloor.domain.words import count
from watchfloor.engine.housekeeper import Task
from watchfloor.engine.node import Node
from watchfloor.operations import chain_audit
from watchfloor.store import archive, figures, retention, runs, snapshots
from watchfloor.store.health import clock
from watchfloor.store.outbox import oldest_due_s
from watchfloor.store.partitions import drop_partition, ensure_partitions, expired_partitions

log = logging.getLogger(__name__)

OUTBOX_LATE_S = 120.0
UNSERVED = timedelta(seconds=60)

_FACT_RETENTION = {
    "check_results": "retention.check_results",
    "metric_raw": "retention.metrics",
    "logs": "retention.logs",
    "task_runs": "retention.task_runs",
    "run_logs": "retention.run_logs",
    "run_archive": "retention.runs",
    "check_packed": "retention.packed",
    "result_1m": "retention.minutes",
    "metric_1m": "retention.minutes",
    "result_1h": "retention.hours",
    "metric_1h": "retention.hours",
    "result_1d": "retention.days",
    "metric_1d": "retention.days",
    "uptime_1d": "retention.spans",
}


async def partitions(node: Node) -> None:
    """Create the partitions of the coming days."""
    async with node.database.transaction() as connection:
        created = await ensure_partitions(connection, (await clock(connection)).date())
    if created:
        log.info("created %d partitions ahead", created)


async def expire_facts(node: Node) -> None:
    """Drop partitions of fact tables whose retention is over."""
    today = node.clock.now().date()
    for table, key in _FACT_RETENTION.items():
        before = today - timedelta(days=cast(int, node.settings[key]))
        async with node.database.transaction() as connection:
            expired = await expired_partitions(connection, table, before)
        for name in expired:
            try:
                await drop_partition(node.database, table, name)
                log.info("dropped %s: its retention is over", name)
            except LockNotAvailable:
                log.info("%s is in use; the next run drops it", name)
                break  # a table detaches one leaf after the other


async def expire_rows(node: Node) -> None:
    """Delete old resolved alerts with their messages, incidents, spans, runs and audit lines, in small batches."""
    now = node.clock.now()
    for name, key in retention.KEYS.items():
        before = now - timedelta(days=cast(int, node.settings[key]))
        while True:
            async with node.database.transaction() as connection:
                deleted = await retention.delete_batch(connection, name, before)
            if deleted < retention.BATCH:
                break


async def archive_runs(node: Node) -> None:
    """Move runs that ended long ago out of the way of those that go on."""
    before = node.clock.now() - timedelta(days=cast(int, node.settings["retention.runs_live"]))
    while True:
        async with node.database.transaction() as connection:
            if await archive.move_batch(connection, before) == 0:
                return


async def job_figures(node: Node) -> None:
    """Count how the runs of the last hours fared."""
    async with node.database.transaction() as connection:
        await figures.count_hours(connection, await clock(connection))


async def queue_figures(node: Node) -> None:
    """Keep how the queues stand, for the minute that has just passed."""
    async with node.database.transaction() as connection:
        now = await clock(connection)
        await figures.sample_queues(connection, now.replace(second=0, microsecond=0) - timedelta(minutes=1))


async def queue_check(node: Node) -> None:
    """Look whether anything keeps runs from being taken; raises when something does."""
    async with node.database.transaction() as connection:
        now = await clock(connection)
        stuck = [each for each in await runs.unserved(connection) if now - each.since > UNSERVED]
        held = await snapshots.old_snapshots(connection)
        dead = await snapshots.dead_rows(connection) if held else 0
    if stuck:
        first = stuck[0]
        asks = f" and the tags {', '.join(first.tags)}" if first.tags else ""
        raise RuntimeError(
            f"no node serves the queue {first.queue}{asks}: {count(first.ready, 'run')} waiting"
        )
    if held:
        oldest = held[0]
        raise RuntimeError(
            f"{oldest.holder} (pid {oldest.pid}) has held a snapshot for {compact_duration(oldest.age_s)}: the table "
            f"of runs cannot be cleaned up meanwhile, about {dead:,} dead rows slow it down"
        )


async def self_check(node: Node) -> None:
    """Look whether the whole path works; raises when messages stay behind."""
    async with node.database.transaction() as connection:
        age = await oldest_due_s(connection)
    if age is not None and age > OUTBOX_LATE_S:
        raise RuntimeError(f"a message has been waiting for delivery for {age:.0f} s")


async def escalation_audit(node: Node) -> None:
    """Look whether every step of every escalation was taken; take those that were missed, and raise to say so."""
    repaired = await chain_audit.repair(node.database, node.clock.now())
    if repaired:
        node.count("escalations_repaired", repaired)
        node.outbox_filled()
        raise RuntimeError(f"{count(repaired, 'escalation')} had stopped or were late, and go on now")


TASKS = [
    Task("create partitions", partitions, 3600.0),
    Task("expire facts", expire_facts, 3600.0),
    Task("expire rows", expire_rows, 3600.0),
    Task("archive runs", archive_runs, 3600.0),
    Task("job figures", job_figures, 300.0),
    Task("queue figures", queue_figures, 60.0),
    Task("queue check", queue_check, 60.0),
    Task("self-check", self_check, 60.0),
    Task("escalation audit", escalation_audit, 60.0),
]
