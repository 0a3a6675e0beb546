"""A recorder and a warden on a database, fed by hand: results in, states, alerts and spans out. Time is given."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from support.engines import FAILING, OK, finding
from support.make import make_rules, make_services, now
from support.sql import rows
from watchfloor.domain.outcome import Outcome
from watchfloor.domain.settings import SETTINGS
from watchfloor.domain.slots import next_slot, phase
from watchfloor.engine.finding import Findings
from watchfloor.engine.node import Clock, Node
from watchfloor.engine.recorder import Recorder
from watchfloor.engine.warden import Warden, graph_of
from watchfloor.store.database import Database
from watchfloor.store.pulse import Pulse
from watchfloor.store.rules import load_rules
from watchfloor.store.services import Definition, Service

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StillClock(Clock):
    """The clock of a node, that moves only when a test says what time it is."""

    _now_ns = 0

    def measured(self, database_now: datetime, asked_ns: int, answered_ns: int) -> None:
        self._now_ns = (database_now - _EPOCH) // timedelta(microseconds=1) * 1000

    def now_ns(self) -> int:
        return self._now_ns


class StateDesk:
    """Services whose results come when a test says so; seconds count from ``began``, an hour ago."""

    def __init__(self, database: Database) -> None:
        settings = {setting.key: setting.default for setting in SETTINGS}
        self.database = database
        self.node = Node(1, "one", database, Pulse(database), settings, StillClock())
        self.queue = Findings()
        self.recorder = Recorder(self.node, self.queue, lambda *_: None)
        self.warden = Warden(self.node, self.recorder)
        self.services: dict[str, Service] = {}
        self.looked_at: list[str] = []
        self.recorder.look_at = self._look_at

    def _look_at(self, ids: Collection[int]) -> None:
        names = {service.id: name for name, service in self.services.items()}
        self.looked_at += sorted(names[each] for each in ids)

    async def watch(self, *definitions: Definition) -> None:
        """Watch exactly these."""
        if not self.services:
            await make_rules(self.database)
            self.began = await now(self.database) - timedelta(hours=1)
        self.services = await make_services(self.database, *definitions)
        by_id = {service.id: service for service in self.services.values()}
        self.recorder.graph, self.recorder.services = graph_of(by_id), by_id
        async with self.database.transaction() as connection:
            self.recorder.rules = await load_rules(connection)
        self.at(0)

    def at(self, seconds: float) -> datetime:
        """Let it be so many seconds after the beginning."""
        moment = self.began + timedelta(seconds=seconds)
        self.node.clock.measured(moment, 0, 0)
        return moment

    def slot(self, name: str, since: float) -> float:
        """The first second not before ``since`` at which a service has a slot."""
        service = self.services[name]
        interval_ns = service.every_ms * 1_000_000
        least_ns = (self.began - _EPOCH) // timedelta(microseconds=1) * 1000 + int(since * 1e9)
        slot_ns = next_slot(least_ns - 1, interval_ns, phase(str(service.uuid), interval_ns))
        return since + (slot_ns - least_ns) / 1e9

    async def results(
        self, seconds: float, failing: Iterable[str] = (), ok: Iterable[str] = (), **others: Outcome
    ) -> None:
        """Let checks that start now find something, and record it."""
        moment = self.at(seconds)
        found = {**dict.fromkeys(failing, FAILING), **dict.fromkeys(ok, OK), **others}
        for name, outcome in found.items():
            self.queue.put_nowait(finding(self.services[name].id, moment, outcome))
        self.at(seconds + 0.05)
        await self.recorder.flush()

    async def tick(self, seconds: float) -> None:
        """Let the warden look at the world."""
        self.at(seconds)
        await self.warden.once(lambda: None)

    async def alerts(self, name: str = "") -> list[Any]:
        """Service, title, state, reasons and root of each alert; of one service, or of all."""
        return await rows(
            self.database,
            "SELECT s.name, a.title, a.state, a.suppressed, r.name AS root FROM alerts a "
            "JOIN services s ON s.id = a.service_id LEFT JOIN services r ON r.id = a.root_id "
            "WHERE s.name = %(name)s OR %(name)s = '' ORDER BY a.id",
            name=name,
        )

    async def reasons(self, name: str) -> tuple[str, list[str], str | None]:
        """State, reasons and root of the only alert of a service."""
        ((_, _, state, reasons, root),) = await self.alerts(name)
        return state, reasons, root

    async def spans(self, name: str) -> list[tuple[str, float]]:
        """States of a service and from when they count, in seconds."""
        found = await rows(
            self.database,
            "SELECT state, extract(epoch FROM began - %(at)s)::float8 FROM state_spans "
            "WHERE service_id = %(id)s ORDER BY began",
            at=self.began,
            id=self.services[name].id,
        )
        return [(state, round(second, 3)) for state, second in found]
