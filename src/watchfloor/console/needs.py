"""What actions need: for each, why it is impossible in a context, as a sentence for a person; None: it is possible."""

from __future__ import annotations

from watchfloor.console.action import Context
from watchfloor.domain.job_boards import FINAL_STATES
from watchfloor.domain.rule_boards import OWN
from watchfloor.domain.rules import BUILT_IN, OWN_RULES


def row(context: Context) -> str | None:
    return None if context.row else "nothing is selected"


def marks(context: Context) -> str | None:
    return None if context.marked else "no row is marked"


def openable(context: Context) -> str | None:
    return row(context) or context.opens or None


def service(context: Context) -> str | None:
    return None if context.service else "no service is selected"


def active_service(context: Context) -> str | None:
    if context.service and context.service.paused:
        return f"{context.service.name} is paused; resume it first"
    return service(context)


def firing(context: Context) -> str | None:
    if context.marked:
        return None if context.marked_firing else "no alert of the marked rows is firing"
    if context.alert_id is None:
        return "no alert is open here"
    if context.alert_state == "firing":
        return None
    return f"alert #{context.alert_id} is {context.alert_state}; only a firing alert can be acknowledged"


def open_alert(context: Context) -> str | None:
    if context.marked:
        return None if context.marked_open else "no alert of the marked rows is open"
    if context.alert_id is None:
        return "no alert is open here"
    return f"alert #{context.alert_id} is resolved already" if context.alert_state == "resolved" else None


def alert(context: Context) -> str | None:
    if context.marked:
        return None if context.marked_alerts else "none of the marked rows is an alert"
    return "no alert is open here" if context.alert_id is None else None


def rule(context: Context) -> str | None:
    if context.rule is None:
        return "no rule is selected"
    if context.rule.kind == OWN:
        return f"{context.rule.name} is about Watchfloor itself; its channels can be tested"
    return None if context.rule.enabled else f"{context.rule.name} is switched off"


def cause(context: Context) -> str | None:
    return "no open alert is the cause of this one" if context.cause_id is None else None


def run_of_alert(context: Context) -> str | None:
    return "no run of a job belongs to it" if context.run_id is None else None


def alert_of_run(context: Context) -> str | None:
    return "no alert belongs to this run" if context.alert_id is None else None


def incident(context: Context) -> str | None:
    return "no incident belongs to it" if context.incident_id is None else None


def channel(context: Context) -> str | None:
    if context.channel is None:
        return "no channel is selected"
    return None if context.channel.enabled else f"{context.channel.name} is switched off"


def silence(context: Context) -> str | None:
    if context.silence is None:
        return "no silence is selected"
    return f"silence #{context.silence.id} is over already" if context.silence.state == "over" else None


def silence_with_end(context: Context) -> str | None:
    if context.silence is not None and context.silence.ends_at is None:
        return f"silence #{context.silence.id} lasts until it is resolved"
    return silence(context)


def dead(context: Context) -> str | None:
    if context.marked:
        return None if context.marked_dead else "none of the marked messages is a dead letter"
    if context.sent is None:
        return "no message is selected"
    return None if context.sent.state == "dead" else f"this message is {context.sent.state}, no dead letter"


def undo(context: Context) -> str | None:
    return None if context.undo else "there is nothing to undo; an undo is offered for 10 s"


def depth(context: Context) -> str | None:
    deep = context.deep or context.filtered or context.travelling
    return None if deep else "this is the first screen"


def way_back(context: Context) -> str | None:
    return None if context.trail and context.trail.back else "there is no place before this one"


def way_forward(context: Context) -> str | None:
    return None if context.trail and context.trail.forward else "nobody went back from here"


def previous(context: Context) -> str | None:
    return None if context.trail and context.trail.previous else "no other screen was on yet"


def traveller(context: Context) -> str | None:
    return context.stays or None


def travelling(context: Context) -> str | None:
    return None if context.travelling else "you look at the present; travel to a moment first"


def beginning(context: Context) -> str | None:
    return None if context.began else "nothing with a beginning is selected"


def setting(context: Context) -> str | None:
    return None if context.setting else "no setting is selected"


def changed_setting(context: Context) -> str | None:
    if context.setting and context.setting.source == "default":
        return f"{context.setting.key} has its default value already"
    return setting(context)


