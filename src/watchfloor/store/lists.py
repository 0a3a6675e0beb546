"""Lists as PostgreSQL takes them, written in one go where all items are of one plain type.

The recorder sends a score of lists per batch, and the driver writes them item by item. Whatever is not plain, or text
that needs an escape or an encoding, is left to the driver. This module must never write what the server reads as
something else than what the driver would have written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from psycopg.abc import Buffer
from psycopg.types.array import ListDumper

_NOTHING = type(None)


def _quoted(item: object) -> str:
    return f'"{item}"'


def _hex(item: bytes) -> str:
    return f'"\\\\x{item.hex()}"'


_WRITE: Mapping[type, Callable[[Any], str]] = {
    int: str,
    bool: str,
    datetime: _quoted,
    str: _quoted,
    bytes: _hex,
}


class PlainLists(ListDumper):
    """The driver's way to write lists, made quick for the plain ones."""

    def dump(self, obj: list[Any]) -> Buffer | None:
        """``obj`` as the text of an array."""
        kinds = {*map(type, obj)} - {_NOTHING}
        kind = kinds.pop() if len(kinds) == 1 else _NOTHING
        write = _WRITE.get(kind)
        if write is None or (kind is str and not _can_be_quoted(obj)):
            return super().dump(obj)
        return ("{" + ",".join(["NULL" if item is None else write(item) for item in obj]) + "}").encode()


def _can_be_quoted(texts: list[str | None]) -> bool:
    everything = "".join(filter(None, texts))
    return everything.isascii() and not any(sign in everything for sign in '"\\\0')
