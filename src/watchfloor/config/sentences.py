"""Turns what the validation library reports into problems a person understands.

Each names the place in the file, what was found and what is allowed. It must never show a secret: ``found``
is the text of the file with its references unresolved, and only where the field is not a secret one; what a
validator of a kind says is dropped if it repeats four characters in a row of anything that must stay hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from watchfloor.config.describe import declared, in_words
from watchfloor.config.document import Node
from watchfloor.config.problems import Mistakes, Path, quoted, suggest
from watchfloor.config.secret_fields import is_hidden
from watchfloor.domain.text import one_line

_MESSAGES = {
    "missing": "this key is required",
    "string_type": "must be text",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "does not have the right form",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "is too small",
    "greater_than": "is too small",
    "less_than_equal": "is too large",
    "less_than": "is too large",
    "too_short": "has too few entries",
    "too_long": "has too many entries",
    "literal_error": "is not one of the choices",
    "enum": "is not one of the choices",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "mapping_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "union_tag_not_found": "does not say which of its forms it has",
    "union_tag_invalid": "names a form that does not exist",
    "duration_type": "must be a duration",
    "duration_unit": "a number without a unit",
    "duration_form": "is not a duration",
    "duration_short": "is too short",
    "duration_long": "is too long",
}
_LIST_TYPES = ("list_type", "tuple_type", "set_type", "frozen_set_type")
_SHORTEST_LEAK = 4


@dataclass(frozen=True, slots=True)
class Subject:
    """What was validated: a mapping of the document at ``path``, by ``model``.

    ``more_keys`` are known beside the fields of the model. ``owner_of`` may say where an unknown key
    belongs. ``hidden`` gives the texts that must not appear, and is asked only when there is a mistake.
    """

    node: Node
    path: Path
    model: type[BaseModel]
    more_keys: Sequence[str] = ()
    owner_of: Callable[[str], str] = lambda key: ""
    hidden: Callable[[], Iterable[str]] = tuple


def report(error: ValidationError, subject: Subject, mistakes: Mistakes) -> None:
    """Note each mistake of a failed validation."""
    by_path: dict[Path, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False, include_input=False):
        _, path = subject.node.find(details["loc"])
        if details["type"] == "missing":
            path = (*path, details["loc"][-1])
        by_path.setdefault(path, []).append(details)
    for path, several in by_path.items():
        _note(several, path, subject, mistakes)


def _note(several: list[ErrorDetails], path: Path, subject: Subject, mistakes: Mistakes) -> None:
    details = several[0]
    full_path = (*subject.path, *path)
    node, _ = subject.node.find(path)
    if details["type"] == "extra_forbidden":
        mark = subject.node.key_mark(path)
        mistakes.add(mark, full_path, "unknown key", hint=_unknown_key_hint(path, subject))
        return
    field = declared(subject.model, path) if path else None
    allowed = in_words(*field) if field else ""
    if details["type"] == "missing":
        mistakes.add(node.mark, full_path, _MESSAGES["missing"], allowed=allowed)
        return
    message = _message(details, subject.hidden)
    found = "" if not path or is_hidden(subject.model, path, node.source or "") else found_in_words(node)
    mistakes.add(
        node.mark,
        full_path,
        message if len({_message(each, tuple) for each in several}) == 1 else "is not allowed here",
        found=found,
        allowed="" if allowed in message else allowed,
        hint=_hint(details, node, field, bool(found)),
    )


def _message(details: ErrorDetails, hidden: Callable[[], Iterable[str]]) -> str:
    if known := _MESSAGES.get(details["type"]):
        return known
    raised = details.get("ctx", {}).get("error")
    words = one_line(str(raised) if isinstance(raised, Exception) else details["msg"]).rstrip(".")
    if not words or _leaks(words, hidden()):
        return "is not valid"
    return words[0].lower() + words[1:] if words[1:2].islower() else words


def _leaks(words: str, hidden: Iterable[str]) -> bool:
    pieces = {words[at : at + _SHORTEST_LEAK] for at in range(max(1, len(words) - _SHORTEST_LEAK + 1))}
    return any(
        (secret in words) if len(secret) < _SHORTEST_LEAK else any(piece in secret for piece in pieces)
        for secret in hidden
        if secret
    )


def found_in_words(node: Node) -> str:
    """Show a value as it is written in the file; of a collection only its size."""
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return f"a list of {len(node.value)}"
    if node.value is None:
        return "nothing"
    return quoted(node.source or "") if isinstance(node.value, str) else one_line(node.source or "", 40)


def _hint(details: ErrorDetails, node: Node, field: tuple[Any, list[Any]] | None, shown: bool) -> str:
    kind, source = details["type"], one_line(node.source or "", 40)
    if "${" in source and shown:
        return "The value comes from a reference."
    if kind == "duration_unit" and shown:
        return f"Write {source}s for seconds."
    if kind == "string_type" and node.source is not None and node.value is not None:
        return f'Put it in quotes: "{source}".' if shown else "Put it in quotes."
    if kind in _LIST_TYPES and node.source:
        return f"Write [{source}]." if shown else "Write it in square brackets."
    if kind in ("literal_error", "enum") and field is not None and shown and isinstance(node.value, str):
        choices = in_words(*field).removeprefix("one of ").split(", ")
        return suggest(node.value, choices)
    return ""


def _unknown_key_hint(path: Path, subject: Subject) -> str:
    parent = declared(subject.model, path[:-1])
    key = str(path[-1])
    known = list(_field_names(parent[0])) if parent else []
    if len(path) == 1:
        known += subject.more_keys
        if owner := subject.owner_of(key):
            return owner
    if question := suggest(key, known):
        return question
    return f"Known keys: {', '.join(sorted(known)[:40])}." if known else "Remove it."


def _field_names(annotation: Any) -> Iterable[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, info in annotation.model_fields.items():
            yield info.alias or name
    for inner in get_args(annotation):
        yield from _field_names(inner)


def hidden_texts(model: type[BaseModel], raw: Any, resolved: Any, path: Path = ()) -> list[str]:
    """Every text in ``resolved`` that a message must not repeat: it came from a reference or is secret."""
    if isinstance(raw, Mapping):
        return [text for key in raw for text in hidden_texts(model, raw[key], resolved[key], (*path, key))]
    if isinstance(raw, list):
        pairs = zip(raw, resolved, strict=True)
        return [text for at, pair in enumerate(pairs) for text in hidden_texts(model, *pair, (*path, at))]
    if raw is None or (raw == resolved and not is_hidden(model, path, str(raw))):
        return []
    return [str(resolved)]
