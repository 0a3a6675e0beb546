"""The kinds of rules, their keys and the rules that are in force by default as a page; docs/rules.md is this text."""

from __future__ import annotations

from collections.abc import Iterable

from watchfloor.config.describe import FieldRow, as_table, cell, describe
from watchfloor.config.rule_keys import EvaluatedKeys, ServiceRuleKeys, ThresholdKeys
from watchfloor.config.rule_kinds import MODELS
from watchfloor.config.schema import RuleBase, RuleKeys, WhenKeys
from watchfloor.domain.conditions import Condition
from watchfloor.domain.default_rules import DEFAULT_RULES
from watchfloor.domain.durations import format_duration
from watchfloor.domain.questions.unknown import Unknown
from watchfloor.domain.settings import get, shown

HEAD = """# Rules

Made from the models of the config file: do not edit, run `python -m watchfloor.config.rules_page > docs/rules.md`.

A rule says what raises an alert. Rules of `kind: state` look at the confirmed state of services: the first of them in
the file that matches raises. Every other kind is evaluated: it asks for a value of each of its instances (a service, a
job, the log), as often as `every` says, on one node, and holds it against a threshold. The alert of an instance lives
beside the one about the state of its service.

- **A wait survives a restart.** How long a condition has been true is in the database; a time in which nobody evaluated
  counts neither for nor against it, up to an hour. Checks that find nothing out, because the monitor stood still or was
  cut off, make a rule of `kind: state` wait longer; it fires only after one that found the problem still there.
- **A check that finds nothing out** (its program is missing, its credential is wrong, its condition cannot be worked
  out) leaves the confirmed state as it was, so that no rule of `kind: state` hears of it. `kind: unknown` does: it
  fires where that has lasted for as long as `for` says, tells what the last check said, and ends with the first check
  that finds anything out, good or bad. What a node sets aside because it is cut off is left out: an alert about the
  node tells of that.
- **Two values keep an alert from flapping**: it begins at `fire` and ends only at `clear`.
- **No value is no verdict.** `no_data` says what it means: `ok`, `keep` (what fires goes on, what waits waits longer)
  or `fire`. Of a service that is paused nothing is known, whatever `no_data` says.
- **A rule that cannot be evaluated**, because its query fails or takes more than five seconds, is an alert of its own,
  told once. The other rules go on.
- **More than `limit` instances that fire** are one alert about the rule. Those that had been told before live on.

## Rules of the console

Rules are written in the console as well: `+` under Alerts, Rules opens a form of the very keys of this page, judged as
a file is. Below it stands what such a rule would have done in the last seven days, as it is filled in; `x` shows all of
it. What a file defines is changed in that file, and can be copied; a file that names a rule of the console takes it.

- Rules on states of the console are asked after those of the file, the oldest first, and before the built-in one.
- `P` switches any rule off or on, whoever wrote it. That outlives restarts, and reloads of the file until it says
  something else about `enabled`. The built-in rule that catches the rest is never off.
- A rule that is changed, switched off or deleted is judged anew at once: what it has open and is no longer about ends,
  and a service that still fails goes to the rule that is about it then, so that no problem is forgotten.
- `R` sends a test: a marked message with what an alert of the rule would carry, about a service or job that the rule
  covers, where it covers any. It goes at once to the channels that routes name, and to whom the first step of the chain
  names. What is off or has a mute time, and who has quiet hours, is left out and said; silences are passed over.
- A rule's page says how its evaluations went in the last day, hour by hour: how many failed, how long they took, for
  how many instances it fired. Rules on states are asked when checks confirm a state, and not counted."""


def page() -> str:
    """The page."""
    shared = [row.name for row in describe(ThresholdKeys)]
    lines = [HEAD, "", "## Every rule", "", *as_table(describe(RuleBase))]
    lines += ["", "## state", "", *as_table(_own(RuleKeys, RuleBase)), "", "`when` takes:", ""]
    lines += as_table(describe(WhenKeys))
    lines += ["", "## Every rule that is evaluated", "", *as_table(_own(EvaluatedKeys, RuleBase))]
    lines += [
        "",
        "Those about services have `when` with `services`, `groups`, `kinds` and `tags`. Those with a",
    ]
    lines += ["threshold of numbers (`metric`, `rate`, `certificate`, `anomaly`) have these as well:", ""]
    lines += as_table(_own(ThresholdKeys, ServiceRuleKeys))
    for kind, model in MODELS.items():
        rows = [row for row in describe(model) if row.name not in shared or _differs(model, row.name)]
        lines += ["", f"## {kind}", "", (model.__doc__ or "").strip(), "", *as_table(rows)]
    return "\n".join([*lines, "", *_defaults()]) + "\n"


def _own(model: type[RuleBase], base: type[RuleBase]) -> list[FieldRow]:
    """What a model has that its base has not."""
    known = {row.name for row in describe(base)}
    return [row for row in describe(model) if row.name not in known]


def _differs(model: type[EvaluatedKeys], name: str) -> bool:
    return name in model.__annotations__ or f"{name}_" in model.__annotations__  # ``for`` is no name


def _defaults() -> Iterable[str]:
    yield from (
        "## Rules in force by default",
        "",
        "How busy processors, memory, disks and connections may be, and how far a replica may be behind, is judged by",
        "the checks of those kinds with the settings `thresholds.*`, so that it is the state of the service, and rules",
        "on states tell of it. What no check judges is watched by these rules, which tell every channel that is on:",
        "",
        "| rule | of | warning | critical | for | what it means |",
        "|---|---|---|---|---|---|",
    )
    for rule in DEFAULT_RULES:
        wait, asks = format_duration(rule.condition.threshold.for_s), rule.condition.asks
        of = ", ".join(rule.kinds) or ("every kind" if asks.of_services else "jobs")
        yield f"| `{rule.name}` | {of} | {_bounds(rule.condition)} | {wait} | {cell(rule.about)} |"
    yield from (
        "",
        "Thresholds of services are settings, as in `thresholds.slow_queries.warning`. A rule of the same name in the",
        "file takes the place of one of them; `default_rules` names those that stay on, and `default_rules: []` none:",
        "",
        "```yaml",
        "default_rules: [slow queries, dead runs, checks that find nothing out]",
        "```",
        "",
        "An alert about a job has its `owner`, `role` and `queue` as labels beside `job`, so that a route tells whom",
        "it belongs to:",
        "",
        "```yaml",
        "routes:",
        "  - {match: [owner=robin], channels: [robin]}",
        "```",
    )


def _bounds(condition: Condition) -> str:
    threshold = condition.threshold
    if isinstance(condition.asks, Unknown):
        return "nothing found out | never"
    if not condition.settings:
        return f"{threshold.words} | never"
    warning, critical = (get(f"{condition.settings}.{level}") for level in ("warning", "critical"))
    return (
        f"{threshold.operator.words} {shown(warning, warning.default)} | {shown(critical, critical.default)}"
    )


if __name__ == "__main__":
    print(page(), end="")
