"""Reads ``config.yaml`` into a `Configuration`, or into every mistake it holds.

Reading never raises for anything a file, a secret file or the environment holds, and never stops at the
first mistake. It knows kinds only by the settings models it is given.

The environment beats the file: ``WATCHFLOOR_DATABASE`` and ``WATCHFLOOR_DATA`` replace ``database`` and
``data_dir``. The keys every service has are shown and stored as they are, so references that look like
secrets are mistakes there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from watchfloor.config.checks import (
    Entry,
    check_asked,
    check_calendars,
    check_chains,
    check_dependencies,
    check_rules,
    check_selectors,
    check_unique,
    check_windows,
)
from watchfloor.config.document import MAX_BYTES, Node, read_document
from watchfloor.config.entries import Models, Reader, key_names
from watchfloor.config.files import Unreadable, read_small
from watchfloor.config.locate import DATA_VARIABLE, DATABASE_VARIABLE, default_data_dir, expanded
from watchfloor.config.model import Configuration, Loaded, NodeConfig
from watchfloor.config.oncall_checks import check_oncall
from watchfloor.config.problems import Mistakes, Problem, suggest
from watchfloor.config.reactions import MAX_REACTIONS, check_reactions
from watchfloor.config.references import References
from watchfloor.config.routing import MAX_ROUTES, check_reserved, check_routes
from watchfloor.config.schema import DefaultKeys, NodeKeys
from watchfloor.config.secrecy import REMEDY, looks_secret
from watchfloor.config.sentences import found_in_words

TOP_KEYS = (
    "database",
    "data_dir",
    "node",
    "defaults",
    "services",
    "rules",
    "default_rules",
    "channels",
    "jobs",
    "calendars",
    "objectives",
    "maintenance",
    "routes",
    "inhibitions",
    "people",
    "contact_groups",
    "rotas",
    "escalations",
    "reactions",
    "watchdog",
)
MAX_SERVICES = 20_000
MAX_RULES = 1_000
MAX_CHANNELS = 1_000
MAX_JOBS = 10_000
MAX_CALENDARS = 1_000
MAX_OBJECTIVES = 1_000
MAX_WINDOWS = 1_000

_IF_EMPTY = "Remove the file to use the defaults, or begin with a copy of config.example.yaml."
_DATABASE = re.compile(r"postgres(ql)?://\S+|\s*[a-z_]+\s*=\s*\S.*", re.DOTALL)
_DATABASE_FORM = "postgresql://user@host:5432/database"

Model = TypeVar("Model")
_NONE: Models = MappingProxyType({})


def load(
    path: Path,
    kinds: Models,
    channel_kinds: Models,
    environ: Mapping[str, str] = os.environ,
    *,
    payload_kinds: Models = _NONE,
) -> Loaded:
    """Read and validate one file; ``kinds`` map the names of kinds to their settings models.

    Raises `TypeError` only for a kind whose settings take the name of a key that every entry has.
    """
    try:
        data, _ = read_small(path, MAX_BYTES)
    except Unreadable as trouble:
        problem = Problem(str(path), 0, 0, "", f"this file {trouble.reason}", hint=trouble.remedy)
        return Loaded(None, (problem,), frozenset())
    return _File(path, kinds, channel_kinds, payload_kinds, environ).read(data)


def check(
    path: Path,
    kinds: Models,
    channel_kinds: Models,
    environ: Mapping[str, str] = os.environ,
    *,
    payload_kinds: Models = _NONE,
) -> list[Problem]:
    """Every mistake of one file; empty if it can be used."""
    return list(load(path, kinds, channel_kinds, environ, payload_kinds=payload_kinds).problems)


def default_configuration(kinds: Models, environ: Mapping[str, str] = os.environ) -> Loaded:
    """What applies without a file: this machine is watched, if there is a kind of check for it.

    Only ``WATCHFLOOR_DATABASE`` can be a mistake here.
    """
    services = [{"name": _host_name(), "kind": "host"}] if "host" in kinds else []
    return _File(None, kinds, {}, {}, environ).read(json.dumps({"services": services}).encode())


class _File:
    """One reading of one file."""

    def __init__(
        self,
        path: Path | None,
        kinds: Models,
        channel_kinds: Models,
        payload_kinds: Models,
        environ: Mapping[str, str],
    ) -> None:
        self._path = path
        self._base_dir = path.absolute().parent if path else Path.cwd()
        self._kinds, self._channel_kinds, self._payload_kinds = kinds, channel_kinds, payload_kinds
        self._environ = environ
        self._mistakes = Mistakes(str(path or ""))
        self._references = References(environ, self._base_dir)
        self._reader = Reader(self._mistakes, self._references)

    def read(self, data: bytes) -> Loaded:
        root = read_document(data, self._mistakes, _IF_EMPTY)
        configuration = None
        if root is not None and self._reader.is_mapping(root, ()):
            configuration = self._configuration(root, hashlib.sha256(data).hexdigest())
        problems = self._mistakes.all()
        return Loaded(None if problems else configuration, problems, self._references.files)

    def _configuration(self, root: Node, digest: str) -> Configuration | None:
        for key in root.value:
            if key not in TOP_KEYS:
                hint = suggest(key, TOP_KEYS) or f"Known keys: {', '.join(TOP_KEYS)}."
                self._mistakes.add(root.key_mark((key,)), (key,), "unknown key", hint=hint)
        reader = self._reader
        defaults = self._section(root, "defaults", DefaultKeys)
        services = [
            reader.service(node, path, self._kinds, defaults or DefaultKeys())
            for node, path in reader.entries(root, "services", MAX_SERVICES)
        ]
        rules = [reader.rule(*place) for place in reader.entries(root, "rules", MAX_RULES)]
        channels = [
            reader.channel(*place, self._channel_kinds)
            for place in reader.entries(root, "channels", MAX_CHANNELS)
        ]
        jobs = [reader.job(*place, self._payload_kinds) for place in reader.entries(root, "jobs", MAX_JOBS)]
        calendars = [reader.calendar(*place) for place in reader.entries(root, "calendars", MAX_CALENDARS)]
        objectives = [reader.objective(*each) for each in reader.entries(root, "objectives", MAX_OBJECTIVES)]
        windows = [reader.window(*place) for place in reader.entries(root, "maintenance", MAX_WINDOWS)]
        self._check_windows([entry for entry, _ in windows], [entry for entry, _ in services])
        self._check_jobs([entry for entry, _ in jobs], [entry for entry, _ in calendars])
        self._check_objectives([entry for entry, _ in objectives], [entry for entry, _ in services])
        self._check_names([each for each, _ in services], [e for e, _ in rules], [e for e, _ in channels])
        check_asked([e for e, _ in rules], [e for e, _ in jobs], [e for e, _ in objectives], self._mistakes)
        check_reserved([entry for entry, _ in channels], self._mistakes)
        telling = self._telling(root, [entry for entry, _ in channels], [entry for entry, _ in jobs])
        node = self._section(root, "node", NodeKeys) or NodeKeys()
        return Configuration(
            path=self._path,
            digest=digest,
            database=self._database(root),
            data_dir=self._data_dir(root),
            node=NodeConfig(
                node.name or _host_name(),
                node.environment,
                node.tags,
                node.queues,
                node.at_once,
                node.run_as,
                node.roots,
                node.sentinels,
                node.listen,
            ),
            services=_usable(services),
            rules=_usable(rules),
            channels=_usable(channels),
            jobs=_usable(jobs),
            calendars=dict(_usable(calendars)),
            maintenance=_usable(windows),
            files=self._references.files,
            objectives=_usable(objectives),
            default_rules=reader.default_rules(root),
            **telling,
        )

    def _telling(self, root: Node, channels: list[Entry], jobs: list[Entry]) -> dict[str, Any]:
        """Who is told of alerts and what is run because of them, as fields of the configuration."""
        reader = self._reader
        names = [entry.name for entry in channels]
        routes = [reader.route(*place) for place in reader.entries(root, "routes", MAX_ROUTES)]
        check_routes(routes, frozenset(name for name in names if name is not None), self._mistakes)
        inhibitions = [reader.inhibition(*place) for place in reader.entries(root, "inhibitions", MAX_RULES)]
        check_unique("inhibition", [entry for entry, _ in inhibitions], self._mistakes)
        oncall = reader.oncall(root)
        check_oncall(oncall, names, self._mistakes)
        reactions = [reader.reaction(*place) for place in reader.entries(root, "reactions", MAX_REACTIONS)]
        check_reactions([entry for entry, _ in reactions], jobs, self._settings_of, self._mistakes)
        return {
            "routes": tuple(route.spec() for route in _usable(routes)),
            "inhibitions": tuple(inhibition.spec() for inhibition in _usable(inhibitions)),
            "oncall": oncall.spec(),
            "reactions": tuple(reaction.spec() for reaction in _usable(reactions)),
            "watchdog": reader.watchdog(root),
        }

    def _check_windows(self, windows: list[Entry], services: list[Entry]) -> None:
        check_unique("window", windows, self._mistakes)
        check_selectors(windows, "covers", services, self._kinds, self._mistakes)
        check_windows(windows, self._mistakes)

    def _check_names(self, services: list[Entry], rules: list[Entry], channels: list[Entry]) -> None:
        for what, entries in (("service", services), ("rule", rules), ("channel", channels)):
            check_unique(what, entries, self._mistakes)
        check_dependencies(services, self._mistakes)
        check_rules(rules, services, channels, self._kinds, self._mistakes)

    def _check_objectives(self, objectives: list[Entry], services: list[Entry]) -> None:
        check_unique("objective", objectives, self._mistakes)
        check_selectors(objectives, "for", services, self._kinds, self._mistakes)

    def _check_jobs(self, jobs: list[Entry], calendars: list[Entry]) -> None:
        check_unique("job", jobs, self._mistakes)
        check_unique("calendar", calendars, self._mistakes)
        check_chains(jobs, self._settings_of, self._mistakes)
        check_calendars(jobs, calendars, self._mistakes)

    def _settings_of(self, kind: str) -> tuple[str, ...]:
        model = self._payload_kinds.get(kind)
        return () if model is None else key_names(model)

    def _section(self, root: Node, key: str, model: type[Any]) -> Any:
        node = root.children.get(key)
        if node is None or node.value is None or not self._reader.is_mapping(node, (key,)):
            return None
        return self._reader.keys(self._reader.open_keys(node, (key,)), model)

    def _text(self, root: Node, key: str) -> tuple[Node, str] | None:
        """The text under a key of the file with references resolved; None if there is none."""
        node = root.children.get(key)
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, str) or not node.value.strip():
            found = found_in_words(node) if node.source is None else ""
            self._mistakes.add(node.mark, (key,), "must be text", found=found)
            return None
        before = len(self._mistakes)
        resolved = self._reader.resolved(root, {key: node.value}, ())[key]
        return (node, resolved) if len(self._mistakes) == before else None

    def _database(self, root: Node) -> str | None:
        message, allowed = "does not name a PostgreSQL database", _DATABASE_FORM
        if named := self._environ.get(DATABASE_VARIABLE):
            if not _DATABASE.fullmatch(named):
                hint = "Correct the variable or unset it."
                self._mistakes.include(
                    Problem("environment", 0, 0, DATABASE_VARIABLE, message, allowed=allowed, hint=hint)
                )
            return named
        found = self._text(root, "database")
        if found is None:
            return None
        node, resolved = found
        if not _DATABASE.fullmatch(resolved):
            hint = "Write the password as ${NAME}."
            self._mistakes.add(node.mark, ("database",), message, allowed=allowed, hint=hint)
        elif looks_secret(node.value, "database"):
            self._mistakes.add(node.mark, ("database",), "a password is in plain text", hint=REMEDY)
        return resolved

    def _data_dir(self, root: Node) -> Path:
        found = self._text(root, "data_dir")
        if found is None or self._environ.get(DATA_VARIABLE):
            return default_data_dir(self._environ)
        node, resolved = found
        if not resolved.isprintable() or len(resolved) > 1000:
            self._mistakes.add(node.mark, ("data_dir",), "is not the path of a directory")
        return expanded(resolved, self._environ, self._base_dir)


def _usable(pairs: list[tuple[Entry, Model | None]]) -> tuple[Model, ...]:
    return tuple(built for _, built in pairs if built is not None)


def _host_name() -> str:
    name = "".join(character for character in socket.gethostname() if character.isprintable())
    return name.strip()[:100] or "localhost"
