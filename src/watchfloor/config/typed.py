"""Judges what was filled into a form by the very rules of the config file.

A form may be filled in on another machine than the one that uses it, where variables and secret files are that it
refers to: a reference that leads nowhere here is told as a note, not as a mistake, and what it stands for is not
judged. It must never resolve a reference into anything that is shown or kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from watchfloor.config.document import Node, leaves, unplaced
from watchfloor.config.entries import Models, Reader
from watchfloor.config.maintenance import MaintenanceConfig
from watchfloor.config.model import JobConfig, RuleConfig, ServiceConfig
from watchfloor.config.problems import Mistakes, Problem, dotted
from watchfloor.config.references import References, Unresolved, references_in
from watchfloor.config.schema import DefaultKeys

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Judged(Generic[Made]):
    """What an entry came to: a job or a service where it has no mistakes, and what is worth knowing about it."""

    made: Made | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


class _Elsewhere(References):
    """References of which those that lead nowhere here stand for themselves."""

    def __init__(self, environ: Mapping[str, str], base_dir: Path) -> None:
        super().__init__(environ, base_dir)
        self.missing: dict[str, str] = {}

    def _from_environment(self, name: str) -> str:
        return self._or_itself(name, super()._from_environment)

    def _from_file(self, written: str) -> str:
        return self._or_itself(written, super()._from_file, "file:")

    def _or_itself(self, name: str, resolve: Any, lead: str = "") -> str:
        try:
            return str(resolve(name))
        except Unresolved as problem:
            self.missing[f"{lead}{name}"] = f"{problem.message} here; the node that uses it must have it"
            return f"${{{lead}{name}}}"


def judge_job(
    raw: Mapping[str, Any], kinds: Models, environ: Mapping[str, str], base_dir: Path
) -> Judged[JobConfig]:
    """Judge a job as it would stand in a file."""
    return _judge(raw, environ, base_dir, lambda reader, node: reader.job(node, (), kinds)[1])


def judge_service(
    raw: Mapping[str, Any], kinds: Models, environ: Mapping[str, str], base_dir: Path
) -> Judged[ServiceConfig]:
    """Judge a service as it would stand in a file that sets no defaults of its own.

    Names of others that it needs are judged by whoever knows them.
    """
    return _judge(
        raw, environ, base_dir, lambda reader, node: reader.service(node, (), kinds, DefaultKeys())[1]
    )


def judge_rule(raw: Mapping[str, Any], environ: Mapping[str, str], base_dir: Path) -> Judged[RuleConfig]:
    """Judge a rule as it would stand in a file. What it names is judged by whoever knows it."""
    return _judge(raw, environ, base_dir, lambda reader, node: reader.rule(node, ())[1])


def judge_window(
    raw: Mapping[str, Any], environ: Mapping[str, str], base_dir: Path
) -> Judged[MaintenanceConfig]:
    """Judge a maintenance window as it would stand in a file."""
    return _judge(raw, environ, base_dir, lambda reader, node: reader.window(node, ())[1])


def _judge(
    raw: Mapping[str, Any],
    environ: Mapping[str, str],
    base_dir: Path,
    read: Callable[[Reader, Node], Made | None],
) -> Judged[Made]:
    references, mistakes = _Elsewhere(environ, base_dir), Mistakes("")
    node = unplaced(dict(raw))
    made = read(Reader(mistakes, references), node)
    open_ = _open_paths(node, references)
    found = mistakes.all()
    problems = tuple(each for each in found if each.path not in open_)
    if made is None and not problems:
        problems = found  # a number or a choice that only another machine knows
    return Judged(None if problems else made, problems, tuple(sorted(references.missing.values())))


def _open_paths(node: Node, references: _Elsewhere) -> frozenset[str]:
    """The paths whose values are not known here."""
    return frozenset(
        dotted(path)
        for path, leaf in leaves(node.value)
        if isinstance(leaf, str) and references.missing.keys() & set(references_in(leaf))
    )
