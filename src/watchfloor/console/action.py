"""What an action is, where it may be used, and what decides whether it is possible.

The reasons why it may be impossible stand in `needs`, labels that depend on the selection in `labels`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watchfloor.console.trail import Trail
from watchfloor.domain.boards import HealthRow, SentRow, SettingRow, SilenceRow
from watchfloor.domain.channel_boards import ChannelRow
from watchfloor.domain.job_boards import JobRow, RunRow
from watchfloor.domain.planner import Slot
from watchfloor.domain.rule_boards import RuleRow


class Scope(StrEnum):
    """What a screen is able to do; a screen names several, and gets the actions of all of them."""

    ROOM = "every screen"
    LIST = "lists"
    ACROSS = "wide lists"
    TEXT = "text"
    OPENS = "lists that open"
    SERVICE = "services"
    ALERT = "alerts"
    ALERTS = "lists of alerts"
    ALERT_ROOM = "the Alerts room"
    HANDLED = "alerts and their lists"
    SILENCES = "silences"
    DELIVERIES = "deliveries"
    RULES = "rules"
    CHANNELS = "channels"
    WORDS = "how messages read"
    FIELDS = "dialogs of several lines"
    STORY = "the story of an alert"
    INCIDENTS = "screens of what has incidents"
    POST_MORTEM = "what a post-mortem tells"
    INCIDENT = "incidents"
    CHARTS = "charts"
    EXPORTS = "the history of a service"
    PAST = "screens of the past"
    LOGS = "logs"
    SETTINGS = "settings"
    DIALOG = "dialogs"
    CHOICE = "dialogs with a choice"
    NOTES = "dialogs that suggest notes"
    ACKNOWLEDGING = "acknowledging"
    COLUMNS = "the columns of a list"
    PICKER = "pickers"
    FILTER = "the filter line"
    COMMAND = "the command line"
    TYPING = "typing"
    FORM = "forms"
    JOBS = "jobs"
    RUNS = "runs"
    RUN = "the page of a run"
    SECTIONS = "rooms of several sections"
    GROUPS = "lists in groups"
    WINDOWS = "maintenance windows"
    ENTRY = "the line of a field"
    LINES = "several lines of text"
    WRITING = "writing"


@dataclass(frozen=True, slots=True)
class Context:
    """What a screen has under its cursor; decides which actions are possible."""

    row: bool = False
    service: HealthRow | None = None
    alert_id: int | None = None
    alert_state: str = ""
    incident_id: int | None = None  # the incident it is, or the newest that belongs to it
    run_id: int | None = None  # the run of a job that an alert is about
    cause_id: int | None = None  # the alert about what put this one out of reach
    silence: SilenceRow | None = None
    sent: SentRow | None = None
    rule: RuleRow | None = None
    channel: ChannelRow | None = None
    marked_dead: int = 0  # the dead letters among the marked messages
    setting: SettingRow | None = None
    opens: str = ""  # why the row cannot be opened; empty: it can
    filtered: bool = False
    marked: bool = False
    marked_firing: int = 0  # the firing alerts of the marked rows
    marked_open: int = 0  # the alerts of the marked rows that are not over
    marked_alerts: int = 0  # all alerts of the marked rows
    held: bool = False  # the screen is held still
    deep: bool = False  # there is a screen to go back to
    verb: str = ""  # what enter does to the row, where that differs
    undo: str = ""  # what `u` would take back
    read_only: bool = False
    locked: bool = False
    away: bool = False  # the database is away
    trail: Trail | None = None  # where one can go back and forward to
    past: bool = False  # what is on the screen is of a past moment
    travelling: bool = False  # a past moment is looked at, here or in other rooms
    stays: str = ""  # why this screen cannot show the past; empty: it can
    began: datetime | None = None  # when what is under the cursor began
    job: JobRow | None = None
    run: RunRow | None = None
    marked_letters: int = 0  # the open dead letters among the marked rows
    field: str = ""  # the field of a form that is under the cursor
    filled: bool = False  # that field holds something of its own
    choices: bool = False  # that field is one of several choices
    entry: tuple[int, int] = (
        0,
        0,
    )  # its place in a list of entries, from 1, and their number; (0, 0): it is none
    saves: str = "save"  # what saving a form does
    window: Slot | None = None
    grouped: str = ""  # what a list is grouped by; empty: nothing
    group: bool = False  # the head of a group is under the cursor
    trial: str = "test now"  # what trying what a form holds is called
    tries: str = "only a service can be tested"  # why what a form holds cannot be tested; empty: it can
    unchanged: str = ""  # why there is nothing to save in a form; empty: there is
    readonly: str = ""  # why a form can only be looked at; empty: it can be filled in

    @property
    def barred(self) -> str | None:
        """Why nothing can be changed from here now; None where it can."""
        if self.read_only:
            return "this console is read-only"
        if self.locked:
            return "this console is locked"
        if self.past:
            return "you look at the past"
        return "the database is away" if self.away else None


Why = Callable[[Context], str | None]


@dataclass(frozen=True, slots=True)
class Action:
    """One action. `handler` names a method of the screen, without its ``do_``.

    `rank` orders the footer (0: not shown there); a `fleeting` one is shown there only while it is possible.
    As a command it is called by its id, with dashes, and by its `aliases`. Where it works, keys that it shares with the
    actions named in `over` are its own.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: str
    scopes: frozenset[Scope]
    handler: str
    rank: int = 0
    writes: bool = False
    danger: bool = False
    fleeting: bool = False
    aliases: tuple[str, ...] = ()
    over: frozenset[str] = frozenset()
    why: Why | None = None
    relabel: Callable[[Context], str] | None = None

    def why_disabled(self, context: Context) -> str | None:
        """Why this is impossible now, as a sentence for a person; None where it is possible."""
        if self.writes and context.barred:
            return context.barred
        return self.why(context) if self.why else None

    def label_in(self, context: Context) -> str:
        """The label, which may depend on what is selected."""
        return self.relabel(context) if self.relabel else self.label
