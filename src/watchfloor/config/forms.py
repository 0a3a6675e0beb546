"""Forms: what can be filled in, and from what is typed back to what a file would hold.

Nothing here knows one kind from another, nor the settings models that forms are made from (see `form_fields`). What a
form holds is written exactly as a config file holds it, references unresolved, so file and form have one set of rules.
It must never hold a resolved secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import yaml

from watchfloor.config.document import plain_value, read_document
from watchfloor.config.problems import Mistakes, Problem, dotted

Path = tuple[str, ...]


class Shape(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    BLOCK = "block"  # several lines
    CHOICE = "choice"
    LIST = "list"  # one item a line
    MAPPING = "mapping"  # "key: value", one a line
    ENTRIES = "entries"  # a list of things that have fields themselves
    ANY = "any"  # whatever else: as a file would hold it


@dataclass(frozen=True, slots=True)
class FormField:
    """One thing to fill in. ``group`` is empty for the keys at the top; ``literal`` text never becomes a number."""

    path: Path
    group: str
    shape: Shape
    allowed: str
    default: str
    description: str
    required: bool
    secret: bool
    choices: tuple[str, ...] = ()
    literal: bool = False
    fields: tuple[FormField, ...] = ()

    @property
    def name(self) -> str:
        """The path as people read it."""
        return dotted(self.path)


@dataclass(frozen=True, slots=True)
class Form:
    """A thing to fill in or to look at. ``version`` is 0 for a new one, ``owner`` who may change it.

    ``values`` are as a file would hold them.
    """

    what: str  # job, …
    name: str
    kind: str
    kinds: tuple[str, ...]
    fields: tuple[FormField, ...]
    values: Mapping[str, Any]
    version: int = 0
    owner: str = "console"  # console, file, system
    origin: str = ""  # where it stands in a file: "config.yaml:14"
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def readonly(self) -> str:
        """Why this cannot be changed here; empty where it can."""
        if self.owner == "file":
            return f"it is defined in {self.origin}; change it there, or copy it"
        return "" if self.owner == "console" else "it belongs to the program"


# From values to text and back


def value_at(values: Mapping[str, Any], path: Path) -> Any:
    """What the values hold at a path; None where they hold nothing."""
    found: Any = values
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def with_value(values: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The values with another value at a path; None takes it away, and with it what is empty then.

    >>> with_value({"a": {"b": 1}}, ("a", "b"), None), with_value({}, ("a", "b"), 2)
    ({}, {'a': {'b': 2}})
    """
    head, *rest = path
    changed = dict(values)
    if rest:
        inner = values.get(head)
        value = with_value(inner if isinstance(inner, Mapping) else {}, tuple(rest), value) or None
    if value is None:
        changed.pop(head, None)
    else:
        changed[head] = value
    return changed


def in_order(fields: Sequence[FormField], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the order of their form; what it does not know comes last."""
    tops = list(dict.fromkeys(field.path[0] for field in fields))
    place = {name: number for number, name in enumerate(tops)}
    inner = {field.name: field.fields for field in fields if field.shape is Shape.ENTRIES}
    values = {
        key: [in_order(inner[key], each) if isinstance(each, Mapping) else each for each in value]
        if key in inner and isinstance(value, list)
        else value
        for key, value in values.items()
    }
    return dict(sorted(values.items(), key=lambda item: (place.get(item[0], len(place)), item[0])))


def as_text(field: FormField, value: Any) -> str:
    """A value as it is typed: one item a line for lists and mappings, as a file would hold it for what is deeper."""
    if value is None:
        return ""
    if field.shape is Shape.LIST and isinstance(value, list) and _flat(value):
        return "\n".join(_scalar(each) for each in value)
    if field.shape is Shape.MAPPING and isinstance(value, Mapping) and _flat(value.values()):
        return "\n".join(f"{key}: {_scalar(each)}" for key, each in value.items())
    return _scalar(value) if not isinstance(value, Mapping | list) else written(value).rstrip("\n")


def _flat(values: Any) -> bool:
    return all(isinstance(each, str | int | float) and "\n" not in str(each) for each in values)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def written(value: Any) -> str:
    """Plain data as a file would hold it."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Text of several lines is written as a block; what this program would not read back as text is quoted."""


def _represent(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    lines = text.split("\n")
    if len(lines) > 1 and all(line.isprintable() and not line.endswith(" ") for line in lines):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    style = None if text.isprintable() and isinstance(plain_value(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent)


def from_text(field: FormField, text: str) -> Any:
    """What was typed as a file would hold it; None for nothing. Raises `ValueError` with what is wrong."""
    if not text.strip():
        return None
    match field.shape:
        case Shape.LIST:
            return [_typed(field, line.strip()) for line in text.splitlines() if line.strip()]
        case Shape.MAPPING:
            return dict(_pairs(field, text))
        case Shape.ENTRIES | Shape.ANY:
            mistakes = Mistakes("")
            node = read_document(text.encode(), mistakes)
            if node is None or mistakes:
                first = mistakes.all()[0]
                raise ValueError(f"line {first.line}: {first.message}")
            return node.value
        case Shape.BLOCK:
            return text
        case _:
            return _typed(field, text.strip())


def _typed(field: FormField, text: str) -> Any:
    if field.literal:
        return text
    return plain_value(text)


def _pairs(field: FormField, text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        key, colon, value = line.partition(":")
        if not colon or not key.strip():
            raise ValueError(f'line {number}: write "key: value"')
        yield key.strip(), _typed(field, value.strip())


# Mistakes, and somebody else's changes


def mistake_of(field: FormField, problems: Sequence[Problem]) -> Problem | None:
    """The first mistake at a field or below it."""
    name = field.name
    return next(
        (each for each in problems if each.path == name or each.path.startswith((f"{name}.", f"{name}["))),
        None,
    )


def sentence(problem: Problem) -> str:
    """A mistake without its place, which is where it is shown.

    >>> sentence(Problem("", 0, 0, "retry.attempts", "is too small", "0", "a whole number from 1 to 100"))
    'is too small; allowed: a whole number from 1 to 100.'
    """
    allowed = f"; allowed: {problem.allowed}" if problem.allowed else ""
    return f"{problem.message}{allowed}." + (f" {problem.hint}" if problem.hint else "")


def merged(
    fields: Sequence[FormField], base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any]:
    """Their values with what was changed here from ``base`` on top."""
    result: dict[str, Any] = dict(theirs)
    for field in fields:
        changed = value_at(mine, field.path)
        if changed != value_at(base, field.path):
            result = with_value(result, field.path, changed)
    return result


def differences(
    fields: Sequence[FormField], before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[tuple[FormField, Any, Any]]:
    """The fields that hold something else, with both values."""
    pairs = [(field, value_at(before, field.path), value_at(after, field.path)) for field in fields]
    return [(field, one, other) for field, one, other in pairs if one != other]
