"""References in values: ``${NAME}`` (environment) and ``${file:/path}``, also inside longer text.

``$${`` writes a literal ``${``. A referenced file is private to its owner and group, small, regular, UTF-8;
one line end at its end is dropped; a relative path starts at the directory of the configuration. What a
reference resolves to is used as it is and never searched for further references.

Messages from here name the variable or file and never hold what it contains.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from watchfloor.config.files import Unreadable, read_small
from watchfloor.config.problems import ConfigError, Problem, dotted, quoted
from watchfloor.config.problems import Path as KeyPath

MAX_REFERENCED_BYTES = 64 * 2**10
MAX_INSERTED = 64 * 2**20
"""So many characters may come from references in all: a long one can be repeated very often."""

SHARED_SECRETS = Path("/run/secrets")
"""Container engines put secrets here, readable by everyone in the container; nobody can change that."""

REFERENCE = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<inside>[^{}]*)\}|(?P<broken>\$\{)")
PLACEHOLDER = "\ue000"
"""Stands for whatever a reference resolves to; a private character that nobody writes."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE = "file:"


class Unresolved(Exception):
    """A reference that leads nowhere: a message and its remedy."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


Complain = Callable[[KeyPath, Unresolved], None]


class References:
    """Resolves references against one environment; reads each file once.

    ``files`` holds every file a reference named, readable or not, so that a watch can follow them.
    """

    def __init__(self, environ: Mapping[str, str], base_dir: Path) -> None:
        self._environ = environ
        self._base_dir = base_dir
        self._texts: dict[Path, str | Unresolved] = {}
        self._inserted = 0

    @property
    def files(self) -> frozenset[Path]:
        """The files named so far."""
        return frozenset(self._texts)

    def text(self, value: str) -> str:
        """Replace every reference in a text. Raises `Unresolved`."""
        return REFERENCE.sub(self._replacement, value) if "${" in value else value

    def tree(self, value: Any, complain: Complain, path: KeyPath = ()) -> Any:
        """Copy plain data with every text resolved; a text that cannot be is complained about and kept."""
        if isinstance(value, dict):
            for key in value:
                if "${" in key:
                    problem = Unresolved("a reference works in values only", "Write the key itself.")
                    complain((*path, key), problem)
            return {key: self.tree(inner, complain, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.tree(inner, complain, (*path, at)) for at, inner in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            try:
                return self.text(value)
            except Unresolved as problem:
                complain(path, problem)
        return value

    def _replacement(self, match: re.Match[str]) -> str:
        if match["escape"]:
            return "${"
        inside = match["inside"]
        if inside is not None and inside.startswith(_FILE) and len(inside) > len(_FILE):
            return self._bounded(self._from_file(inside[len(_FILE) :]))
        if inside is not None and _NAME.fullmatch(inside):
            return self._bounded(self._from_environment(inside))
        raise Unresolved(
            f"{quoted(match[0])} is not a reference",
            "Write ${NAME} for an environment variable, ${file:/path} for a file, $${ for a literal ${.",
        )

    def _bounded(self, text: str) -> str:
        self._inserted += len(text)
        if self._inserted > MAX_INSERTED:
            size = f"{MAX_INSERTED // 2**20} MiB"
            raise Unresolved(f"references insert more than {size} in all", "Use fewer or shorter ones.")
        return text

    def _from_environment(self, name: str) -> str:
        value = self._environ.get(name)
        if not value:
            state = "is not set" if value is None else "is empty"
            raise Unresolved(f"the environment variable {quoted(name)} {state}", "Set it and start again.")
        if "\0" in value or not _encodable(value):
            raise Unresolved(f"the environment variable {quoted(name)} is not UTF-8 text", "Set it to text.")
        return value

    def _from_file(self, written: str) -> str:
        path = self._base_dir / written
        known = self._texts.get(path)
        if known is None:
            try:
                known = _private_text(path, quoted(written))
            except Unresolved as problem:
                known = problem
            self._texts[path] = known
        if isinstance(known, Unresolved):
            raise Unresolved(known.message, known.hint)
        return known


def _private_text(path: Path, name: str) -> str:
    try:
        data, status = read_small(path, MAX_REFERENCED_BYTES)
    except Unreadable as trouble:
        raise Unresolved(f"the file {name} {trouble.reason}", trouble.remedy) from trouble
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unresolved(f"the file {name} can be changed by other users", f"Run: chmod 600 {name}")
    if status.st_mode & stat.S_IROTH and not path.is_relative_to(SHARED_SECRETS):
        raise Unresolved(f"the file {name} can be read by every user", f"Run: chmod 600 {name}")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Unresolved(f"the file {name} is not UTF-8 text", "Save it as UTF-8.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or "\0" in text:
        raise Unresolved(f"the file {name} is empty or holds a NUL character", "Write the secret into it.")
    return text


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def resolve(raw: Mapping[str, Any], environ: Mapping[str, str], base_dir: Path) -> dict[str, Any]:
    """Copy plain settings with every reference replaced by what it names.

    Raises `ConfigError` with one problem for each reference that leads nowhere.
    """
    problems: list[Problem] = []

    def complain(path: KeyPath, trouble: Unresolved) -> None:
        problems.append(Problem("", 0, 0, dotted(path), trouble.message, hint=trouble.hint))

    resolved = References(environ, base_dir).tree(dict(raw), complain)
    if problems:
        raise ConfigError(problems)
    return dict(resolved)


def without_references(text: str) -> str:
    """A text with each reference replaced by `PLACEHOLDER`, and each escape by what it means."""
    return REFERENCE.sub(lambda match: "${" if match["escape"] else PLACEHOLDER, text)


def references_in(text: str) -> list[str]:
    """What the references in a text name: variables as they are, files as ``file:/path``."""
    if "${" not in text:
        return []
    return [match["inside"] for match in REFERENCE.finditer(text) if match["inside"]]
