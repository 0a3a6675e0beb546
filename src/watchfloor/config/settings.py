"""Settings of a kind, from what is written to a validated model, wherever what is written comes from.

A node rebuilds settings here from what the database holds; the loader uses the same steps with the places
of a file. It must never put a resolved value into a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from watchfloor.config.base import Settings
from watchfloor.config.describe import declared, in_words
from watchfloor.config.document import Node, leaves, unplaced
from watchfloor.config.problems import ConfigError, Mistakes
from watchfloor.config.problems import Path as KeyPath
from watchfloor.config.references import resolve
from watchfloor.config.sentences import Subject, hidden_texts, report

Model = TypeVar("Model", bound=Settings)


def build_settings(
    model: type[Model], raw: Mapping[str, Any], environ: Mapping[str, str], base_dir: Path
) -> Model:
    """Resolve the references of stored settings and validate them.

    ``base_dir`` is where relative ``${file:…}`` paths start. Raises `ConfigError` with every mistake.
    """
    plain = dict(raw)
    mistakes = Mistakes("")
    settings = validated(model, unplaced(plain), plain, resolve(plain, environ, base_dir), (), mistakes)
    if settings is None or mistakes:
        raise ConfigError(mistakes.all())
    return settings


def lean(settings: Model) -> Model:
    """The same settings; what is not written in them is kept once for all of their kind."""
    kind, values = type(settings), vars(settings)
    usual, written = _usual(kind), settings.model_fields_set
    for name in kind.model_fields.keys() - written:
        if usual.setdefault(name, values[name]) == values[name]:
            values[name] = usual[name]
    # The set that pydantic keeps, which is never changed: 216 bytes of each of thousands.
    object.__setattr__(settings, "__pydantic_fields_set__", _once(frozenset(written)))
    return settings


@cache
def _usual(_kind: type[Settings]) -> dict[str, Any]:
    return {}


@lru_cache(maxsize=1024)
def _once(names: frozenset[str]) -> frozenset[str]:
    return names


def validated(
    model: type[Model],
    node: Node,
    raw: Mapping[str, Any],
    resolved: Mapping[str, Any],
    path: KeyPath,
    mistakes: Mistakes,
    *,
    more_keys: Sequence[str] = (),
    owner_of: Callable[[str], str] = lambda key: "",
) -> Model | None:
    """Validate resolved settings; None after noting what is wrong with them.

    ``node`` is where ``raw`` is written. ``more_keys`` and ``owner_of`` help with unknown keys.
    """
    _refuse_booleans(model, node, raw, path, mistakes)
    try:
        return model.model_validate(resolved)
    except ValidationError as error:
        subject = Subject(node, path, model, more_keys, owner_of, lambda: hidden_texts(model, raw, resolved))
        report(error, subject, mistakes)
    except Exception as error:
        # A kind of another package may be wrong itself; that must not take the program down.
        message = f"these settings make their own validation fail ({type(error).__name__})"
        mistakes.add(node.mark, path, message, hint="Report it to whoever wrote this kind.")
    return None


def _refuse_booleans(model: type[Settings], node: Node, raw: Any, path: KeyPath, mistakes: Mistakes) -> None:
    """Refuse ``true`` where a number is meant: the validation library would take it for 1."""
    for inner, leaf in leaves(raw):
        if leaf is not True and leaf is not False:
            continue
        field = declared(model, inner)
        words = in_words(*field) if field else ""
        if words.startswith(("a number", "a whole number")):
            found = "true" if leaf else "false"
            mark = node.mark_of(inner)
            mistakes.add(mark, (*path, *inner), "must be a number", found=found, allowed=words)
