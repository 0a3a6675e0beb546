"""The fields of a form, made from a settings model: the model seen field by field."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from watchfloor.config.describe import FieldRow, describe
from watchfloor.config.forms import FormField, Path, Shape

LONG_TEXT = 5000
"""Text that may be at least so long is edited in several lines."""
_MAX_NESTING = 6


def fields_of(
    model: type[BaseModel], group: str = "", prefix: Path = (), depth: int = 0
) -> tuple[FormField, ...]:
    """The fields of a model in their order; those of a model inside it follow in a group of their own."""
    found: list[FormField] = []
    for row, (name, info) in zip(describe(model), model.model_fields.items(), strict=True):
        path = (*prefix, info.alias or name)
        inner = _only_model(info.annotation)
        if inner is not None and depth < _MAX_NESTING:
            found += fields_of(inner, ".".join(path), path, depth + 1)
        else:
            found.append(_field(row, info, path, group, depth))
    return tuple(sorted(found, key=lambda each: each.group != group))


def _field(row: FieldRow, info: FieldInfo, path: Path, group: str, depth: int) -> FormField:
    shape, choices, literal, fields = _shape(info.annotation, info.metadata, depth)
    return FormField(
        path,
        group,
        shape,
        row.allowed,
        row.default,
        row.description,
        row.required,
        row.secret,
        choices,
        literal,
        fields,
    )


def _shape(
    annotation: Any, metadata: Sequence[Any], depth: int
) -> tuple[Shape, tuple[str, ...], bool, tuple[FormField, ...]]:
    annotation, metadata = _bare(annotation, metadata)
    origin, inner = get_origin(annotation), get_args(annotation)
    kind = origin or annotation
    if origin is Literal:
        return Shape.CHOICE, tuple(str(each) for each in inner if each is not None), False, ()
    if kind in (Union, types.UnionType) or not isinstance(kind, type):
        return Shape.TEXT if _are_scalars(annotation) else Shape.ANY, (), False, ()
    if issubclass(kind, Enum):
        return Shape.CHOICE, tuple(str(each.value) for each in kind), False, ()
    if issubclass(kind, bool):
        return Shape.CHOICE, ("true", "false"), False, ()
    if issubclass(kind, str | SecretStr | SecretBytes):
        longest = max((getattr(each, "max_length", None) or 0 for each in metadata), default=0)
        return Shape.BLOCK if longest >= LONG_TEXT else Shape.TEXT, (), True, ()
    if issubclass(kind, Mapping):
        return (
            (Shape.MAPPING if _are_scalars(inner[-1] if inner else str) else Shape.ANY),
            (),
            _is_text(inner[-1:]),
            (),
        )
    if issubclass(kind, list | tuple | AbstractSet):
        return _list_shape(inner, depth)
    return Shape.TEXT if issubclass(kind, int | float) else Shape.ANY, (), False, ()


def _list_shape(
    inner: tuple[Any, ...], depth: int
) -> tuple[Shape, tuple[str, ...], bool, tuple[FormField, ...]]:
    model = _only_model(inner[0]) if inner else None
    if model is not None and depth < _MAX_NESTING:
        return Shape.ENTRIES, (), False, fields_of(model, depth=depth + 1)
    return Shape.LIST if not inner or _are_scalars(inner[0]) else Shape.ANY, (), _is_text(inner[:1]), ()


def _bare(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, list[Any]]:
    """A type without ``None`` and without what it is annotated with; that is returned beside it."""
    metadata = [
        part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else (each,))
    ]
    if get_origin(annotation) is Annotated:
        first, *more = get_args(annotation)
        return _bare(first, [*metadata, *more])
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [each for each in get_args(annotation) if each is not type(None)]
        if len(kinds) == 1:
            return _bare(kinds[0], metadata)
    return annotation, list(metadata)


def _only_model(annotation: Any) -> type[BaseModel] | None:
    bare, _ = _bare(annotation, ())
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def _are_scalars(annotation: Any) -> bool:
    bare, _ = _bare(annotation, ())
    origin, inner = get_origin(bare), get_args(bare)
    if origin in (Union, types.UnionType):
        return all(each is type(None) or _are_scalars(each) for each in inner)
    return origin is Literal or (
        isinstance(bare, type) and issubclass(bare, str | int | float | Enum | SecretStr | SecretBytes)
    )


def _is_text(annotations: Sequence[Any]) -> bool:
    bare = _bare(annotations[0], ())[0] if annotations else str
    return isinstance(bare, type) and issubclass(bare, str | SecretStr | SecretBytes)
