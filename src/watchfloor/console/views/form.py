"""A form as lines of a table: one for each field, one for each entry of a list, one to add an entry. Pure.

What is secret is shown only where it is a reference; a literal, which nothing accepts, is hidden even so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchfloor.config.forms import FormField, Shape, as_text, differences, mistake_of, sentence, value_at
from watchfloor.config.problems import Problem
from watchfloor.config.secrecy import looks_secret
from watchfloor.console.format import Moment
from watchfloor.console.line import Line, clean, says, wrap
from watchfloor.console.widgets.table import Column

HIDDEN = "••••••"


@dataclass(frozen=True, slots=True)
class FormRow:
    """One line of a form. ``entry`` is the place in a list of entries; one beyond the last adds an entry."""

    field: FormField
    value: Any  # None: nothing of its own
    entry: int | None = None
    adds: bool = False
    heads: bool = False  # the first of its group
    changed: bool = False  # not saved yet
    problem: str = ""
    theirs: str = ""  # what somebody else made of it meanwhile
    open: bool = True  # it may be filled in

    @property
    def key(self) -> str:
        """What identifies the line."""
        return self.field.name if self.entry is None else f"{self.field.name}[{self.entry}]"

    @property
    def name(self) -> str:
        """What the line is called; the group stands beside it."""
        own = self.field.name.removeprefix(f"{self.field.group}.")
        if self.adds:
            return f"{own}, one more" if self.entry else own
        return own if self.entry is None else f"{own} {self.entry + 1}"


def form_rows(
    fields: Sequence[FormField],
    values: Mapping[str, Any],
    *,
    saved: Mapping[str, Any],
    problems: Sequence[Problem] = (),
    theirs: Mapping[str, str] | None = None,
    adds: bool = True,
) -> list[FormRow]:
    """The lines of a form; with ``adds`` there is one more for each list of entries."""
    changed = {field.name for field, _, _ in differences(fields, saved, values)}
    rows: list[FormRow] = []
    group = ""
    for field in fields:
        heads, group = field.group != group, field.group
        told: dict[str, Any] = {
            "heads": heads,
            "changed": field.name in changed,
            "theirs": (theirs or {}).get(field.name, ""),
        }
        value = value_at(values, field.path)
        if field.shape is Shape.ENTRIES and (value is None or isinstance(value, list)):
            rows += _entries(field, value or [], problems, told, adds)
            continue
        problem = mistake_of(field, problems)
        rows.append(FormRow(field, value, problem="" if problem is None else sentence(problem), **told))
    return rows


def _entries(
    field: FormField, entries: Sequence[Any], problems: Sequence[Problem], told: dict[str, Any], adds: bool
) -> list[FormRow]:
    own = [each for each in problems if each.path == field.name]
    rows = []
    for place, entry in enumerate(entries):
        lead = f"{field.name}[{place}]"
        found = next((each for each in problems if each.path.startswith(lead)), None)
        rows.append(
            FormRow(field, entry, place, problem="" if found is None else _below(found, lead), **told)
        )
    if adds or not rows:
        problem = sentence(own[0]) if own else ""
        rows.append(FormRow(field, None, len(entries), adds=True, open=adds, problem=problem, **told))
    return rows


def _below(problem: Problem, lead: str) -> str:
    inner = problem.path[len(lead) :].removeprefix(".")
    return f"{inner}: {sentence(problem)}" if inner else sentence(problem)


def shown_value(row: FormRow) -> Line:
    """What a field holds, or its default; of several lines or items the first and how many."""
    if row.adds:
        return says("+ add", "accent") if row.open else says("—", "muted")
    if row.value is None:
        words = "to be filled in" if row.field.required else row.field.default or "—"
        return says(clean(words), "degraded" if row.field.required else "muted")
    if row.entry is not None and isinstance(row.value, Mapping):
        words = ", ".join(f"{key} {_one(row.field, value)}" for key, value in row.value.items())
        return says(clean(words), "text")
    return says(clean(_one(row.field, row.value)), "accent" if row.changed else "text")


def _one(field: FormField, value: object) -> str:
    text = (
        as_text(field, value)
        if isinstance(value, Mapping | list)
        else str(value)
        if not isinstance(value, bool)
        else str(value).lower()
    )
    if field.secret:
        text = "\n".join(_hidden(field, line) for line in text.splitlines())
    lines = text.splitlines() or [""]
    if field.shape is Shape.BLOCK and len(lines) > 1:
        return f"{lines[0]} … ({len(lines)} lines)"
    return " · ".join(line.strip() for line in lines)


def _hidden(field: FormField, line: str) -> str:
    """A line of a secret; what would be refused as one that is written out is not shown."""
    key, colon, value = line.partition(": ") if field.shape is Shape.MAPPING else ("", "", line)
    name = key or field.path[-1]
    return f"{key}{colon}{HIDDEN}" if looks_secret(value, name, bool(key)) else line


def _name(row: FormRow, moment: Moment, cells: int) -> Line:
    role = "failing" if row.problem else "text" if row.field.required or row.value is not None else "muted"
    return says(row.name, role)


def _note(row: FormRow, moment: Moment, cells: int) -> Line:
    if row.problem:
        return says(f"✘ {clean(row.problem)}", "failing")
    if row.theirs:
        return says(f"▲ {clean(row.theirs)}", "degraded")
    return says(clean(row.field.description), "muted")


COLUMNS: tuple[Column[FormRow], ...] = (
    Column("FIELD", _name, 15, grow=1, limit=22),
    Column("VALUE", lambda row, *_: shown_value(row), 20, grow=3, limit=70),
    Column(
        "GROUP",
        lambda row, *_: says(row.field.group if row.heads else "", "muted"),
        8,
        rank=3,
        limit=12,
        grow=1,
    ),
    Column("WHAT IT IS, OR WHAT IS WRONG", _note, 28, grow=4, rank=2),
)


def about(row: FormRow | None, cells: int) -> list[Line]:
    """The lines under a form: what the field is, what may be written, and what is wrong with what is."""
    if row is None:
        return []
    field = row.field
    lines = wrap(field.description or field.name, cells, "text", limit=2)
    allowed = " · ".join(field.choices) or field.allowed
    default = f"   default: {field.default}" if field.default else ""
    lines += wrap(
        f"{allowed}{default}" + (" · a reference such as ${NAME}" if field.secret else ""),
        cells,
        "muted",
        limit=2,
    )
    for words, sign, role in ((row.problem, "✘", "failing"), (row.theirs, "▲", "degraded")):
        if words:
            lines += wrap(f"{sign} {words}", cells, role, limit=2)
    return lines