def field(context: Context) -> str | None:
    return context.readonly or (None if context.field else "no field is selected")


def choices(context: Context) -> str | None:
    return field(context) or (None if context.choices else f"{context.field} has no choices; type it")


def filled(context: Context) -> str | None:
    return field(context) or (None if context.filled else f"{context.field} has its default already")


def entry_before(context: Context) -> str | None:
    return _entry(context) or ("it is the first of its list already" if context.entry[0] == 1 else None)


def entry_after(context: Context) -> str | None:
    place, number = context.entry
    return _entry(context) or ("it is the last of its list already" if place == number else None)


def _entry(context: Context) -> str | None:
    return field(context) or (None if context.entry[0] else "no entry of a list is selected")


def changes(context: Context) -> str | None:
    return context.readonly or context.unchanged or None


def groups(context: Context) -> str | None:
    return None if context.grouped else "the list is not grouped"


def definition(context: Context) -> str | None:
    return None if context.group else service(context)


def window(context: Context) -> str | None:
    return None if context.window else "no window is selected"


def open_window(context: Context) -> str | None:
    if context.window is not None and context.window.state != "open":
        return f"{context.window.name} is not open at this time; delete it, or change when it opens"
    return window(context)


def owned_window(context: Context) -> str | None:
    """A window that the console owns."""
    if context.window is not None and context.window.owner != "console":
        return f"{context.window.name} is defined in {context.window.origin}; delete it there"
    return window(context)


def trial(context: Context) -> str | None:
    return context.tries or None


def owned_service(context: Context) -> str | None:
    """A service that the console owns."""
    if context.service is not None and context.service.owner != "console":
        where = (
            f"is defined in {context.service.origin}" if context.service.origin else "belongs to the program"
        )
        return f"{context.service.name} {where}; delete it there"
    return service(context)


def job(context: Context) -> str | None:
    return None if context.job else "no job is selected"


def active_job(context: Context) -> str | None:
    if context.job and context.job.paused:
        return f"{context.job.name} is paused; resume it first"
    return job(context)


def scheduled_job(context: Context) -> str | None:
    if context.job and not context.job.schedules:
        return f"{context.job.name} has no schedule, so no fire of it was ever missed"
    return job(context)


def going_run(context: Context) -> str | None:
    if context.run is None:
        return "no run is selected"
    return f"#{context.run.id} has ended already" if context.run.state in FINAL_STATES else None


def running_run(context: Context) -> str | None:
    if context.run is not None and context.run.state in ("waiting", "ready"):
        return f"#{context.run.id} has not begun; cancel it"
    return going_run(context)


def letter(context: Context) -> str | None:
    if context.marked:
        return None if context.marked_letters else "none of the marked rows is a dead letter"
    if context.run is None:
        return "no run is selected"
    return None if context.run.open_letter else f"#{context.run.id} is no dead letter, or somebody settled it"


def removable(context: Context) -> str | None:
    """A dead letter, or a job that the console owns."""
    if context.run is not None or context.marked:
        return letter(context)
    if context.job is not None and context.job.owner != "console":
        return f"{context.job.name} is defined in {context.job.origin}; delete it there"
    return job(context)


def written_rule(context: Context) -> str | None:
    """A rule that can be written down."""
    if context.rule is not None and context.rule.kind == OWN:
        return f"{context.rule.name} is about Watchfloor itself: it has no definition"
    return rule(context)


def switched_rule(context: Context) -> str | None:
    """A rule that may be off."""
    if context.rule is not None and context.rule.name in (BUILT_IN, *OWN_RULES):
        return f"{context.rule.name} is what catches the rest: it is never off; a silence keeps it quiet"
    return rule(context)


def owned_rule(context: Context) -> str | None:
    """A rule that the console owns."""
    if context.rule is not None and context.rule.owner != "console":
        where = f"is defined in {context.rule.origin}" if context.rule.origin else "belongs to the program"
        return f"{context.rule.name} {where}; " + (
            "delete it there" if context.rule.origin else "switch it off"
        )
    return rule(context)


def any_channel(context: Context) -> str | None:
    return None if context.channel else "no channel is selected"
