"""``watchfloor rules``: which rules there are, and what one would have done; how answers are printed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import show_table
from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.loader import load
from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.durations import compact_duration, parse_duration
from watchfloor.domain.rehearsal import Rehearsal, WouldFire
from watchfloor.domain.rule_boards import UNHEARD, RuleRow
from watchfloor.domain.rule_health import RuleHealth, RuleHour, unevaluated
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
        elif row.unheard:
            print(f"{one_line(row.name)}: tells {UNHEARD}")


@dataclass(frozen=True, slots=True)
class RuleShown:
    """A rule, and how its evaluations go; ``why`` says why nothing is known of them, where nothing is."""

    rule: RuleRow
    health: RuleHealth | None
    why: str


def one(name: str) -> Callable[[Desk], Awaitable[RuleShown]]:
    """The question for one rule. Raises `Refused` where there is none of that name."""

    async def request(desk: Desk) -> RuleShown:
        row = next((each for each in await desk.rules() if each.name == name), None)
        if row is None:
            raise Refused(f"There is no rule called {one_line(name, 100)}.")
        health = await desk.rule_health(name)
        return RuleShown(row, health, unevaluated(row, health))

    return request


def show_rule(shown: RuleShown) -> None:
    """One rule with its condition, then how its evaluations went in the last day, hour by hour."""
    row, health = shown.rule, shown.health
    show_rules([row])
    print()
    if shown.why or health is None:
        print(shown.why)
        return
    print(f"evaluated {count(health.evaluations, 'time')} in the last day, {health.failures:,} failed")
    print(f"took {_ms(health.took_mean_ms)} on average, {_ms(health.took_most_ms)} at most")
    if health.judged_at is not None:
        found = (
            f"{count(health.instances or 0, 'instance')}, {health.pending} waiting, {health.firing} firing"
        )
        print(f"found {found} at {health.judged_at.astimezone():%a %Y-%m-%d %H:%M:%S}")
    if health.error_since is not None:
        print(f"fails since {health.error_since.astimezone():%a %Y-%m-%d %H:%M:%S}")
    print()
    columns = ("HOUR", "EVALUATED", "FAILED", "ON AVERAGE", "AT MOST", "FIRING")
    show_table(columns, [_hour(each) for each in health.hours])


def _hour(hour: RuleHour) -> tuple[str, ...]:
    return (
        f"{hour.hour.astimezone():%a %Y-%m-%d %H:%M}",
        str(hour.evaluations),
        str(hour.failures or ""),
        _ms(hour.took_mean_ms),
        _ms(hour.took_most_ms),
        str(hour.firing_most or ""),
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


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
