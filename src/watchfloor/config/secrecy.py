"""Decides what must not be written in a configuration file, and what no message may show.

A field declared ``SecretStr`` may hold a literal where the literal gives nothing away; `looks_secret` is
that line:

* a URL or connection string is secret if it embeds a password, a query parameter with a secret's name, or
  a path part that looks like a generated token (as the webhook addresses of chat services do);
* a value in a mapping, such as a header, is secret if its key names something sensitive;
* a text that is sent somewhere, such as a body, is secret if it assigns a value to such a name;
* any other text is secret.

A password embedded in a URL is refused in every field, secret or not. References are never secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from watchfloor.config.problems import Path
from watchfloor.config.references import PLACEHOLDER, without_references

REMEDY = "Write ${NAME} and set the environment variable, or write ${file:/path}."

_SENSITIVE_WORD = re.compile(
    r"password|passwd|passphrase|pwd|secrets?|tokens?|auth|authorization|credentials?|cookies?|session"
    r"|signature|jwt|bearer|(api|access|private|signing|secret)key"
)
_SENSITIVE_NAME = re.compile(r"pass|key|sig")
_WORD_EDGE = re.compile(r"(?<=[a-z])(?=[A-Z])|[-_. ]+")

_URL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
_URL_PASSWORD = re.compile(r"://[^:@/?#\s]*:([^@/?#\s]+)@")
_QUERY_PAIR = re.compile(r"[?&;]([^=&;]+)=([^&;#]+)")
_CONNECTION = re.compile(r"(^|\s)(host|hostaddr|dbname|user|port|service)\s*=")
_CONNECTION_PASSWORD = re.compile(r"(?:^|\s)(?:ssl)?password\s*=\s*([^\s]+)", re.IGNORECASE)
_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9_-]{20,}|[0-9a-fA-F-]{32,}")
_SENT = re.compile(r"body|payload|content|data|message|text|query|send")
_PAIR = re.compile(r"""([\w-]{1,80})["']?\s{0,9}[:=]\s{0,9}["']?([^"'&,;}\s]+)""")
_MAX_NESTING = 8


def is_sensitive_name(name: str) -> bool:
    """Whether a key, header or variable is named like something secret.

    >>> [is_sensitive_name(name) for name in ("X-Api-Key", "dbPassword", "Accept", "monkey")]
    [True, True, False, False]
    """
    words = [word.casefold() for word in _WORD_EDGE.split(name[:200])]
    pairs = (first + second for first, second in pairwise(words))
    if any(_SENSITIVE_WORD.fullmatch(word) for word in (*words, *pairs)):
        return True
    return _SENSITIVE_NAME.fullmatch(name.casefold()) is not None


def embeds_password(text: str) -> bool:
    """Whether a text holds a URL with a password written in it (a reference in its place is fine)."""
    if "://" not in text:
        return False
    return any(_is_written(match[1]) for match in _URL_PASSWORD.finditer(without_references(text)))


def looks_secret(text: str, name: str, in_mapping: bool = False) -> bool:
    """Whether a literal for a ``SecretStr`` gives a secret away.

    ``name`` is that of its field, or, with ``in_mapping``, its key: the name of a header, for example.
    """
    bare = without_references(text)
    if not bare.strip() or embeds_password(text):
        return bool(bare.strip())
    if in_mapping:
        return is_sensitive_name(name) and PLACEHOLDER not in bare
    if _URL.match(bare):
        return _url_gives_away(bare)
    if _SENT.fullmatch(name.casefold()):
        return any(is_sensitive_name(key) and _is_written(value) for key, value in _PAIR.findall(bare))
    if not is_sensitive_name(name) and _CONNECTION.search(bare):
        return any(_is_written(match[1]) for match in _CONNECTION_PASSWORD.finditer(bare))
    return PLACEHOLDER not in bare


def _url_gives_away(url: str) -> bool:
    address, _, _ = url.partition("#")
    if any(is_sensitive_name(name) and _is_written(value) for name, value in _QUERY_PAIR.findall(address)):
        return True
    return any(_TOKEN.fullmatch(part) for part in re.split(r"[/?&=@:]", address))


def _is_written(value: str) -> bool:
    return PLACEHOLDER not in value


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
