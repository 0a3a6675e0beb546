"""What the console needs from the world: boards to read, operations to ask for.

The command line gives it a reader and an operator made from the store and the operations; tests give it
their own. Both may raise anything `watchfloor.store.errors` explains: the console shows it and goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from watchfloor.domain.boards import (
    AlertDetail,
    AlertRow,
    ComponentRow,
    ConfigFileRow,
    HealthRow,
    JobRow,
    Kept,
    LogRow,
    NodeRow,
    RunDetail,
    RunLine,
    RunRow,
    ServiceDetail,
    SettingRow,
    StatusLine,
    TaskRunRow,
)
from watchfloor.domain.history import History
from watchfloor.store.logs import LogFilter


class Boards(Protocol):
    """What Health and Alerts show, of now or of a moment of the past; each board an immutable snapshot."""

    async def health(self) -> Sequence[HealthRow]:
        """Every service that is watched or paused."""

    async def service(self, service_id: int) -> ServiceDetail | None:
        """One service; None when it is gone."""

    async def alerts(self, *, resolved: bool) -> Sequence[AlertRow]:
        """Open alerts, and recently resolved ones too if asked."""

    async def alert(self, alert_id: int) -> AlertDetail | None:
        """One alert; None when it is gone."""


class Reader(Boards, Protocol):
    """Everything the console shows."""

    def pulses(self) -> AsyncIterator[frozenset[str]]:
        """Sets of topics that changed, for ever; the first one names everything."""

    async def status(self) -> StatusLine:
        """What the status bar shows."""

    async def kept(self) -> Kept:
        """From when on the past can be told."""

    async def history(self, service_id: int, start: datetime, end: datetime) -> History:
        """What was measured of a service from `start` to `end`, of now or of the past."""

    def past(self, at: datetime) -> Boards:
        """The boards as they were at `at`."""

    async def task_runs(self) -> Sequence[TaskRunRow]:
        """Latest runs of the program's own tasks, newest first."""

    async def jobs(self) -> Sequence[JobRow]:
        """Every job, by name."""

    async def runs(self, job: str | None) -> Sequence[RunRow]:
        """The latest runs, of one job or of all, newest first."""

    async def run(self, run_id: int) -> RunDetail | None:
        """One run with its attempts; None when it is gone."""

    async def run_log(self, run_id: int, after: tuple[int, int]) -> Sequence[RunLine]:
        """A page of the lines of a run's log, later than the (attempt, number) `after`."""

    async def logs(
        self,
        wanted: LogFilter,
        before: tuple[datetime, int] | None,
        limit: int,
        *,
        after: tuple[datetime, int] | None = None,
    ) -> Sequence[LogRow]:
        """Records newest first, next older than the key `before` or next newer than the key `after`."""

    async def settings(self) -> Sequence[SettingRow]:
        """Every product setting."""

    async def config_files(self) -> Sequence[ConfigFileRow]:
        """The config file of each node."""

    async def nodes(self) -> Sequence[NodeRow]:
        """Engines that run or ran."""

    async def components(self) -> Sequence[ComponentRow]:
        """The loops inside the nodes."""

    async def preferences(self) -> Mapping[str, object]:
        """What this operator's console remembers."""


class Operator(Protocol):
    """What the person at the keyboard may ask for.

    Each raises `watchfloor.operations.actor.Refused` with a sentence for the person when it cannot be.
    """

    async def acknowledge(
        self, alert_ids: Sequence[int], note: str, lasts: timedelta | None, *, sticky: bool
    ) -> Sequence[int]:
        """Acknowledge alerts; `lasts` None means until they are resolved. The ids of those that changed."""

    async def unacknowledge(self, alert_ids: Sequence[int]) -> None:
        """Take an acknowledgement back."""

    async def resolve(self, alert_ids: Sequence[int], note: str) -> None:
        """Close alerts by hand."""

    async def set_paused(self, service_id: int, paused: bool) -> None:
        """Stop watching a service, or watch it again."""

    async def check_now(self, service_id: int) -> None:
        """Ask for a check out of turn."""

    async def change_setting(self, key: str, value: object) -> None:
        """Change a product setting to a value that `domain.settings.parse` made."""

    async def reset_setting(self, key: str) -> None:
        """Go back to the default of a setting."""

    async def save_preference(self, key: str, value: object) -> None:
        """Remember something for this operator."""
