"""Keeps secrets of settings out of what is said about a failure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel, SecretStr

from watchfloor.domain.text import one_line

PIECE = 8
"""So many characters of a secret in a row give it away; shorter secrets count whole."""


def secrets_of(value: object) -> Iterator[str]:
    """Every secret in settings."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from secrets_of(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secrets_of(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from secrets_of(inner)


def sayable(text: str, secrets: Iterable[str], limit: int = 200) -> str:
    """``text`` as one safe line; empty where any part of it gives a secret away."""
    line = one_line(text, limit)
    return "" if any(_gives_away(secret, line) for secret in secrets) else line


def _gives_away(secret: str, line: str) -> bool:
    if len(secret) < PIECE:
        return bool(secret) and secret in line
    return any(line[at : at + PIECE] in secret for at in range(len(line) - PIECE + 1))
