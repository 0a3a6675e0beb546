"""What readers have in common."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


class TooMuch(Exception):
    """A rule asks for more than one evaluation may look at; the message says what to narrow."""


def chosen(name: str, globs: Iterable[str]) -> bool:
    """Whether a name matches one of these globs, or there is none."""
    listed = tuple(globs)
    return not listed or any(fnmatchcase(name, glob) for glob in listed)
