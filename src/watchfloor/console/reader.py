"""What the console needs from the world: boards to read, operations to ask for.

The command line gives it a reader and an operator made from the store and the operations; tests give it
their own. Both may raise anything `watchfloor.store.errors` explains: the console shows it and goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from watchfloor.config.forms import Form
from watchfloor.config.problems import Problem
from watchfloor.domain.alert_stats import AlertStats
from watchfloor.domain.backfill import Again
from watchfloor.domain.boards import (
    AlertDetail,
    AlertRow,
    ComponentRow,
    ConfigFileRow,
    HealthRow,
    Kept,
    LogRow,
    NodeRow,
    SentDetail,
    SentRow,
    ServiceDetail,
    SettingRow,
    SilenceRow,
    StatusLine,
    TaskRunRow,
)
from watchfloor.domain.calendar import CalendarFire
from watchfloor.domain.channel_boards import ChannelRow, Replayed, SaidRow
from watchfloor.domain.coming import Coming
from watchfloor.domain.databases import DatabaseRow
from watchfloor.domain.duty_boards import DutyRow, PersonRow
from watchfloor.domain.export import Wanted
from watchfloor.domain.history import History
from watchfloor.domain.job_boards import (
    JobDay,
    JobRow,
    QueuePoint,
    QueueRow,
    RunDetail,
    RunLine,
    RunRow,
    WorkerRow,
)
from watchfloor.domain.node import NodeCourse
from watchfloor.domain.planner import Slot
from watchfloor.domain.post_mortem import IncidentReport
from watchfloor.domain.rehearsal import Rehearsal
from watchfloor.domain.rule_boards import RuleRow
from watchfloor.domain.rule_health import RuleHealth
from watchfloor.domain.silences import Reach, Wish
from watchfloor.domain.told import Told
from watchfloor.domain.trial import Trial
from watchfloor.store.dead_letters import Selection
from watchfloor.store.deliveries import DeliveryFilter
from watchfloor.store.logs import LogFilter

if TYPE_CHECKING:
    from watchfloor.operations.backfill import Backfill
    from watchfloor.operations.dead_letters import Settled


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

    async def incident_page(self, incident_id: int) -> IncidentReport | None:
        """One incident as far as a screen shows it; None where there is none."""

    async def post_mortem(self, incident_id: int, directory: Path) -> Path:
        """Write an incident in full to a file of Markdown. Raises `Refused`, `OSError`."""

    async def export(self, wanted: Wanted, format_: str, path: Path) -> int:
        """Write an export to a file; returns how many rows. Raises `Refused`, `OSError`."""

    def past(self, at: datetime) -> Boards:
        """The boards as they were at `at`."""

    async def task_runs(self) -> Sequence[TaskRunRow]:
        """Latest runs of the program's own tasks, newest first."""

    async def jobs(self) -> Sequence[JobRow]:
        """Every job, by name."""

    async def job_day(self, job: str) -> JobDay:
        """How the runs of a job fared within the last day."""

    async def runs(
        self, job: str | None, *, dead: bool = False, before: int | None = None
    ) -> Sequence[RunRow]:
        """A page of runs, of one job or of all, newest first: the latest, or those before the run `before`; only open
        dead letters if asked."""

    async def backfill_plan(self, job: str, since: datetime, until: datetime, again: Again) -> Backfill:
        """What a backfill would make; nothing is changed."""

    async def left_behind(self, job: str) -> str:
        """What starts a job and cannot once it is gone; empty where nothing does."""

    async def job_calendar(self, length: timedelta) -> Sequence[CalendarFire]:
        """What fires within `length` from now, soonest first."""

    async def workers(self) -> Sequence[WorkerRow]:
        """What nodes do for jobs."""

    async def queues(self) -> Sequence[QueueRow]:
        """How queues stand."""

    async def queue_course(self, queue: str, since: datetime) -> Sequence[QueuePoint]:
        """How a queue stood, minute by minute."""

    async def run(self, run_id: int) -> RunDetail | None:
        """One run with its attempts; None when it is gone."""

    async def run_log(self, run_id: int, after: tuple[int, int]) -> Sequence[RunLine]:
        """A page of the lines of a run's log, later than the (attempt, number) `after`."""

    async def form(self, what: str, name: str, kind: str) -> Form | None:
        """The form of a thing by its name, or of a new one of a kind; with a kind, as if it were of that kind."""

    async def judge(
        self, what: str, values: Mapping[str, Any], was: str = ""
    ) -> tuple[Sequence[Problem], Sequence[str]]:
        """What is wrong with what was filled in, and what is worth knowing; ``was`` is the name it is saved under."""

    async def foresee(self, job: str, schedules: Sequence[Mapping[str, Any]], count: int) -> Sequence[Coming]:
        """The next fires of schedules as they are filled in, where ``job`` is the one whose they are now."""

    async def slots(self) -> Sequence[Slot]:
        """When maintenance windows are, will be and were open."""

    async def trial(self, trial_id: UUID) -> tuple[Trial | None, datetime]:
        """A check of a service that is not saved yet (None when it is gone), and the time."""

    async def logs(
        self,
        wanted: LogFilter,
        before: tuple[datetime, int] | None,
        limit: int,
        *,
        after: tuple[datetime, int] | None = None,
    ) -> Sequence[LogRow]:
        """Records newest first, next older than the key `before` or next newer than the key `after`."""

    async def alerts_over(self, before: tuple[datetime, int] | None) -> Sequence[AlertRow]:
        """A page of alerts that are over, the latest first: those before this end and number."""

    async def suggested_notes(self, alert_ids: Sequence[int]) -> Sequence[str]:
        """Notes with which alerts like these were acknowledged lately, those of this operator and rule first."""

    async def people(self) -> Sequence[PersonRow]:
        """Everybody who can be told, who is on call now first."""

    async def duty(self) -> Sequence[DutyRow]:
        """Who is on call, which chains run, what quiet hours hold."""

    async def alert_stats(self, over: timedelta) -> AlertStats:
        """Statistics of the alerts that fired in the time up to now; days and hours are UTC."""

    async def channels(self) -> Sequence[ChannelRow]:
        """Every channel, and how it does."""

    async def channel_words(self, name: str, alert_id: int | None = None) -> Sequence[SaidRow]:
        """How messages of every kind read on a channel, of an alert or of a sample. Raises `Refused`."""

    async def rules(self) -> Sequence[RuleRow]:
        """Every rule, in the order in which they are asked."""

    async def rule_health(self, name: str) -> RuleHealth | None:
        """How the evaluations of a rule go; None where there is no such rule, or it is on states."""

    async def rehearse(self, rule: str, over: timedelta) -> Rehearsal:
        """What a rule would have done in the time up to now, given what is stored. Raises `Refused`."""

    async def preview_rule(self, values: Mapping[str, Any], over: timedelta) -> Rehearsal:
        """What a rule as it is filled in would have done in the time up to now. Raises `Invalid`, `Refused`."""

    async def silences(self, *, over: bool = False, before: int | None = None) -> Sequence[SilenceRow]:
        """A page of silences in force or to come (``over``: all), the newest first."""

    async def silence_reach(self, matchers: Sequence[str]) -> Reach:
        """What a silence with these matchers would keep quiet now. Raises `Refused`."""

    async def deliveries(
        self, wanted: DeliveryFilter, before: tuple[datetime, UUID] | None = None, limit: int = 200
    ) -> Sequence[SentRow]:
        """A page of messages that were sent or wait, the newest first."""

    async def sent(self, message: str) -> SentDetail | None:
        """One message with its words, or None when there is none."""

    async def settings(self) -> Sequence[SettingRow]:
        """Every product setting."""

    async def config_files(self) -> Sequence[ConfigFileRow]:
        """The config file of each node."""

    async def nodes(self) -> Sequence[NodeRow]:
        """Engines that run or ran."""

    async def node_course(self, node_id: int, length: timedelta) -> NodeCourse:
        """How the figures of a node went within the `length` until now."""

    async def components(self) -> Sequence[ComponentRow]:
        """The loops inside the nodes."""

    async def databases(self) -> Sequence[DatabaseRow]:
        """The watched databases, by name."""

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

    async def resolve(self, alert_ids: Sequence[int], note: str) -> Sequence[int]:
        """Close alerts by hand; the ids of those that changed."""

    async def hand_over(self, alert_ids: Sequence[int], person: str, note: str = "") -> Sequence[int]:
        """Make alerts the matter of a person; the ids of those that changed."""

    async def look(self, alert_ids: Sequence[int]) -> None:
        """Keep that this operator has seen these alerts as they are now."""

    async def add_note(self, alert_ids: Sequence[int], note: str) -> None:
        """Write something into the history of alerts."""

    async def note_incident(self, incident_id: int, text: str) -> None:
        """Write something into the timeline of an incident."""

    async def add_silences(self, wishes: Sequence[Wish]) -> Sequence[int]:
        """Tell nobody of what matches one of them; the numbers of the silences."""

    async def change_silence(self, silence: int, wish: Wish) -> int:
        """Put another silence in the place of one; its number."""

    async def expire_silences(self, ids: Sequence[int]) -> Sequence[int]:
        """End silences now."""

    async def reinstate_silence(self, silence: int, ends_at: datetime | None) -> int:
        """Take the end of a silence back; the number of the one that takes its place."""

    async def replay(self, ids: Sequence[UUID] = (), channel: str | None = None) -> Replayed:
        """Queue dead letters again; how many, and why others were left out."""

    async def discard_letters(self, ids: Sequence[UUID]) -> int:
        """Take dead letters off the list; how many."""

    async def try_channel(self, name: str) -> UUID:
        """Send a message marked as a test; its id."""

    async def set_channel_enabled(self, name: str, enabled: bool) -> int | None:
        """Switch a channel on or off; how many messages it is told after all, None: it was so."""

    async def test_rule(self, name: str) -> Told:
        """Send a message marked as a test to whom a rule would tell; whom."""

    async def set_rule_enabled(self, name: str, enabled: bool) -> bool:
        """Switch a rule on or off; False: it was so."""

    async def set_paused(self, service_id: int, paused: bool) -> bool:
        """Stop watching a service, or watch it again."""

    async def check_now(self, service_id: int) -> None:
        """Ask for a check out of turn."""

    async def change_setting(self, key: str, value: object) -> None:
        """Change a product setting to a value that `domain.settings.parse` made."""

    async def reset_setting(self, key: str) -> None:
        """Go back to the default of a setting."""

    async def run_now(self, job: str, key: UUID, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a job out of turn, once for each key, with other settings if given; the run's id."""

    async def set_job_paused(self, job: str, paused: bool) -> bool:
        """Let the schedules of a job rest, or go on."""

    async def cancel_run(self, run_id: int) -> None:
        """End a run, or never begin it."""

    async def kill_run(self, run_id: int) -> None:
        """End a run at once."""

    async def backfill(
        self,
        job: str,
        since: datetime,
        until: datetime,
        again: Again,
    ) -> Backfill:
        """Make runs for fires of the past."""

    async def settle_letters(self, selection: Selection, *, discard: bool) -> Settled:
        """Requeue or discard dead letters."""

    async def save_form(self, what: str, values: Mapping[str, Any], was: str, version: int) -> str:
        """Save what was filled in, as a new thing or as of a version; its name. Raises `Invalid`, `Overtaken`."""

    async def end_window(self, window_id: int) -> None:
        """Close a maintenance window that is open."""

    async def reopen_window(self, window_id: int) -> None:
        """Open one again that was ended before its time."""

    async def try_service(self, values: Mapping[str, Any]) -> UUID:
        """Ask an engine to check a service before it is saved; the id of the trial. Raises `Invalid`."""

    async def delete_thing(self, what: str, name: str) -> None:
        """Delete something that the console owns."""

    async def save_preference(self, key: str, value: object) -> None:
        """Remember something for this operator."""
