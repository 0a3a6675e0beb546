"""Mistakes in a configuration: what they hold, how they are collected, how they read.

A mistake names its place, what was found, what is allowed and the remedy. It must never hold the value of
a secret: whoever makes a `Problem` decides what ``found`` may show, and nothing here looks values up.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchfloor.domain.text import one_line

MAX_PROBLEMS = 1000
"""More mistakes than this in one file are counted, not listed."""

Path = tuple[str | int, ...]
"""Where a value is in the document: keys and positions, outermost first."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    ``line`` and ``column`` count from 1; 0 means that the mistake has no place in a file. ``path`` reads
    like ``services[2].url``. ``message`` has no full stop; ``hint`` is one or more whole sentences.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    found: str = ""
    allowed: str = ""
    hint: str = ""

    @property
    def place(self) -> str:
        """Where the mistake is, as in ``config.yaml:14:10``."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)

    def __str__(self) -> str:
        """One printable line, as in ``config.yaml:14:10: services[2].timeuot: unknown key. Did you …?``"""
        where = "".join(f"{one_line(part, 400)}: " for part in (self.place, self.path) if part)
        sentence = self.message
        if self.found:
            sentence += f"; found {self.found}"
        if self.allowed:
            sentence += f"; allowed: {self.allowed}"
        return f"{where}{sentence}." + (f" {self.hint}" if self.hint else "")


class ConfigError(Exception):
    """A configuration that cannot be used; ``problems`` holds every mistake found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(render(self.problems)))


class Mistakes:
    """Collects the mistakes of one file, at most `MAX_PROBLEMS`, at most one for each place and path."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[Problem] = []
        self._seen: set[tuple[int, int, str]] = set()
        self._left_out = 0

    def __len__(self) -> int:
        return len(self._found) + self._left_out

    def include(self, problem: Problem) -> None:
        """Note a mistake that was made elsewhere than in the file."""
        self._found.append(problem)

    def add(
        self,
        mark: tuple[int, int],
        path: Path,
        message: str,
        *,
        found: str = "",
        allowed: str = "",
        hint: str = "",
    ) -> None:
        """Note a mistake at a mark (line and column, from 1); the first one at a place and path wins."""
        if len(self._found) >= MAX_PROBLEMS:
            self._left_out += 1
            return
        line, column = mark
        key = (line, column, dotted(path))
        if key in self._seen:
            return
        self._seen.add(key)
        self._found.append(Problem(self.file, line, column, key[2], message, found, allowed, hint))

    def all(self) -> tuple[Problem, ...]:
        """Every mistake, in the order of the file."""
        found = sorted(self._found, key=lambda problem: (problem.line, problem.column))
        if self._left_out:
            more = f"{self._left_out} more mistakes are not listed"
            found.append(Problem(self.file, 0, 0, "", more, hint="Correct these first."))
        return tuple(found)


def render(problems: Iterable[Problem]) -> list[str]:
    """Each mistake as one printable line without control characters."""
    return [str(problem) for problem in problems]


def dotted(path: Path) -> str:
    """Write a path the way people read it.

    >>> dotted(("services", 2, "headers", "X-Trace Id"))
    'services[2].headers["X-Trace Id"]'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "").replace("-", "").isalnum() and len(part) <= 60:
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(text: str) -> str:
    """Show text from a file between double quotes, safe and short."""
    return f'"{one_line(text, 80)}"'


def suggest(word: str, known: Sequence[str]) -> str:
    """Ask ``Did you mean "…"?`` when a known word is close, else return nothing.

    Bounded: only the first 64 characters and a few hundred likely candidates are compared.
    """
    word = word[:64]
    if len(known) > 300:
        known = [each for each in known if each[:2] == word[:2] or each[-2:] == word[-2:]][:300]
    folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return f"Did you mean {quoted(folded[close[0]])}?" if close else ""
