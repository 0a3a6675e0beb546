"""A small real world for random hands: a database with services, alerts, jobs, runs, logs and settings, no engine.

Small, because what keys may do does not depend on how many rows there are; real, because only the database can say
what was done.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from support.jobs import schedule
from support.make import make_alerts, make_days, make_rules, make_services
from support.sql import rows
from watchfloor.cli.desk import Desk
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.outcome import Status
from watchfloor.operations import jobs as job_operations
from watchfloor.operations.actor import Actor
from watchfloor.store import jobs, logs, results
from watchfloor.store.database import Database
from watchfloor.store.health import clock
from watchfloor.store.jobs import JobDefinition

SERVICES = ("shop checkout", "mail relay", "wiki", "orders database", "search", "sign-in")
FAILING = 4
"""So many of them fail, each with an alert that fires."""
RECORDS = 60
JOBS = ("backup", "report")
ROBIN = Actor("robin")

_STATE = {
    "alerts": "SELECT id, state FROM alerts ORDER BY id",
    "services": "SELECT id, paused, retired_at FROM services ORDER BY id",
    "settings": "SELECT key, value FROM settings ORDER BY key",
    "jobs": "SELECT id, paused, retired_at FROM jobs ORDER BY id",
    "runs": "SELECT id, state FROM runs ORDER BY id",
    "audit": "SELECT count(*) FROM audit",
}


class FuzzWorld:
    """The database, the desk of its one operator, and what can be told of both."""

    def __init__(self, dsn: str) -> None:
        self.database = Database(dsn, name="hands", size=3)
        self.desk = Desk(self._open, lambda: "fuzz", ROBIN)

    async def _open(self) -> Database:
        return self.database

    async def build(self) -> None:
        """Everything that stays."""
        made = await make_services(self.database, *SERVICES)
        await make_rules(self.database)
        async with self.database.transaction() as connection:
            now = await clock(connection)
        await make_days(self.database, now)
        async with self.database.transaction() as connection:
            await results.save_states(
                connection,
                [
                    _state(service.id, now, Status.FAILING if place < FAILING else Status.OK)
                    for place, service in enumerate(made.values())
                ],
            )
            await logs.append(
                connection,
                [
                    logs.LogRecord(
                        1, now - timedelta(seconds=n), n, 17 if n % 7 == 0 else 9, "test", f"line {n}", {}
                    )
                    for n in range(1, RECORDS)
                ],
            )
            await jobs.apply_jobs(connection, [_job(name) for name in JOBS], now)
        for name in JOBS:
            await job_operations.run_now(self.database, ROBIN, name, uuid4())
        await self.renew()

    async def renew(self) -> None:
        """Undo what hands did, else every alert would soon be resolved; and forget who looks how."""
        async with self.database.transaction() as connection:
            await connection.execute("TRUNCATE alerts, audit CASCADE")  # their rows may not be deleted
            await connection.execute("DELETE FROM settings")
            await connection.execute("UPDATE services SET paused = false")
            await connection.execute("UPDATE jobs SET paused = false")
        services = await make_services(self.database, *SERVICES)
        await make_alerts(self.database, *list(services.values())[:FAILING])

    async def state(self) -> dict[str, object]:
        """What destroying something would change."""
        return {name: await rows(self.database, statement) for name, statement in _STATE.items()}

    async def close(self) -> None:
        """Leave the database."""
        await self.database.close()


def _state(service_id: int, now: datetime, status: Status) -> results.StateRow:
    state = CheckState(status, status, since=now - timedelta(minutes=7), last_started=now)
    return results.StateRow(service_id, state, now, 1000, "no answer", b"\x01\x02\x03")


def _job(name: str) -> JobDefinition:
    return JobDefinition(
        name=name, kind="dummy", settings={}, priority=5, overlap="allow", slots=None, at_most_once=False,
        timeout_ms=1000, deadline_ms=None, retry={"only_on": [], "not_on": []}, contact="", description="", runbook="",
        origin="config.yaml:1", paused=False, schedules=(schedule(every="1h"),),
    )  # fmt: skip
