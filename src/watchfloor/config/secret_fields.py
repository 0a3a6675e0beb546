"""Where secrets are in settings models: what must not be written there, and what no message may show.

It is apart from `secrecy`, which judges texts, because settings models take long to load and a console shows its first
picture without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from watchfloor.config.problems import Path
from watchfloor.config.secrecy import embeds_password, is_sensitive_name, looks_secret

_MAX_NESTING = 8


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where secrets are below a declared type: here, below named fields, or below every key or position."""

    secret: bool = False
    fields: Mapping[str, _Shape] = field(default_factory=dict)
    each: _Shape | None = None

    def below(self, part: str | int) -> _Shape | None:
        return self.fields.get(str(part), self.each)

    def __bool__(self) -> bool:
        return self.secret or bool(self.fields) or self.each is not None

    def __or__(self, other: _Shape) -> _Shape:
        each = (self.each | other.each) if self.each and other.each else self.each or other.each
        return _Shape(self.secret or other.secret, {**self.fields, **other.fields}, each)


@lru_cache(maxsize=256)
def _shape_of(model: type[BaseModel], depth: int = 0) -> _Shape:
    if depth > _MAX_NESTING:
        return _Shape()
    shapes = {
        info.alias or name: _shape(info.annotation, depth + 1) for name, info in model.model_fields.items()
    }
    return _Shape(fields={name: shape for name, shape in shapes.items() if shape})


def _shape(annotation: Any, depth: int) -> _Shape:
    origin, inner = get_origin(annotation), get_args(annotation)
    kind = origin or annotation
    if isinstance(kind, type) and issubclass(kind, SecretStr | SecretBytes | Secret):
        return _Shape(secret=True)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _shape_of(kind, depth)
    if origin is Annotated:
        return _shape(inner[0], depth)
    merged = _Shape()
    for each in inner:
        merged |= _shape(each, depth)
    collects = isinstance(origin, type) and hasattr(origin, "__iter__")
    return _Shape(each=merged) if collects and merged else merged


def refused_literals(model: type[BaseModel], raw: Any) -> Iterator[Path]:
    """The paths of all secrets that are written in ``raw`` as literals, in the order of the document."""
    return _refused(_shape_of(model), raw, (), "")


def _refused(
    shape: _Shape | None, value: Any, path: Path, name: str, in_mapping: bool = False
) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, inner in value.items():
            below = shape.below(key) if shape else None
            keyed = shape is not None and below is shape.each
            yield from _refused(below, inner, (*path, key), key, keyed)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _refused(shape.below(at) if shape else None, inner, (*path, at), name)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(value)
        if embeds_password(text) or (shape and shape.secret and looks_secret(text, name, in_mapping)):
            yield path


def is_hidden(model: type[BaseModel], path: Path, source: str) -> bool:
    """Whether a message may not show the value at a path below a model."""
    shape: _Shape | None = _shape_of(model)
    for part in path:
        shape = shape.below(part) if shape else None
        if shape is not None and shape.secret:
            return True
    return embeds_password(source) or any(is_sensitive_name(str(part)) for part in path)
