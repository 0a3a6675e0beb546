"""Alerts that fire and end as a test says, at the times that it says, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from support.sql import column, rows
from watchfloor.domain.alert import Suppression, condition_false, condition_true_again, raise_alert, suppress
from watchfloor.domain.severity import Severity
from watchfloor.operations.ageing import age_alerts, age_silences
from watchfloor.operations.deliveries import book_deliveries
from watchfloor.operations.grouping import tell_groups
from watchfloor.operations.transitions import carry_out
from watchfloor.store import alerts as store
from watchfloor.store import outbox, policy, rules
from watchfloor.store.alerts import ChangedAlert, NewAlert
from watchfloor.store.database import Database

HOUR = timedelta(hours=1)


@dataclass
class Floor:
    """Alerts about things, in a database, at a moment."""

    database: Database
    at: datetime

    def later(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at

    async def routes(self, *specs: dict[str, Any], inhibitions: Sequence[dict[str, Any]] = ()) -> None:
        async with self.database.transaction() as connection:
            await policy.apply_routing(connection, specs, inhibitions)

    async def fire(
        self,
        *names: str,
        rule: str = rules.BUILT_IN,
        severity: Severity = Severity.CRITICAL,
        reasons: Sequence[Suppression] = (),
        **labels: str,
    ) -> None:
        async with self.database.transaction() as connection:
            rule_id = await rules.own_rule_id(connection, rule)
            new = []
            for name in names:
                alert, events = raise_alert(severity, self.at)
                alert, more = suppress(alert, reasons, self.at)
                new.append(
                    NewAlert(
                        uuid=uuid4(),
                        subject=f"thing:{name}",
                        fingerprint=f"{name}/{rule_id}",
                        rule_id=rule_id,
                        service_id=None,
                        incident_id=None,
                        title=f"{name} is failing",
                        summary="no answer",
                        labels={"service": name, **labels},
                        fire_at=self.at,
                        alert=alert,
                        events=(*events, *more),
                    )
                )
            await carry_out(connection, new, (), self.at)

    async def change(self, step: Any, *names: str) -> None:
        async with self.database.transaction() as connection:
            found = await store.lock_by_subject(
                connection, [f"thing:{name}" for name in names], self.at - HOUR
            )
            changed = [ChangedAlert(each, *step(each.alert)) for each in found]
            await carry_out(connection, (), [each for each in changed if each.events], self.at)

    async def end(self, *names: str) -> None:
        await self.change(lambda alert: condition_false(alert, self.at), *names)

    async def again(self, *names: str) -> None:
        await self.change(lambda alert: condition_true_again(alert, self.at, 300.0), *names)

    async def ids(self, *names: str) -> list[int]:
        subjects = [f"thing:{name}" for name in names]
        return await column(
            self.database, "SELECT id FROM alerts WHERE subject = ANY(%(s)s) ORDER BY id", s=subjects
        )

    async def tick(self, seconds: float = 0) -> None:
        """Let time pass and do what the ager does."""
        self.later(seconds)
        await age_alerts(self.database, self.at)
        await age_silences(self.database, self.at, None)
        await tell_groups(self.database, self.at)

    async def deliver(self) -> list[dict[str, Any]]:
        """Deliver everything that waits, at this moment; returns what was said."""
        said: list[dict[str, Any]] = []
        while True:
            async with self.database.transaction() as connection:
                leased = await outbox.lease(connection, 500, 60.0, room=500)
                if not leased:
                    return said
                await book_deliveries(connection, leased, self.at)
            said += [
                json.loads(each.payload)
                for each in sorted(leased, key=lambda each: (each.created_at, each.id))
            ]

    async def told(self) -> list[tuple[Any, ...]]:
        """What was queued and not taken back: channel, type and reason."""
        return await rows(
            self.database,
            "SELECT channel, kind, reason FROM outbox WHERE state <> 'cancelled' ORDER BY created_at, seq, channel",
        )
