"""Reads the entries of the file's lists: services, rules, channels and jobs.

An entry has the keys every entry of its list has and, side by side with them, the settings of its kind. Each
method notes every mistake it finds and returns None where an entry cannot be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from watchfloor.config.base import Settings
from watchfloor.config.checks import Entry, check_times
from watchfloor.config.document import Node, leaves
from watchfloor.config.jobs import JobKeys
from watchfloor.config.model import ChannelConfig, JobConfig, RuleConfig, ServiceConfig
from watchfloor.config.problems import Mistakes, Path, quoted, suggest
from watchfloor.config.references import References, Unresolved, references_in
from watchfloor.config.schema import TIMEOUT_SHARE, ChannelKeys, DefaultKeys, RuleKeys, ServiceKeys
from watchfloor.config.secrecy import REMEDY, is_sensitive_name, refused_literals
from watchfloor.config.sentences import found_in_words
from watchfloor.config.settings import validated
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity

Models = Mapping[str, type[Settings]]
Keys = TypeVar("Keys", bound=Settings)


@lru_cache(maxsize=256)
def key_names(model: type[Settings]) -> tuple[str, ...]:
    """The keys of a model as they are written."""
    return tuple(info.alias or name for name, info in model.model_fields.items())


SERVICE_KEYS = key_names(ServiceKeys)
JOB_KEYS = key_names(JobKeys)
CHANNEL_KEYS = key_names(ChannelKeys)


class Reader:
    """Reads one file's entries; holds where mistakes go and what references resolve to."""

    def __init__(self, mistakes: Mistakes, references: References) -> None:
        self._mistakes = mistakes
        self._references = references

    def entries(self, root: Node, key: str, most: int) -> list[tuple[Node, Path]]:
        """The mappings in the list under a key of the file; no list at all is an empty one."""
        node = root.children.get(key)
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, list):
            hint = 'Begin each entry with "- ".'
            self._mistakes.add(node.mark, (key,), "must be a list", found=found_in_words(node), hint=hint)
            return []
        if len(node.value) > most:
            self._mistakes.add(
                node.mark, (key,), "is too long", found=f"{len(node.value):,}", allowed=f"{most:,} at most"
            )
            return []
        pairs = [(child, (key, at)) for at, child in enumerate(node.children.values())]
        return [(child, path) for child, path in pairs if self.is_mapping(child, path)]

    def is_mapping(self, node: Node, path: Path) -> bool:
        """Whether a node is a mapping; a mistake if not."""
        if isinstance(node.value, dict):
            return True
        self._mistakes.add(
            node.mark,
            path,
            "must be a mapping of keys to values",
            found=found_in_words(node),
            hint='Write "key: value", with a space after the colon.',
        )
        return False

    def open_keys(self, node: Node, path: Path, names: tuple[str, ...] | None = None) -> Entry:
        """Resolve keys that are shown and stored as they are: those called ``names``, or all."""
        raw = {key: value for key, value in node.value.items() if names is None or key in names}
        for key, value in raw.items():
            if value is None:
                hint = "Write a value or remove the key."
                self._mistakes.add(node.mark_of((key,)), (*path, key), "has no value", hint=hint)
        for inner, leaf in leaves(raw):
            if not isinstance(leaf, str) or "${" not in leaf:
                continue
            if any(name.startswith("file:") or is_sensitive_name(name) for name in references_in(leaf)):
                self._mistakes.add(
                    node.mark_of(inner),
                    (*path, *inner),
                    "a secret does not belong here, where it is shown and stored as it is",
                    hint="Refer to something that is not secret.",
                )
        return Entry(node, path, self.resolved(node, raw, path))

    def keys(self, entry: Entry, model: type[Keys]) -> Keys | None:
        """Validate keys that `open_keys` resolved."""
        raw = {key: entry.node.value[key] for key in entry.keys}
        return validated(model, entry.node, raw, entry.keys, entry.path, self._mistakes)

    def resolved(self, node: Node, raw: Any, path: Path) -> Any:
        """Plain data with its references resolved; ``raw`` is part of what ``node`` holds."""

        def complain(inner: Path, trouble: Unresolved) -> None:
            mark = node.mark_of(inner)
            self._mistakes.add(mark, (*path, *inner), trouble.message, hint=trouble.hint)

        return self._references.tree(raw, complain)

    def _settings(
        self, entry: Entry, kinds: Models, names: tuple[str, ...]
    ) -> tuple[Settings, dict[str, Any]] | None:
        """The settings of an entry's kind, ready to use and as written; ``names`` belong to every entry."""
        node, path = entry.node, entry.path
        kind = entry.keys.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            place, _ = node.find(("kind",))
            missing = "kind" not in node.value
            self._mistakes.add(
                place.mark,
                (*path, "kind"),
                "this key is required" if missing else "is not a known kind",
                found="" if missing else found_in_words(place),
                allowed="one of " + ", ".join(sorted(kinds)) if kinds else "",
                hint=suggest(kind, list(kinds)) if isinstance(kind, str) else "",
            )
            return None
        model = kinds[kind]
        if clash := sorted(set(names).intersection(key_names(model))):
            raise TypeError(f"the settings of kind {kind} use names of common keys: {', '.join(clash)}")
        raw = {key: value for key, value in node.value.items() if key not in names}
        for inner in refused_literals(model, raw):
            mark = node.mark_of(inner)
            self._mistakes.add(mark, (*path, *inner), "a secret is written in the file", hint=REMEDY)
        resolved = self.resolved(node, raw, path)
        settings = validated(
            model,
            node,
            raw,
            resolved,
            path,
            self._mistakes,
            more_keys=names,
            owner_of=lambda key: _owner(key, kinds),
        )
        return None if settings is None else (settings, raw)

    def service(
        self, node: Node, path: Path, kinds: Models, defaults: DefaultKeys
    ) -> tuple[Entry, ServiceConfig | None]:
        """Read one service."""
        entry = self.open_keys(node, path, SERVICE_KEYS)
        built = self._settings(entry, kinds, SERVICE_KEYS)
        keys = self.keys(entry, ServiceKeys)
        if keys is None:
            return entry, None
        every = float(keys.every or defaults.every)
        check_times(entry, every, {"timeout": keys.timeout, "retry_every": keys.retry_every}, self._mistakes)
        if built is None:
            return entry, None
        settings, raw = built
        return entry, ServiceConfig(
            name=keys.name,
            kind=keys.kind,
            every_s=every,
            timeout_s=float(keys.timeout or min(defaults.timeout, round(every * TIMEOUT_SHARE, 3))),
            attempts=keys.attempts or defaults.attempts,
            recover_attempts=keys.recover_attempts or defaults.recover_attempts,
            retry_every_s=float(keys.retry_every or min(defaults.retry_every, every)),
            group=keys.group or "",
            tags=_distinct(keys.tags),
            runbook=keys.runbook or "",
            description=keys.description,
            paused=keys.paused,
            depends_on=_distinct(keys.depends_on),
            settings=settings,
            raw=raw,
            line=node.mark[0],
        )

    def rule(self, node: Node, path: Path) -> tuple[Entry, RuleConfig | None]:
        """Read one rule."""
        entry = self.open_keys(node, path)
        keys = self.keys(entry, RuleKeys)
        if keys is None:
            return entry, None
        return entry, RuleConfig(
            name=keys.name,
            services=_distinct(keys.when.services),
            groups=_distinct(keys.when.groups),
            kinds=frozenset(keys.when.kinds),
            tags=frozenset(keys.when.tags),
            statuses=frozenset(Status[word.upper()] for word in keys.when.status),
            for_s=float(keys.for_),
            severity=Severity[keys.severity.upper()] if keys.severity else None,
            channels=_distinct(keys.channels),
            enabled=keys.enabled,
            line=node.mark[0],
        )

    def channel(self, node: Node, path: Path, kinds: Models) -> tuple[Entry, ChannelConfig | None]:
        """Read one channel."""
        entry = self.open_keys(node, path, CHANNEL_KEYS)
        built = self._settings(entry, kinds, CHANNEL_KEYS)
        keys = self.keys(entry, ChannelKeys)
        if keys is None or built is None:
            return entry, None
        settings, raw = built
        line = node.mark[0]
        return entry, ChannelConfig(keys.name, keys.kind, keys.enabled, settings, raw, line)

    def job(self, node: Node, path: Path, kinds: Models) -> tuple[Entry, JobConfig | None]:
        """Read one job."""
        entry = self.open_keys(node, path, JOB_KEYS)
        built = self._settings(entry, kinds, JOB_KEYS)
        keys = self.keys(entry, JobKeys)
        if keys is None or built is None:
            return entry, None
        settings, raw = built
        return entry, JobConfig(
            name=keys.name,
            kind=keys.kind,
            schedules=tuple(schedule.spec() for schedule in keys.schedules),
            overlap=keys.overlap,
            slots=keys.at_once or (None if keys.overlap == "allow" else 1),
            priority=keys.priority,
            at_most_once=keys.delivery == "at_most_once",
            timeout_s=float(keys.timeout),
            deadline_s=None if keys.deadline is None else float(keys.deadline),
            retry=keys.retry.spec(),
            contact=keys.contact or "",
            description=keys.description,
            runbook=keys.runbook or "",
            paused=keys.paused,
            settings=settings,
            raw=raw,
            line=node.mark[0],
        )


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _owner(key: str, kinds: Models) -> str:
    models = {kind: kinds.get(kind) for kind in kinds}  # a kind that cannot be imported gives None
    owners = sorted(kind for kind, model in models.items() if model is not None and key in key_names(model))
    return f"The key {quoted(key)} belongs to the kind {', '.join(owners)}." if owners else ""
