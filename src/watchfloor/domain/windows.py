"""Maintenance windows: when they are open, and for whom.

A window is a rule for moments (once, weekly, monthly, a cron expression) in a time zone and a length. Starts are
computed on the clocks of that zone and become UTC before the length is added, so that a window of four hours has four
hours on the nights in which clocks change too: a start in the hour that is skipped comes right after it, one in the
hour that comes twice comes once. Starts are inside, ends are outside.

A *flexible* window waits: it opens with the first failure between its start and its end, stays open for its own
length, and may outlive its end. A *triggered* window opens whenever another one does. What really was open is a *run*;
ending a window early ends its run and leaves later ones alone. This module must never look at a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from watchfloor.domain.durations import compact_duration
from watchfloor.domain.rules import Subject
from watchfloor.domain.schedules import Schedule, next_fire
from watchfloor.domain.zones import zone

LONGEST_S = 31 * 86_400.0
"""No window stays open for longer."""

_LONGEST_SEARCH = 400
"""Days that are looked through for the next one of a month."""

Opening = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which services a window covers; ``services`` and ``groups`` are globs, what is empty matches everything."""

    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def matches(self, subject: Subject) -> bool:
        """Whether ``subject`` is covered; every part must agree."""
        return (
            (not self.kinds or subject.kind in self.kinds)
            and self.tags <= subject.tags
            and _any_glob(self.services, subject.name)
            and _any_glob(self.groups, subject.group)
        )


def _any_glob(patterns: tuple[str, ...], text: str) -> bool:
    return not patterns or text in patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


def selector_from(stored: Mapping[str, Any]) -> Selector:
    """A selector as it is stored."""
    return Selector(
        services=tuple(stored.get("services", ())),
        groups=tuple(stored.get("groups", ())),
        kinds=frozenset(stored.get("kinds", ())),
        tags=frozenset(stored.get("tags", ())),
    )


