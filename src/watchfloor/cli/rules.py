"""``watchfloor rules``: which rules there are, and what one would have done; how answers are printed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from watchfloor.cli.plain import show_table
from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.loader import load
from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.durations import compact_duration, parse_duration
from watchfloor.domain.rehearsal import Rehearsal, WouldFire
from watchfloor.domain.rule_boards import RuleRow
from watchfloor.domain.rules import Rule
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count
from watchfloor.operations.actor import Refused
from watchfloor.operations.definitions import rule_of


def over(text: str) -> timedelta:
    """How far to look back. Raises `Refused`."""
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise Refused(f"--over: {error}") from None


def rule_in(path: Path, name: str) -> Rule | EvaluatedRule:
    """A rule of a config file that need not be in force. Raises `ConfigError`, `Refused`."""
    kinds = (probe_kinds().models, channel_kinds().models)
    found = load(path, *kinds, payload_kinds=payload_kinds().models).required()
    for each in found.rules:
        if each.name == name:
            return rule_of(each)
    raise Refused(f"There is no rule called {one_line(name, 100)} in {path}.")


def show_rules(rows: Sequence[RuleRow]) -> None:
    """Every rule with its condition, then what is wrong with those that cannot be evaluated."""
    lines = [
        (
            one_line(row.name, 40),
            one_line(row.words, 60),
            one_line(row.about, 40),
            compact_duration(row.waits_s) if row.waits_s else "",
            row.severity,
            "on" if row.enabled else "off",
            str(row.firing or ""),
            str(row.fired_week or ""),
        )
        for row in rows
    ]
    show_table(("RULE", "FIRES WHEN", "ABOUT", "FOR", "SEVERITY", "", "FIRING", "7 DAYS"), lines)
    for row in rows:
        if row.error:
            print(f"{one_line(row.name)}: {one_line(row.error, 200)}")
        elif row.over_limit:
            print(f"{one_line(row.name)}: more fires than is told one by one; narrow it, or raise its limit")


def show_rehearsal(name: str, found: Rehearsal) -> None:
    """When a rule would have fired, for what and how long."""
    span = compact_duration((found.until - found.since).total_seconds())
    print(f"{one_line(name)} would have fired {count(len(found.fired), 'time')} in the last {span}, here,")
    print(f"for {count(found.instances, 'instance')} that it looked at.")
    if found.left_out:
        print(f"Not looked at: {count(found.left_out, 'further instance')}; name fewer services to see them.")
    for note in found.notes:
        print(note)
    if found.fired:
        print()
        show_table(("FIRED", "LASTED", "SEVERITY", "WHAT", "VALUE"), [_fired(each) for each in found.fired])


def _fired(each: WouldFire) -> tuple[str, ...]:
    lasted = "goes on"
    if each.ended_at is not None:
        lasted = compact_duration((each.ended_at - each.fired_at).total_seconds())
    return (
        f"{each.fired_at.astimezone():%a %Y-%m-%d %H:%M}",
        lasted,
        each.severity.word,
        one_line(each.title, 60),
        one_line(each.summary, 40),
    )
