"""Why a service is not ok, in words: what was seen, since when, what was tried, what changed, what is behind it.

Everything said here is a stored fact; where nothing is known, nothing is said. Times stand beside the words as moments,
so that whoever shows them chooses ages or times and nothing ticks. This module must never look at storage or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from watchfloor.domain.durations import format_duration
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count, grouped

BEFORE = timedelta(hours=24)
"""How long before a problem a change is still told."""
TOGETHER = timedelta(minutes=2)
"""What went wrong so shortly before or after is told as going wrong together."""
COUNTED = 1_000
"""Checks that are counted of a problem; beyond it is said that there were more."""
VOTES = 5
"""Nodes whose word is told one by one."""
CHANGES = 8
"""Changes that are told, the latest first."""
NAMED = 5
"""Other services that are named."""
_LONG = 48
"""Characters of a value that a change is told with."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence. ``topic`` is seen, since, tried, changed, behind or told; ``at`` is the moment it speaks of."""

    topic: str
    words: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Looks:
    """What one node found of a service since its problem began; ``node`` is empty where that is not kept."""

    node: str
    checks: int
    bad: int


@dataclass(frozen=True, slots=True)
class Vote:
    """What one node found last, where several decide together."""

    node: str
    state: str
    summary: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """What is kept of how a service was defined from ``began`` on; ``by`` is who changed it, where that is known.

    ``written`` holds what was written before and after, where the console changed it. ``first``: before it there was
    no such service.
    """

    began: datetime
    held: Mapping[str, object]
    by: str = ""
    written: tuple[Mapping[str, object], Mapping[str, object]] | None = None
    first: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something else that happened: a file was loaded, a certificate changed, a node started."""

    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Other:
    """Another service that has to do with it."""

    name: str
    state: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Good:
    """The last check that found it ok; ``latency`` in seconds, ``values`` are the metrics it had then."""

    at: datetime
    latency: float | None
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Told:
    """The alert about it: its state, who acknowledged it, why nobody is told, and what became of messages."""

    alert_id: int
    state: str
    acked_by: str
    quiet: Sequence[str]
    messages: Mapping[str, tuple[int, datetime]]  # "chat delivered" -> how many, and when the last was made


@dataclass(frozen=True, slots=True)
class Findings:
    """What is stored about a service that is not ok."""

    state: str
    latest: str  # the latest result: ok, degraded, failing, unknown; empty: none yet
    soft: bool
    attempt: int
    max_attempts: int
    recover_attempts: int
    every_s: float
    retry_every_s: float
    summary: str
    checked_at: datetime | None
    latency: float | None
    began: datetime | None
    confirmed_at: datetime | None
    first_said: str
    looks: Sequence[Looks] = ()
    cut: bool = False  # there were more checks than were counted: those are the latest
    kept_since: datetime | None = None  # when checks of it are no longer kept: from when on they are
    blind_since: datetime | None = None  # when its checks find nothing out: since when
    quorum: int = 1  # so many nodes must find it failing
    votes: Sequence[Vote] = ()
    good: Good | None = None
    values: Mapping[str, float] | None = None
    versions: Sequence[Version] = ()  # the oldest first
    events: Sequence[Event] = ()
    root: Other | None = None
    parents: Sequence[Other] = ()
    together: Sequence[str] = ()  # others that went wrong at about the same time, those of its group first
    together_more: int = 0  # beyond those that are named
    flapping: bool = False
    paused_by: str = ""
    paused_at: datetime | None = None
    live_nodes: int = 0
    told: Told | None = None
    past: bool = False  # it is told of a moment that is over, of which not everything is kept


def explain(found: Findings) -> tuple[Reason, ...]:
    """Everything there is to say, in the order in which people ask."""
    if found.state == "paused":
        by = f" by {found.paused_by}" if found.paused_by else ""
        return (Reason("seen", f"nobody looks: it was paused{by}", found.paused_at),)
    if found.latest == "":
        nodes = count(found.live_nodes, "engine runs", "engines run")
        words = f"no check of it has ended yet; {nodes}" if found.live_nodes else "no engine runs to check it"
        return (Reason("seen", words),)
    return (
        *_seen(found),
        *_since(found),
        *_tried(found),
        *_changed(found),
        *_behind(found),
        *_told(found),
    )


def _seen(found: Findings) -> Iterable[Reason]:
    word = found.latest if found.soft or found.latest == "unknown" else found.state
    said = found.summary or "without words"
    if found.latest == "ok":
        yield Reason("seen", f"{found.state}, though the latest check was ok: {said}", found.checked_at)
    else:
        yield Reason("seen", f"{word}: {said}", found.checked_at)
    if found.latest == "unknown":
        yield Reason("seen", "unknown says that the monitor could not tell, not that the service is down")
    if found.latency is not None and found.good is not None and found.good.latency:
        times = found.latency / found.good.latency
        if times >= 2:
            yield Reason(
                "seen", f"it took {_ms(found.latency)}, the last good check {_ms(found.good.latency)}"
            )
    yield from _values(found)


def _values(found: Findings) -> Iterable[Reason]:
    """The metrics that differ most from those of the last good check."""
    if found.good is None or not found.values:
        return
    moved = []
    for name, value in found.values.items():
        before = found.good.values.get(name)
        if before is not None and value != before:
            moved.append((abs(value - before) / max(abs(value), abs(before)), name, before, value))
    for _, name, before, value in sorted(moved, reverse=True)[:3]:
        yield Reason("seen", f"{name.replace('_', ' ')}: {before:.6g} when it was ok, {value:.6g} now")


def _since(found: Findings) -> Iterable[Reason]:
    if found.latest == "unknown" and found.blind_since is not None:
        yield Reason("since", "no check has found anything out", found.blind_since)
    if found.began is None:
        return
    if found.soft:
        yield Reason("since", "began, and is not confirmed yet", found.began)
        return
    again = "" if not found.first_said or found.first_said == found.summary else f": {found.first_said}"
    yield Reason("since", f"began{again}", found.began)
    if found.confirmed_at is not None:
        many = f"after {count(found.max_attempts, 'check')} in a row that were not ok"
        one = "at once: one check that is not ok is enough"
        yield Reason("since", f"confirmed {one if found.max_attempts == 1 else many}", found.confirmed_at)
    if found.latest == "ok" and not found.past:
        yield Reason("since", f"ends with {count(found.recover_attempts, 'check')} in a row that are ok")
    if found.flapping:
        yield Reason("since", "flapping: it changes so often that not every change is told")


def _tried(found: Findings) -> Iterable[Reason]:
    yield from _checks(found)
    yield from _votes(found)
    if found.soft and found.past:
        yield Reason("tried", f"check {found.attempt} of {found.max_attempts}")
    elif found.soft:
        yield Reason(
            "tried",
            f"check {found.attempt} of {found.max_attempts}; the next comes after "
            f"{format_duration(found.retry_every_s)}, not {format_duration(found.every_s)}"
            if found.retry_every_s != found.every_s
            else f"check {found.attempt} of {found.max_attempts}, every {format_duration(found.every_s)}",
        )
    if found.good is not None:
        took = "" if found.good.latency is None else f", in {_ms(found.good.latency)}"
        yield Reason("tried", f"the last check that was ok{took}", found.good.at)


def _checks(found: Findings) -> Iterable[Reason]:
    """How many checks there were since it began, as far as that is known, and what they found."""
    checks, bad = sum(each.checks for each in found.looks), sum(each.bad for each in found.looks)
    every = "not ok" if checks == 1 else "all of them not ok"
    of = every if bad == checks else f"{grouped(bad)} of them not ok"
    of = f"{of}{_by_node(found.looks)}"
    if found.cut:
        yield Reason(
            "tried", f"more than {count(checks, 'check')} since then; of the latest {grouped(checks)} {of}"
        )
        return
    if checks:
        since = "since then" if found.kept_since is None else "that are still kept"
        yield Reason("tried", f"{count(checks, 'check')} {since}, {of}")
    if found.kept_since is not None:
        none = "its checks of that time are no longer kept: the oldest that are come from"
        words = "earlier ones are no longer kept: the count begins" if checks else none
        yield Reason("tried", words, found.kept_since)


def _votes(found: Findings) -> Iterable[Reason]:
    """Where several nodes decide together: how many must agree, and what each found last."""
    if found.quorum < 2:
        return
    bad = sum(each.state != "ok" for each in found.votes)
    yield Reason("tried", f"{found.quorum} nodes must agree; {bad} of {len(found.votes)} found it not ok")
    for vote in found.votes[:VOTES]:
        said = f": {vote.summary}" if vote.summary and vote.state != "ok" else ""
        yield Reason("tried", f"{vote.node} found it {vote.state}{said}", vote.at)


def _by_node(looks: Sequence[Looks]) -> str:
    """Which nodes looked, when it was more than one.

    >>> _by_node([Looks("a", 3, 3), Looks("b", 2, 1)]), _by_node([Looks("a", 3, 3)])
    (': 3 by a (3 not ok), 2 by b (1 not ok)', ', by a')
    """
    if len(looks) == 1:
        return f", by {looks[0].node}" if looks[0].node else ""
    return ": " + ", ".join(
        f"{each.checks} by {each.node or 'nodes that are not kept'} ({each.bad} not ok)" for each in looks
    )


def _changed(found: Findings) -> Iterable[Reason]:
    """What changed before it, or soon after, the latest first; that nothing did is worth knowing, too."""
    began = found.began
    if began is None:
        return
    events = [*found.events, *_edits(found.versions)]
    near = [each for each in events if began - BEFORE <= each.at <= began + TOGETHER]
    near.sort(key=lambda each: each.at, reverse=True)
    for each in near[:CHANGES]:
        yield Reason("changed", each.words, each.at)
    if len(near) > CHANGES:
        yield Reason("changed", f"and {len(near) - CHANGES} changes more")
    if not near:
        hours = int(BEFORE.total_seconds() // 3600)
        yield Reason("changed", f"nothing that is known of, in the {hours} hours before it")


def _edits(versions: Sequence[Version]) -> Iterable[Event]:
    if versions and versions[0].first and versions[0].by:
        yield Event(versions[0].began, f"it was first defined by {versions[0].by}")
    for before, after in pairwise(versions):
        by = f" by {after.by}" if after.by else ""
        what = edits(*(after.written or (before.held, after.held)))
        yield Event(after.began, f"its definition was changed{by}{what}")


def edits(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """What differs between two versions of a definition; empty where it is something that is not kept.

    >>> edits({"every": "30s", "kind": "http"}, {"every": "10s", "kind": "http"})
    ': every 30s → 10s'
    >>> edits({"url": "http://a"}, {"url": "http://b", "headers": {"x": "y"}, "paused": True})
    ': url http://a → http://b, headers, paused default → yes'
    """
    keys = [*before, *(key for key in after if key not in before)]
    found = [_edit(key, before, after) for key in keys if before.get(key) != after.get(key)]
    return f": {', '.join(found)}" if found else ""


def _edit(key: str, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """What happened to one key; only its name where it holds several values."""
    words = [_value(side[key]) if key in side else "default" for side in (before, after)]
    return f"{key} {words[0]} → {words[1]}" if all(words) else key


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if isinstance(value, Mapping | list | tuple) else one_line(str(value), _LONG)


def _behind(found: Findings) -> Iterable[Reason]:
    if found.root is not None:
        root = found.root
        yield Reason("behind", f"root cause: {root.name} is {root.state}, and this needs it", root.since)
        return
    bad = [each for each in found.parents if each.state not in ("ok", "paused", "pending")]
    for each in bad:
        yield Reason("behind", f"it needs {each.name}, which is {each.state}", each.since)
    if found.parents and not bad:
        names = ", ".join(each.name for each in found.parents[:5])
        more = f" and {len(found.parents) - 5} more" if len(found.parents) > 5 else ""
        yield Reason("behind", f"all it needs is in order ({names}{more}): it is the root cause itself")
    if found.together:
        left = found.together_more
        last = [count(left, "other service", "other services")] if left else []
        *most, end = [*found.together, *last]
        words = f"{', '.join(most)} and {end}" if most else end
        yield Reason("behind", f"{words} went wrong within two minutes of it")
    if found.past:
        yield Reason("behind", "what it needed then is not kept; its page of now shows what it needs now")


QUIET = {
    "silence": "a silence matches",
    "maintenance": "it is inside a maintenance window",
    "dependency": "something it needs is down",
    "inhibition": "another alert inhibits it",
    "flapping": "it is flapping",
    "mute_time": "its route is muted at this time",
}


def _told(found: Findings) -> Iterable[Reason]:
    told = found.told
    if found.past:
        return  # the alert of then has its own page
    if told is None:
        if not found.soft:
            yield Reason("told", "nobody: no alert is open about it")
        return
    if told.quiet:
        reasons = ", ".join(QUIET.get(each, each) for each in told.quiet)
        yield Reason("told", f"nobody is told of alert #{told.alert_id}: {reasons}")
    for what, (number, at) in told.messages.items():
        times = "" if number == 1 else f", {count(number, 'message')}"
        yield Reason("told", f"#{told.alert_id} to {what}{times}", at)
    if told.state == "acknowledged":
        yield Reason("told", f"{told.acked_by} took charge of #{told.alert_id}")
    elif not told.messages and not told.quiet:
        pending = f"alert #{told.alert_id} is not firing yet"
        words = pending if told.state == "pending" else f"no message of alert #{told.alert_id} was made"
        yield Reason("told", f"nobody: {words}")


def _ms(seconds: float) -> str:
    """A time as it is said.

    >>> _ms(0.0123), _ms(2.5)
    ('12.3 ms', '2.5 s')
    """
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
