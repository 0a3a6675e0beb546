"""The work of the periodic tasks."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import cast

from psycopg.errors import LockNotAvailable

from watchfloor.engine.housekeeper import Task
from watchfloor.engine.node import Node
from watchfloor.store import retention
from watchfloor.store.health import clock
from watchfloor.store.outbox import oldest_due_s
from watchfloor.store.partitions import drop_partition, ensure_partitions, expired_partitions

log = logging.getLogger(__name__)

OUTBOX_LATE_S = 120.0

_FACT_RETENTION = {
    "check_results": "retention.check_results",
    "metric_raw": "retention.metrics",
    "logs": "retention.logs",
    "task_runs": "retention.task_runs",
    "run_logs": "retention.run_logs",
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


async def self_check(node: Node) -> None:
    """Look whether the whole path works; raises when messages stay behind."""
    async with node.database.transaction() as connection:
        age = await oldest_due_s(connection)
    if age is not None and age > OUTBOX_LATE_S:
        raise RuntimeError(f"a message has been waiting for delivery for {age:.0f} s")


TASKS = [
    Task("create partitions", partitions, 3600.0),
    Task("expire facts", expire_facts, 3600.0),
    Task("expire rows", expire_rows, 3600.0),
    Task("self-check", self_check, 60.0),
]
