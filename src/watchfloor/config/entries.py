"""Reads the entries of the file's lists: services, rules, channels, jobs and calendars.

An entry has the keys every entry of its list has and, side by side with them, the settings of its kind. Each
method notes every mistake it finds and returns None where an entry cannot be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from watchfloor.config.base import Settings
from watchfloor.config.checks import Entry, Names, check_heartbeat, check_times
from watchfloor.config.document import Node, leaves
from watchfloor.config.jobs import CalendarKeys, JobKeys
from watchfloor.config.maintenance import MaintenanceConfig, MaintenanceKeys, window_config
from watchfloor.config.model import ChannelConfig, JobConfig, ObjectiveConfig, RuleConfig, ServiceConfig
from watchfloor.config.oncall import ContactGroupKeys, EscalationKeys, PersonKeys, RotaKeys
from watchfloor.config.oncall_checks import OnCall
from watchfloor.config.problems import Mistakes, Path, quoted, suggest
from watchfloor.config.reactions import ReactionKeys
from watchfloor.config.references import References, Unresolved, references_in
from watchfloor.config.routing import InhibitionKeys, RouteKeys, WatchdogKeys
from watchfloor.config.rule_keys import EvaluatedKeys, condition_of
from watchfloor.config.rule_kinds import MODELS
from watchfloor.config.schema import (
    TIMEOUT_SHARE,
    ChannelKeys,
    CoverKeys,
    DefaultKeys,
    ObjectiveKeys,
    RuleKeys,
    ServiceKeys,
    WhenKeys,
)
from watchfloor.config.secrecy import REMEDY, is_sensitive_name
from watchfloor.config.secret_fields import refused_literals
from watchfloor.config.sentences import found_in_words
from watchfloor.config.settings import validated
from watchfloor.domain.default_rules import DEFAULT_NAMES
from watchfloor.domain.heartbeats import KIND as HEARTBEAT
from watchfloor.domain.objectives import unreachable
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity

Models = Mapping[str, type[Settings]]
Keys = TypeVar("Keys", bound=Settings)


@lru_cache(maxsize=256)
def key_names(model: type[Settings]) -> tuple[str, ...]:
    """The keys of a model as they are written."""
    return tuple(info.alias or name for name, info in model.model_fields.items())


MAX_ONCALL = 1_000
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

    def _settings(self, entry: Entry, kinds: Models, names: tuple[str, ...]) -> dict[str, Any] | None:
        """The settings of an entry's kind as written, None after noting that they are not valid; ``names`` belong to
        every entry. What references lead to is looked at and not kept.
        """
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
            self._mistakes.add(mark, (*path, *inner), "a secret is in plain text", hint=REMEDY)
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
        return None if settings is None else raw

    def service(
        self, node: Node, path: Path, kinds: Models, defaults: DefaultKeys
    ) -> tuple[Entry, ServiceConfig | None]:
        """Read one service."""
        entry = self.open_keys(node, path, SERVICE_KEYS)
        raw = self._settings(entry, kinds, SERVICE_KEYS)
        keys = self.keys(entry, ServiceKeys)
        if keys is None:
            return entry, None
        every = float(keys.every or defaults.every)
        check_times(entry, every, {"timeout": keys.timeout, "retry_every": keys.retry_every}, self._mistakes)
        reports_itself = keys.kind == HEARTBEAT
        if reports_itself:
            check_heartbeat(entry, self._mistakes)
        if raw is None:
            return entry, None
        return entry, ServiceConfig(
            name=keys.name,
            kind=keys.kind,
            every_s=every,
            timeout_s=float(keys.timeout or min(defaults.timeout, round(every * TIMEOUT_SHARE, 3))),
            attempts=1 if reports_itself else keys.attempts or defaults.attempts,
            recover_attempts=1 if reports_itself else keys.recover_attempts or defaults.recover_attempts,
            retry_every_s=float(keys.retry_every or min(defaults.retry_every, every)),
            group=keys.group or "",
            tags=_distinct(keys.tags),
            on_nodes=_distinct(keys.on_nodes),
            quorum=keys.quorum,
            runbook=keys.runbook or "",
            description=keys.description,
            paused=keys.paused,
            depends_on=_distinct(tuple(each for each in keys.depends_on if isinstance(each, str))),
            depends_on_any=tuple(
                _distinct(each.any_of) for each in keys.depends_on if not isinstance(each, str)
            ),
            raw=raw,
            line=node.mark[0],
            environment=keys.environment or "",
            written=dict(node.value),
        )

    def rule(self, node: Node, path: Path) -> tuple[Entry, RuleConfig | None]:
        """Read one rule."""
        entry = self.open_keys(node, path)
        kind = entry.keys.get("kind")
        model = MODELS.get(kind) if isinstance(kind, str) else None
        keys: EvaluatedKeys | RuleKeys | None
        keys = self.keys(entry, RuleKeys) if model is None else self.keys(entry, model)
        if keys is None:
            return entry, None
        condition, statuses = None, frozenset[Status]()
        when: CoverKeys | WhenKeys = keys.covers if isinstance(keys, EvaluatedKeys) else keys.when
        if isinstance(keys, EvaluatedKeys):
            condition = condition_of(keys, node, path, self._mistakes)
            if condition is None:
                return entry, None
        else:
            statuses = frozenset(Status[word.upper()] for word in keys.when.status)
        return entry, RuleConfig(
            name=keys.name,
            services=_distinct(when.services),
            groups=_distinct(when.groups),
            kinds=frozenset(when.kinds),
            tags=frozenset(when.tags),
            statuses=statuses,
            for_s=float(keys.for_),
            severity=Severity[keys.severity.upper()] if keys.severity else None,
            channels=_distinct(keys.channels),
            enabled=keys.enabled,
            line=node.mark[0],
            cooldown_s=float(keys.cooldown),
            condition=condition,
            labels=keys.carried,
            written=dict(node.value),
        )

    def default_rules(self, root: Node) -> frozenset[str]:
        """Read which of the rules that come with the product are on; all of them if that is left out."""
        node, path = root.children.get("default_rules"), ("default_rules",)
        if node is None:
            return frozenset(DEFAULT_NAMES)
        if not isinstance(node.value, list):
            hint = "Write a list of names, [] for none of them."
            self._mistakes.add(node.mark, path, "must be a list", found=found_in_words(node), hint=hint)
            return frozenset()
        names = Names("default rule called", DEFAULT_NAMES, f"There are: {', '.join(DEFAULT_NAMES)}.")
        for at, name in enumerate(node.value):
            names.require(str(name), node.mark_of((at,)), (*path, at), self._mistakes)
        return frozenset(map(str, node.value))

    def objective(self, node: Node, path: Path) -> tuple[Entry, ObjectiveConfig | None]:
        """Read one objective."""
        entry = self.open_keys(node, path)
        keys = self.keys(entry, ObjectiveKeys)
        if keys is None:
            return entry, None
        if refusal := unreachable(keys.target / 100, float(keys.window)):
            mark, place = node.mark_of(("target",)), (*path, "target")
            self._mistakes.add(mark, place, refusal, hint="Write a higher target or a shorter window.")
        return entry, ObjectiveConfig(
            name=keys.name,
            target=keys.target / 100,
            window_s=float(keys.window),
            planned_counts=keys.planned_counts,
            unreachable_counts=keys.unreachable_counts,
            services=_distinct(keys.for_.services),
            groups=_distinct(keys.for_.groups),
            kinds=frozenset(keys.for_.kinds),
            tags=frozenset(keys.for_.tags),
            line=node.mark[0],
        )

    def route(self, node: Node, path: Path) -> tuple[Entry, RouteKeys | None]:
        """Read one route with those inside it."""
        entry = self.open_keys(node, path)
        return entry, self.keys(entry, RouteKeys)

    def inhibition(self, node: Node, path: Path) -> tuple[Entry, InhibitionKeys | None]:
        """Read one inhibition."""
        entry = self.open_keys(node, path)
        return entry, self.keys(entry, InhibitionKeys)

    def reaction(self, node: Node, path: Path) -> tuple[Entry, ReactionKeys | None]:
        """Read one reaction."""
        entry = self.open_keys(node, path)
        return entry, self.keys(entry, ReactionKeys)

    def oncall(self, root: Node) -> OnCall:
        """Read everything about who is on call."""

        def read(key: str, model: type[Keys]) -> list[tuple[Entry, Keys | None]]:
            entries = [self.open_keys(*place) for place in self.entries(root, key, MAX_ONCALL)]
            return [(entry, self.keys(entry, model)) for entry in entries]

        return OnCall(
            read("people", PersonKeys),
            read("contact_groups", ContactGroupKeys),
            read("rotas", RotaKeys),
            read("escalations", EscalationKeys),
        )

    def watchdog(self, root: Node) -> dict[str, Any] | None:
        """Read who outside is told that all is well, as it is written; nobody if it is left out."""
        node, path = root.children.get("watchdog"), ("watchdog",)
        if node is None or node.value is None or not self.is_mapping(node, path):
            return None
        for inner in refused_literals(WatchdogKeys, node.value):
            self._mistakes.add(node.mark_of(inner), (*path, *inner), "a secret is in plain text", hint=REMEDY)
        entry = Entry(node, path, self.resolved(node, node.value, path))
        return None if self.keys(entry, WatchdogKeys) is None else dict(node.value)

    def channel(self, node: Node, path: Path, kinds: Models) -> tuple[Entry, ChannelConfig | None]:
        """Read one channel."""
        entry = self.open_keys(node, path, CHANNEL_KEYS)
        raw = self._settings(entry, kinds, CHANNEL_KEYS)
        keys = self.keys(entry, ChannelKeys)
        if keys is None or raw is None:
            return entry, None
        line = node.mark[0]
        return entry, ChannelConfig(keys.name, keys.kind, keys.enabled, raw, line)

    def job(self, node: Node, path: Path, kinds: Models) -> tuple[Entry, JobConfig | None]:
        """Read one job."""
        entry = self.open_keys(node, path, JOB_KEYS)
        raw = self._settings(entry, kinds, JOB_KEYS)
        keys = self.keys(entry, JobKeys)
        if keys is None or raw is None:
            return entry, None
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
            raw=raw,
            line=node.mark[0],
            queue=keys.on_queue,
            tags=tuple(sorted(set(keys.on_nodes))),
            chains=tuple(link.spec() for link in keys.then),
            pause_after=keys.pause_after,
            owner=keys.owner or "",
            role=keys.role or "",
            written=dict(node.value),
        )

    def calendar(self, node: Node, path: Path) -> tuple[Entry, tuple[str, tuple[str, ...]] | None]:
        """Read one calendar: its name and its days."""
        entry = self.open_keys(node, path)
        keys = self.keys(entry, CalendarKeys)
        return entry, None if keys is None else (keys.name, tuple(sorted(set(keys.days))))

    def window(self, node: Node, path: Path) -> tuple[Entry, MaintenanceConfig | None]:
        """Read one maintenance window."""
        entry = self.open_keys(node, path)
        keys = self.keys(entry, MaintenanceKeys)
        return entry, None if keys is None else window_config(keys, node.mark[0])


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _owner(key: str, kinds: Models) -> str:
    models = {kind: kinds.get(kind) for kind in kinds}  # a kind that cannot be imported gives None
    owners = sorted(kind for kind, model in models.items() if model is not None and key in key_names(model))
    return f"The key {quoted(key)} belongs to the kind {', '.join(owners)}." if owners else ""
