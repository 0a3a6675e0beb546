"""Says in words what a settings model accepts, for messages, documentation and forms.

Everything comes from the declarations, so the words cannot differ from the rules.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from watchfloor.config.fields import Seconds
from watchfloor.domain.durations import format_duration

MAX_CHOICES = 40


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of a settings model; ``default`` is empty where the field is required or has none."""

    name: str
    allowed: str
    default: str
    description: str
    required: bool
    secret: bool


def describe(model: type[BaseModel]) -> list[FieldRow]:
    """Describe the fields of a model, in the order in which they are declared."""
    return [
        FieldRow(
            name=info.alias or name,
            allowed=in_words(info.annotation, info.metadata),
            default=_default_in_words(info),
            description=info.description or "",
            required=info.is_required(),
            secret=_holds_secret(info.annotation),
        )
        for name, info in model.model_fields.items()
    ]


def as_table(rows: Iterable[FieldRow]) -> list[str]:
    """Write fields as the lines of a table in Markdown."""
    return [
        "| key | what may be written | default | meaning |",
        "|---|---|---|---|",
        *(
            f"| `{row.name}` | {cell(row.allowed)}{' (secret)' if row.secret else ''} | "
            f"{'*required*' if row.required else cell(row.default)} | {cell(row.description)} |"
            for row in rows
        ),
    ]


def cell(text: str) -> str:
    """Write a text so that it may stand in a cell of a table in Markdown."""
    return text.replace("|", "\\|").replace("\n", " ")


def in_words(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """The words for what a declared type accepts.

    >>> in_words(Literal["GET", "HEAD"]), in_words(int | None), in_words(dict[str, bool])
    ('one of GET, HEAD', 'a whole number', 'a mapping; each value: true or false')
    """
    metadata = [
        part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else (each,))
    ]
    for each in metadata:
        if words := getattr(each, "in_words", None):
            return str(words)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return in_words(inner[0], [*metadata, *inner[1:]])
    if origin is Literal:
        return _choices(inner)
    if origin in (Union, types.UnionType):
        return " or ".join(
            dict.fromkeys(in_words(each, metadata) for each in inner if each is not type(None))
        )
    kind = origin or annotation
    if not isinstance(kind, type) or kind in (Any, object):
        return "a value"
    return _scalar_in_words(kind, metadata) or _collection_in_words(kind, inner)


def _scalar_in_words(kind: type, metadata: list[Any]) -> str:
    if issubclass(kind, Enum):
        return _choices(tuple(each.value for each in kind))
    if issubclass(kind, bool):
        return "true or false"
    if issubclass(kind, int):
        return "a whole number" + _range(metadata)
    if issubclass(kind, float):
        return "a number" + _range(metadata)
    if issubclass(kind, str | SecretStr | SecretBytes):
        return "text" + _length(metadata)
    return ""


def _collection_in_words(kind: type, inner: tuple[Any, ...]) -> str:
    if issubclass(kind, BaseModel):
        return "a mapping with the keys " + ", ".join(
            info.alias or n for n, info in kind.model_fields.items()
        )
    if issubclass(kind, Mapping):
        return "a mapping" + (f"; each value: {in_words(inner[-1])}" if inner else "")
    if issubclass(kind, list | tuple | AbstractSet):
        return "a list" + (f"; each item: {in_words(inner[0])}" if inner else "")
    return "text"


def declared(model: type[BaseModel], path: tuple[str | int, ...]) -> tuple[Any, list[Any]] | None:
    """The type and metadata declared for a path below a model; None where nothing is declared."""
    return _below(model, [], path)


def _below(annotation: Any, metadata: list[Any], path: tuple[str | int, ...]) -> tuple[Any, list[Any]] | None:
    if not path:
        return annotation, metadata
    origin, inner = get_origin(annotation), get_args(annotation)
    kind = origin or annotation
    if origin in (Union, types.UnionType):
        return next(filter(None, (_below(each, [], path) for each in inner)), None)
    if origin is Annotated:
        return _below(inner[0], [], path)
    if not isinstance(kind, type):
        return None
    if issubclass(kind, BaseModel):
        for name, info in kind.model_fields.items():
            if path[0] in (name, info.alias):
                return _below(info.annotation, info.metadata, path[1:])
        return None
    if inner and issubclass(kind, Mapping):
        return _below(inner[-1], [], path[1:])
    if inner and issubclass(kind, list | tuple | AbstractSet):
        return _below(inner[0], [], path[1:])
    return None


def _choices(values: tuple[Any, ...]) -> str:
    words = [str(value) for value in values if value is not None]
    more = ", …" if len(words) > MAX_CHOICES else ""
    return "one of " + ", ".join(words[:MAX_CHOICES]) + more if len(words) != 1 else words[0]


def _bound(metadata: Iterable[Any], *names: str) -> Any:
    found = (getattr(each, name, None) for each in metadata for name in names)
    return next((bound for bound in found if bound is not None), None)


def _range(metadata: list[Any]) -> str:
    low, above = _bound(metadata, "ge"), _bound(metadata, "gt")
    high, below = _bound(metadata, "le"), _bound(metadata, "lt")
    if low is not None and high is not None:
        return f" from {low:.15g} to {high:.15g}"
    parts = {"at least": low, "above": above, "at most": high, "below": below}
    words = " and ".join(f"{word} {bound:.15g}" for word, bound in parts.items() if bound is not None)
    return f" {words}" if words else ""


def _length(metadata: list[Any]) -> str:
    short, long = _bound(metadata, "min_length"), _bound(metadata, "max_length")
    if short and long is not None:
        return f" of {short} to {long} characters"
    if long is not None:
        return f" of at most {long} characters"
    return f" of at least {short} character" + ("s" if short != 1 else "") if short else ""


def _holds_secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes):
        return True
    return any(_holds_secret(inner) for inner in get_args(annotation))


def _default_in_words(info: FieldInfo) -> str:
    default = info.get_default(call_default_factory=False)
    if default is PydanticUndefined and info.default_factory is not None:
        default = info.default_factory()  # type: ignore[call-arg]
    if default is PydanticUndefined or default is None:
        return ""
    return _value_in_words(default)


def _value_in_words(value: Any) -> str:
    if isinstance(value, Seconds):
        return format_duration(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, BaseModel):
        value = {name: inner for name, inner in value if inner is not None and _value_in_words(inner)}
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_value_in_words(each)}" for key, each in value.items())
    if isinstance(value, list | tuple | AbstractSet):
        return ", ".join(_value_in_words(each) for each in value)
    return str(value)
