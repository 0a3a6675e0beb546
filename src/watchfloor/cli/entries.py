"""What commands take from people: files of entries as a config file holds them, and whether they are sure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from watchfloor.config.document import read_document
from watchfloor.config.problems import ConfigError, Mistakes
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Refused


def sure(what: str, yes: bool) -> None:
    """Ask a person; raises `Refused` where they are not sure, or where nobody is there to be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"To {what} add --yes: nobody is here to be asked.")
    if input(f"{what[:1].upper()}{what[1:]}? Type yes: ").strip().casefold() != "yes":
        raise Refused("Nothing was changed.")


def read_text(file: str) -> str:
    """The text of a file, or of standard input for ``-``. Raises `Refused`."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{one_line(file, 200)} cannot be read: {error}.") from None


def read_entries(file: str, key: str, noun: str) -> list[Mapping[str, Any]]:
    """The entries of a file: one, a list, or what stands under ``key``. Raises `ConfigError` or `Refused`."""
    mistakes = Mistakes(file)
    node = read_document(read_text(file).encode(), mistakes)
    if node is None or mistakes:
        raise ConfigError(mistakes.all())
    value = node.value.get(key, [node.value]) if isinstance(node.value, dict) else node.value
    entries = value if isinstance(value, list) else []
    if not entries or not all(isinstance(each, dict) for each in entries):
        raise Refused(f"Write one {noun}, a list of {noun}s, or a list under {key}:.")
    return entries
