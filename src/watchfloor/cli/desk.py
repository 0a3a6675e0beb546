"""The desk: boards and operations of one database, for a console or a command.

It keeps the health board between readings and asks the database only for what changed, so that ten thousand
services cost a refresh little more than the few that moved. What an operation needs is loaded by whoever carries it
out first: a console shows its first picture without.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from watchfloor.cli.exporting import write_file
from watchfloor.cli.heartbeat_desk import HeartbeatDesk
from watchfloor.cli.incident_desk import IncidentDesk
from watchfloor.cli.job_desk import JobDesk
from watchfloor.cli.maintenance_desk import MaintenanceDesk
from watchfloor.cli.oncall_desk import OnCallDesk
from watchfloor.cli.past_desk import PastDesk
from watchfloor.cli.rule_desk import RuleDesk
from watchfloor.cli.telling_desk import TellingDesk
from watchfloor.domain.alert_stats import AlertStats, alert_stats
from watchfloor.domain.boards import (
    AlertDetail,
    AlertRow,
    CertificateRow,
    ComponentRow,
    ConfigFileRow,
    HealthRow,
    Kept,
    LogRow,
    NodeRow,
    ObjectiveRow,
    ServiceDetail,
    SettingRow,
    StatusLine,
    TaskRunRow,
    UptimeRow,
)
from watchfloor.domain.channel_boards import ChannelRow, DeadLetterRow, Replayed, SaidRow
from watchfloor.domain.databases import DatabaseRow, databases
from watchfloor.domain.export import Wanted
from watchfloor.domain.history import History
from watchfloor.domain.node import NodeCourse
from watchfloor.domain.text import one_line
from watchfloor.domain.zones import zone_or_utc
from watchfloor.operations.actor import Actor, Refused
from watchfloor.store import (
    alert_rooms,
    audit,
    channels,
    health,
    logs,
    node_minutes,
    nodes,
    past,
    pulse,
    settings,
    tasks,
)
from watchfloor.store.alert_stats import fired_alerts
from watchfloor.store.audit import AuditRow
from watchfloor.store.certificates import current_certificates
from watchfloor.store.database import Database
from watchfloor.store.databases import Week, database_week, known_databases
from watchfloor.store.history import history
from watchfloor.store.logs import LogFilter
from watchfloor.store.objectives import burns, objective_row
from watchfloor.store.rules import load_channels
from watchfloor.store.services import definitions_mark
from watchfloor.store.uptime import uptime_rows

UPTIME_EVERY = timedelta(seconds=10)
WEEK_EVERY = timedelta(seconds=60)
"""How the checks of a week fared is counted so often: it moves slowly."""
OVERLAP = timedelta(seconds=1.5)
"""Rows are stamped before they are visible, so this much is read again; a batch that took longer to commit is seen
when the whole board is next read, at the latest after `UPTIME_EVERY`."""


class Desk(JobDesk, MaintenanceDesk, TellingDesk, HeartbeatDesk, IncidentDesk, OnCallDesk, RuleDesk):
    """Reads boards and carries out operations for one actor."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Database]],
        label: Callable[[], str],
        actor: Actor,
        board_read: Callable[[], None] = lambda: None,
        trouble: Callable[[], str] = lambda: "",
    ) -> None:
        """``connect`` gives the database, waiting until there is one; ``label`` names it on screen, once known.

        ``board_read`` hears of each reading of the health board; ``trouble`` says why the engine of this process
        does not run.
        """
        super().__init__(connect, actor)
        self._label = label
        self._board_read = board_read
        self._trouble = trouble
        self._rows: dict[int, HealthRow] = {}
        self._uptime: dict[int, float | None] = {}
        self._uptime_at: datetime | None = None
        self._week: Week = {}
        self._week_at: datetime | None = None
        self._read_at: datetime | None = None
        self._mark: tuple[object, ...] = ()

    async def pulses(self) -> AsyncIterator[frozenset[str]]:
        """Sets of changed topics, for ever; everything after a reconnection."""
        async for topics in pulse.listen(await self._connect()):
            yield topics

    async def status(self) -> StatusLine:
        """What the status bar shows."""
        async with (await self._connect()).connection() as connection:
            line = await health.status_line(connection, self._label())
        return replace(line, trouble=self._trouble() or line.trouble)

    async def health(self) -> Sequence[HealthRow]:
        """Every service that is not retired."""
        async with (await self._connect()).connection() as connection:
            now = await health.clock(connection)
            mark = await definitions_mark(connection)
            whole = self._read_at is None or mark != self._mark
            if whole or self._uptime_at is None or now - self._uptime_at > UPTIME_EVERY:
                self._uptime = await health.uptimes(connection, now, timedelta(days=1))
                self._uptime_at, whole = now, True
            since = None if whole or self._read_at is None else self._read_at - OVERLAP
            rows = await health.board(connection, now, self._uptime, since)
        if whole:
            self._rows = {}
        self._rows.update((row.id, row) for row in rows)
        self._read_at, self._mark = now, mark
        self._board_read()
        return list(self._rows.values())

    async def databases(self) -> Sequence[DatabaseRow]:
        """Every watched database, by name."""
        rows = await self.health()
        async with (await self._connect()).connection() as connection:
            now = await health.clock(connection)
            if self._week_at is None or now - self._week_at > WEEK_EVERY:
                self._week, self._week_at = await database_week(connection, now), now
            return databases(rows, await known_databases(connection, self._week))

    async def service(self, service_id: int) -> ServiceDetail | None:
        """One service; None when it is gone."""
        async with (await self._connect()).connection() as connection:
            return await health.service_detail(connection, service_id, await health.clock(connection))

    async def alerts(self, *, resolved: bool) -> Sequence[AlertRow]:
        """Open alerts, followed by recently resolved ones if asked."""
        async with (await self._connect()).connection() as connection:
            rows = await alert_rooms.active(connection, self._actor.name)
            if resolved:
                rows += await alert_rooms.resolved(connection)
        return rows

    async def alert(self, alert_id: int) -> AlertDetail | None:
        """One alert; None when it is gone."""
        async with (await self._connect()).connection() as connection:
            return await alert_rooms.detail(connection, alert_id, self._actor.name)

    async def alerts_over(self, before: tuple[datetime, int] | None = None) -> Sequence[AlertRow]:
        """A page of alerts that are over, the latest first; the next by passing the end and number of the last."""
        async with (await self._connect()).connection() as connection:
            return await alert_rooms.resolved(connection, before)

    async def suggested_notes(self, alert_ids: Sequence[int]) -> Sequence[str]:
        """Notes with which alerts like these were acknowledged lately."""
        async with (await self._connect()).connection() as connection:
            return await alert_rooms.written_notes(connection, self._actor.name, alert_ids)

    async def alert_stats(self, over: timedelta) -> AlertStats:
        """Statistics of the alerts that fired in the last ``over``; days and hours are those of messages."""
        async with (await self._connect()).connection() as connection:
            there = zone_or_utc(await settings.time_zone(connection))
            end = await health.clock(connection)
            start = end - over
            found = await fired_alerts(connection, start, end)
        fired = [replace(alert, fired_at=alert.fired_at.astimezone(there)) for alert in found]
        return alert_stats(fired, start.astimezone(there), end.astimezone(there))

    async def history(self, service_id: int, start: datetime, end: datetime) -> History:
        """What was measured of a service from `start` to `end`."""
        async with (await self._connect()).connection() as connection:
            return await history(connection, service_id, start, end)

    async def now(self) -> datetime:
        """The database's clock."""
        async with (await self._connect()).connection() as connection:
            return await health.clock(connection)

    async def database(self) -> Database:
        """The database itself, for what is written page by page."""
        return await self._connect()

    async def export(self, wanted: Wanted, format_: str, path: Path) -> int:
        """Write an export to a file; returns how many rows. Raises `Refused`, `OSError`."""
        return await write_file(await self._connect(), wanted, format_, path)

    async def uptime(self) -> Sequence[UptimeRow]:
        """The uptime of every service, by group and name."""
        async with (await self._connect()).connection() as connection:
            return await uptime_rows(connection, await health.clock(connection))

    async def objectives(self) -> Sequence[ObjectiveRow]:
        """How every service stands with each of its objectives."""
        async with (await self._connect()).connection() as connection:
            return [objective_row(each) for each in await burns(connection, await health.clock(connection))]

    async def certificates(self, within: timedelta | None = None) -> Sequence[CertificateRow]:
        """The certificates that services show now, the first to expire first."""
        async with (await self._connect()).connection() as connection:
            return await current_certificates(connection, await health.clock(connection), within)

    async def kept(self) -> Kept:
        """From when on the past can be told."""
        async with (await self._connect()).connection() as connection:
            return await past.kept(connection)

    def past(self, at: datetime) -> PastDesk:
        """The boards as they were at ``at``."""
        return PastDesk(self._connect, at)

    async def channels(self) -> Sequence[ChannelRow]:
        """Every channel with how it does."""
        async with (await self._connect()).connection() as connection:
            return await channels.board(connection)

    async def channel_words(self, name: str, alert_id: int | None = None) -> Sequence[SaidRow]:
        """How messages of every kind read on a channel, of an alert or of a sample. Raises `Refused`."""
        # Here, as it comes with every kind of channel and with Jinja: the first picture does without.
        from watchfloor.cli.channel_words import how_it_reads, notices

        async with (await self._connect()).connection() as connection:
            now = await health.clock(connection)
            channel = (await load_channels(connection)).get(name)
            if channel is None:
                raise Refused(f"There is no channel called {one_line(name, 100)} any more.")
            alert = (
                None if alert_id is None else await alert_rooms.detail(connection, alert_id, self._actor.name)
            )
            time_zone = await settings.time_zone(connection)
        return how_it_reads(channel.kind, channel.settings, notices(alert, now, time_zone))

    async def set_channel_enabled(self, name: str, enabled: bool) -> int | None:
        """Switch a channel on or off; what it is told after all, None: it was so. Raises `Refused`."""
        from watchfloor.operations import deliveries

        return await deliveries.set_channel_enabled(await self._connect(), self._actor, name, enabled)

    async def dead_letters(self, channel: str | None = None) -> Sequence[DeadLetterRow]:
        """Messages that were given up, the newest first."""
        async with (await self._connect()).connection() as connection:
            return await channels.dead_letters(connection, channel)

    async def delivery(self, message: UUID) -> tuple[str, str]:
        """What became of a message: its state and its last error."""
        async with (await self._connect()).connection() as connection:
            return await channels.delivery(connection, message)

    async def task_runs(self) -> Sequence[TaskRunRow]:
        """Latest runs of the program's own tasks, newest first."""
        async with (await self._connect()).connection() as connection:
            return await tasks.task_runs(connection, await health.clock(connection))

    async def audit(self, kind: str, object_id: str, actor: str, limit: int) -> Sequence[AuditRow]:
        """The latest lines of the audit log, the newest first; empty is any."""
        async with (await self._connect()).connection() as connection:
            return await audit.latest(connection, kind, object_id, actor, limit)

    async def logs(
        self,
        wanted: LogFilter,
        before: tuple[datetime, int] | None = None,
        limit: int = 200,
        *,
        after: tuple[datetime, int] | None = None,
    ) -> Sequence[LogRow]:
        """Records newest first, next older than the key ``before`` or next newer than ``after``."""
        async with (await self._connect()).connection() as connection:
            now = await health.clock(connection)
            return await logs.newest(connection, now, wanted, before, limit, after=after)

    async def settings(self) -> Sequence[SettingRow]:
        """Every product setting."""
        async with (await self._connect()).connection() as connection:
            return await settings.rows(connection)

    async def config_files(self) -> Sequence[ConfigFileRow]:
        """The config file of each live node."""
        async with (await self._connect()).connection() as connection:
            return await nodes.config_files(connection)

    async def nodes(self) -> Sequence[NodeRow]:
        """Engines that run or ran."""
        async with (await self._connect()).connection() as connection:
            return await nodes.nodes(connection)

    async def node_course(self, node_id: int, length: timedelta) -> NodeCourse:
        """How the figures of a node went within the `length` until now."""
        async with (await self._connect()).connection() as connection:
            now = await health.clock(connection)
            return await node_minutes.node_course(connection, node_id, now - length, now)

    async def components(self) -> Sequence[ComponentRow]:
        """The loops inside the nodes."""
        async with (await self._connect()).connection() as connection:
            return await nodes.components(connection)

    async def preferences(self) -> Mapping[str, object]:
        """What this operator's console remembers."""
        async with (await self._connect()).connection() as connection:
            return await settings.preferences(connection, self._actor.name)

    async def acknowledge(
        self, alert_ids: Sequence[int], note: str, lasts: timedelta | None, *, sticky: bool = False
    ) -> Sequence[int]:
        """Acknowledge firing alerts; the ids of those that changed. Raises `Refused`."""
        from watchfloor.operations import alerts

        return await alerts.acknowledge(
            await self._connect(), self._actor, alert_ids, note, lasts, sticky=sticky
        )

    async def unacknowledge(self, alert_ids: Sequence[int]) -> None:
        """Take acknowledgements back. Raises `Refused`."""
        from watchfloor.operations import alerts

        await alerts.unacknowledge(await self._connect(), self._actor, alert_ids)

    async def resolve(self, alert_ids: Sequence[int], note: str) -> Sequence[int]:
        """Close alerts by hand; the ids of those that changed. Raises `Refused`."""
        from watchfloor.operations import alerts

        return await alerts.resolve(await self._connect(), self._actor, alert_ids, note)

    async def look(self, alert_ids: Sequence[int]) -> None:
        """Keep that this operator has seen these alerts as they are now."""
        from watchfloor.operations import alerts

        await alerts.look(await self._connect(), self._actor, alert_ids)

    async def add_note(self, alert_ids: Sequence[int], note: str) -> None:
        """Write something into the history of alerts. Raises `Refused`."""
        from watchfloor.operations import alerts

        await alerts.add_note(await self._connect(), self._actor, alert_ids, note)

    async def set_paused(self, service_id: int, paused: bool) -> bool:
        """Stop watching a service, or watch it again; False: it was so. Raises `Refused`."""
        from watchfloor.operations import services

        return await services.set_paused(await self._connect(), self._actor, service_id, paused)

    async def check_now(self, service_id: int) -> None:
        """Ask for a check out of turn. Raises `Refused`."""
        from watchfloor.operations import services

        await services.check_now(await self._connect(), self._actor, service_id)

    async def try_channel(self, name: str) -> UUID:
        """Have the engine send a test message; returns its id. Raises `Refused`."""
        from watchfloor.operations import deliveries

        return await deliveries.try_channel(await self._connect(), self._actor, name)

    async def replay(self, ids: Sequence[UUID] = (), channel: str | None = None) -> Replayed:
        """Queue dead letters again, by id or all of a channel. Raises `Refused`."""
        from watchfloor.operations import deliveries

        return await deliveries.replay(await self._connect(), self._actor, ids, channel)

    async def discard_letters(self, ids: Sequence[UUID]) -> int:
        """Take dead letters off the list; returns how many. Raises `Refused`."""
        from watchfloor.operations import deliveries

        return await deliveries.discard(await self._connect(), self._actor, ids)

    async def change_setting(self, key: str, value: object) -> None:
        """Change a product setting. Raises `Refused`."""
        from watchfloor.operations import settings

        await settings.change(await self._connect(), self._actor, key, value)

    async def reset_setting(self, key: str) -> None:
        """Go back to the default of a setting. Raises `Refused`."""
        from watchfloor.operations import settings

        await settings.reset(await self._connect(), self._actor, key)

    async def save_preference(self, key: str, value: object) -> None:
        """Remember something for this operator."""
        from watchfloor.operations import settings

        await settings.save_preference(await self._connect(), self._actor, key, value)