@dataclass(frozen=True, slots=True)
class Spec:
    """When a window is open. ``kind`` is once, weekly, monthly, cron or triggered.

    ``cron`` names the starts (for monthly: the time of day, filtered by ``month_days``, of which negative ones count
    from the end of the month). ``start`` and ``end`` belong to once. ``flexible_s``: how long it stays open once a
    failure opened it; None for a window that opens by itself.
    """

    kind: str
    tz: str = "UTC"
    duration_s: float = 0.0
    cron: str = ""
    month_days: tuple[int, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    flexible_s: float | None = None

    def stored(self) -> dict[str, object]:
        """The JSON-able form."""
        return {
            "kind": self.kind,
            "tz": self.tz,
            "duration_s": self.duration_s,
            "cron": self.cron,
            "month_days": list(self.month_days),
            "start": None if self.start is None else self.start.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "flexible_s": self.flexible_s,
        }


def spec_from(stored: Mapping[str, Any]) -> Spec:
    """A spec as it is stored."""
    start, end = stored.get("start"), stored.get("end")
    return Spec(
        kind=stored["kind"],
        tz=stored["tz"],
        duration_s=stored["duration_s"],
        cron=stored["cron"],
        month_days=tuple(stored["month_days"]),
        start=None if start is None else datetime.fromisoformat(start),
        end=None if end is None else datetime.fromisoformat(end),
        flexible_s=stored["flexible_s"],
    )


@dataclass(frozen=True, slots=True)
class Window:
    """A window in force; ``triggered_by`` is the id of the one with which it opens."""

    id: int
    name: str
    selector: Selector
    spec: Spec
    triggered_by: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A time in which a window was, is or will be open; ``ended_by`` says who ended it early."""

    window_id: int
    began: datetime
    ends: datetime
    ended_by: str = ""
    muted: int = 0

    def open_at(self, moment: datetime) -> bool:
        """Whether the window is open."""
        return self.began <= moment < self.ends


def openings(spec: Spec, after: datetime) -> Iterator[Opening]:
    """The openings that begin later than ``after``, in order; none of one that only others open."""
    if spec.kind == "triggered":
        return
    if spec.kind == "once":
        if spec.start is not None and spec.end is not None and spec.start > after:
            yield spec.start, spec.end
        return
    length = timedelta(seconds=spec.duration_s)
    for start in _starts(spec, after):
        yield start, start + length


def _starts(spec: Spec, after: datetime) -> Iterator[datetime]:
    schedule = Schedule("cron", spec.cron, spec.tz)
    tz, passed = zone(spec.tz), 0
    while (found := next_fire(schedule, after)) is not None and passed < _LONGEST_SEARCH:
        after = found
        if spec.kind == "monthly" and not _names(spec.month_days, found.astimezone(tz)):
            passed += 1
            continue
        passed = 0
        yield found


def _names(days: Sequence[int], local: datetime) -> bool:
    following = local.replace(day=28) + timedelta(days=4)
    last = (following - timedelta(days=following.day)).day
    return local.day in days or local.day - last - 1 in days


def opening_at(spec: Spec, now: datetime) -> Opening | None:
    """The opening that is going on; of several that overlap the one that began first."""
    length = (
        timedelta(seconds=spec.duration_s)
        if spec.kind != "once" or spec.start is None or spec.end is None
        else spec.end - spec.start
    )
    found = next(openings(spec, now - length), None)
    return found if found is not None and found[0] <= now < found[1] else None


def upcoming(spec: Spec, now: datetime, count: int = 3) -> list[Opening]:
    """The next openings."""
    found: list[Opening] = []
    for opening in openings(spec, now):
        found.append(opening)
        if len(found) == count:
            break
    return found


def due(windows: Iterable[Window], runs: Iterable[Run], now: datetime) -> list[Run]:
    """The runs that must be stored now: windows that open, and open ones whose end was moved."""
    known = {(run.window_id, run.began): run for run in runs}
    every = list(windows)
    found: list[Run] = []
    for window in every:
        if window.spec.flexible_s is None and window.triggered_by is None:
            opening = opening_at(window.spec, now)
            if opening is not None:
                found += _unless_known(known, Run(window.id, *opening))
    latest = {**known, **{(run.window_id, run.began): run for run in found}}
    for window in every:
        length = timedelta(seconds=window.spec.duration_s)
        for (parent, began), run in latest.items():
            if parent == window.triggered_by and began <= now < began + length and not run.ended_by:
                found += _unless_known(known, Run(window.id, began, began + length))
    return found


def _unless_known(known: Mapping[tuple[int, datetime], Run], run: Run) -> list[Run]:
    before = known.get((run.window_id, run.began))
    return [] if before is not None and (before.ended_by or before.ends == run.ends) else [run]


def moved(windows: Iterable[Window], runs: Iterable[Run], now: datetime) -> list[int]:
    """The windows that are open although what is written now opens them at another time, or not at all."""
    fixed = {each.id: each.spec for each in windows if each.spec.flexible_s is None and not each.triggered_by}
    found = []
    for run in runs:
        if run.open_at(now) and run.window_id in fixed:
            opening = opening_at(fixed[run.window_id], now)
            if opening is None or opening[0] != run.began:
                found.append(run.window_id)
    return found


def waiting(window: Window, runs: Iterable[Run], now: datetime) -> Opening | None:
    """The opening of a flexible window that waits for a failure; None where there is none, or one opened it."""
    if window.spec.flexible_s is None:
        return None
    opening = opening_at(window.spec, now)
    if opening is None:
        return None
    used = any(run.window_id == window.id and run.began >= opening[0] for run in runs)
    return None if used else opening


def triggered(window: Window, opening: Opening, first_bad: datetime, now: datetime) -> Run:
    """The run that a failure since ``first_bad`` opens: from the failure on, but not from before the window."""
    began = min(max(first_bad, opening[0]), now)
    return Run(window.id, began, began + timedelta(seconds=window.spec.flexible_s or 0.0))


@dataclass(frozen=True, slots=True)
class Inside:
    """That a service is inside windows: which, since when, and until when as far as is known."""

    windows: tuple[int, ...]
    since: datetime
    until: datetime


def inside(
    windows: Iterable[Window], runs: Iterable[Run], subjects: Mapping[int, Subject], now: datetime
) -> dict[int, Inside]:
    """Which services are inside open windows now; those inside none are left out."""
    by_id = {window.id: window for window in windows}
    opened = [run for run in runs if run.open_at(now) and run.window_id in by_id]
    found: dict[int, Inside] = {}
    for run in opened:
        selector = by_id[run.window_id].selector
        for each, subject in subjects.items():
            if not selector.matches(subject):
                continue
            before = found.get(each)
            if before is None:
                found[each] = Inside((run.window_id,), run.began, run.ends)
            elif run.window_id not in before.windows:
                ids = tuple(sorted((*before.windows, run.window_id)))
                found[each] = Inside(ids, min(before.since, run.began), max(before.until, run.ends))
    return found


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A window as people see it: what it covers, when it is open, and whether it is now."""

    id: int
    name: str
    covers: str
    rule: str
    open_since: datetime | None
    open_until: datetime | None
    waiting: bool
    muted: int
    upcoming: tuple[Opening, ...]
    note: str
    author: str
    owner: str
    origin: str


def row_of(
    window: Window, runs: Sequence[Run], note: str, author: str, owner: str, origin: str, now: datetime
) -> WindowRow:
    """A window as people see it now; ``runs`` are those of any window."""
    mine = [run for run in runs if run.window_id == window.id]
    opened = [run for run in mine if run.open_at(now)]
    return WindowRow(
        id=window.id,
        name=window.name,
        covers=covers_in_words(window.selector),
        rule=rule_in_words(window.spec),
        open_since=min((run.began for run in opened), default=None),
        open_until=max((run.ends for run in opened), default=None),
        waiting=waiting(window, mine, now) is not None,
        muted=sum(run.muted for run in opened),
        upcoming=tuple(upcoming(window.spec, now)),
        note=note,
        author=author,
        owner=owner,
        origin=origin,
    )


def covers_in_words(selector: Selector) -> str:
    """Which services a window covers."""
    parts = {
        "services": selector.services,
        "groups": selector.groups,
        "kinds": sorted(selector.kinds),
        "tags": sorted(selector.tags),
    }
    return "; ".join(f"{name} {', '.join(values)}" for name, values in parts.items() if values)


def rule_in_words(spec: Spec) -> str:
    """When a window is open.

    >>> rule_in_words(Spec("weekly", "Europe/Berlin", 7200.0, "30 2 * * sat,sun"))
    'weekly on sat, sun at 02:30 (Europe/Berlin) for 2h'
    >>> rule_in_words(Spec("monthly", "UTC", 7200.0, "5 14 * * *", month_days=(1, -1)))
    'monthly on days 1, -1 at 14:05 (UTC) for 2h'
    >>> rule_in_words(Spec("cron", "UTC", 7200.0, "0 4 * * mon"))
    'cron 0 4 * * mon (UTC) for 2h'
    """
    lasts = f"for {compact_duration(spec.duration_s)}"
    words = {"once": "once", "triggered": f"with another window, {lasts}"}.get(
        spec.kind, f"{spec.kind} {_starts_in_words(spec)} ({spec.tz}) {lasts}"
    )
    if spec.flexible_s is None:
        return words
    return f"{words}, from the first failure for {compact_duration(spec.flexible_s)}"


def _starts_in_words(spec: Spec) -> str:
    """On which days and when; the expression where somebody wrote one."""
    if spec.kind not in ("weekly", "monthly"):
        return spec.cron
    minute, hour, _, _, days = spec.cron.split()
    named = f"days {', '.join(map(str, spec.month_days))}" if spec.month_days else days.replace(",", ", ")
    return f"on {named} at {int(hour):02}:{int(minute):02}"


def in_utc(moment: datetime, tz: str) -> datetime:
    """A moment as people write it, in UTC: without an offset it is meant in the zone of the window."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone(tz))).astimezone(UTC)
