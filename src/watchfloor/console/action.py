"""What an action is, where it may be used, and the reasons why it may be impossible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watchfloor.console.trail import Trail
from watchfloor.domain.boards import HealthRow, SettingRow


class Scope(StrEnum):
    """What a screen is able to do; a screen names several, and gets the actions of all of them."""

    ROOM = "every screen"
    LIST = "lists"
    ACROSS = "wide lists"
    TEXT = "text"
    OPENS = "lists that open"
    SERVICE = "services"
    ALERT = "alerts"
    ALERTS = "the list of alerts"
    CHARTS = "charts"
    PAST = "screens of the past"
    LOGS = "logs"
    SETTINGS = "settings"
    DIALOG = "dialogs"
    CHOICE = "dialogs with a choice"
    COLUMNS = "the columns of a list"
    PICKER = "pickers"
    FILTER = "the filter line"
    COMMAND = "the command line"
    TYPING = "typing"


@dataclass(frozen=True, slots=True)
class Context:
    """What a screen has under its cursor; decides which actions are possible."""

    row: bool = False
    service: HealthRow | None = None
    alert_id: int | None = None
    alert_state: str = ""
    setting: SettingRow | None = None
    opens: str = ""  # why the row cannot be opened; empty: it can
    filtered: bool = False
    marked: bool = False
    marked_firing: int = 0  # the firing alerts of the marked rows
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
    As a command it is called by its id, with dashes, and by its `aliases`.
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


def needs_row(context: Context) -> str | None:
    return None if context.row else "nothing is selected"


def needs_marks(context: Context) -> str | None:
    return None if context.marked else "no row is marked"


def needs_openable(context: Context) -> str | None:
    return needs_row(context) or context.opens or None


def needs_service(context: Context) -> str | None:
    return None if context.service else "no service is selected"


def needs_active_service(context: Context) -> str | None:
    if context.service and context.service.paused:
        return f"{context.service.name} is paused; resume it first"
    return needs_service(context)


def needs_firing(context: Context) -> str | None:
    if context.marked:
        return None if context.marked_firing else "no alert of the marked rows is firing"
    if context.alert_id is None:
        return "no alert is open here"
    if context.alert_state == "firing":
        return None
    return f"alert #{context.alert_id} is {context.alert_state}; only a firing alert can be acknowledged"


def needs_open_alert(context: Context) -> str | None:
    if context.alert_id is None:
        return "no alert is open here"
    return f"alert #{context.alert_id} is resolved already" if context.alert_state == "resolved" else None


def needs_undo(context: Context) -> str | None:
    return None if context.undo else "there is nothing to undo; an undo is offered for 10 s"


def needs_depth(context: Context) -> str | None:
    deep = context.deep or context.filtered or context.travelling
    return None if deep else "this is the first screen"


def needs_way_back(context: Context) -> str | None:
    return None if context.trail and context.trail.back else "there is no place before this one"


def needs_way_forward(context: Context) -> str | None:
    return None if context.trail and context.trail.forward else "nobody went back from here"


def needs_previous(context: Context) -> str | None:
    return None if context.trail and context.trail.previous else "no other screen was on yet"


def needs_traveller(context: Context) -> str | None:
    return context.stays or None


def needs_travelling(context: Context) -> str | None:
    return None if context.travelling else "you look at the present; travel to a moment first"


def needs_beginning(context: Context) -> str | None:
    return None if context.began else "nothing with a beginning is selected"


def needs_setting(context: Context) -> str | None:
    return None if context.setting else "no setting is selected"


def needs_changed_setting(context: Context) -> str | None:
    if context.setting and context.setting.source == "default":
        return f"{context.setting.key} has its default value already"
    return needs_setting(context)


def pause_label(context: Context) -> str:
    return "resume" if context.service and context.service.paused else "pause"


def acknowledge_label(context: Context) -> str:
    return f"acknowledge {context.marked_firing}" if context.marked_firing else "acknowledge"


def hold_label(context: Context) -> str:
    return "go on" if context.held else "hold"


def change_label(context: Context) -> str:
    """What enter does in the settings."""
    return context.verb or "open"


def undo_label(context: Context) -> str:
    return f"undo {context.undo}" if context.undo else "undo"


def lock_label(context: Context) -> str:
    return "unlock" if context.locked else "lock"
