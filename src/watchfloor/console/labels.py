"""Labels of actions that depend on what is under the cursor or marked."""

from __future__ import annotations

from watchfloor.console.action import Context


def replay(context: Context) -> str:
    return f"replay {context.marked_dead}" if context.marked_dead else "replay"


def pause(context: Context) -> str:
    return "resume" if context.service and context.service.paused else "pause"


def acknowledge(context: Context) -> str:
    return f"acknowledge {context.marked_firing}" if context.marked_firing else "acknowledge"


def resolve(context: Context) -> str:
    return _several("resolve", context.marked_open)


def hand_over(context: Context) -> str:
    return _several("hand over", context.marked_open)


def silence(context: Context) -> str:
    return _several("silence", context.marked_alerts)


def note(context: Context) -> str:
    return _several("note", context.marked_alerts)


def _several(act: str, number: int) -> str:
    return f"{act} {number}" if number else act


def hold(context: Context) -> str:
    return "go on" if context.held else "hold"


def change(context: Context) -> str:
    """What enter does in the settings."""
    return context.verb or "open"


def choose(context: Context) -> str:
    """What enter does with what is chosen from a list."""
    return context.verb or "run"


def undo(context: Context) -> str:
    return f"undo {context.undo}" if context.undo else "undo"


def lock(context: Context) -> str:
    return "unlock" if context.locked else "lock"


def definition(context: Context) -> str:
    return "score" if context.group else "definition"


def trial(context: Context) -> str:
    return context.trial


def fill(context: Context) -> str:
    """What enter does in a form."""
    return context.verb or "edit"


def remove(context: Context) -> str:
    if context.marked_letters:
        return f"discard {context.marked_letters}"
    return "delete" if context.job is not None else "discard"


def requeue(context: Context) -> str:
    return f"requeue {context.marked_letters}" if context.marked_letters else "requeue"


def pause_job(context: Context) -> str:
    return "resume" if context.job and context.job.paused else "pause"


def switch_rule(context: Context) -> str:
    return "switch off" if context.rule is None or context.rule.enabled else "switch on"


def switch_channel(context: Context) -> str:
    return "switch off" if context.channel is None or context.channel.enabled else "switch on"


def save(context: Context) -> str:
    return context.saves
