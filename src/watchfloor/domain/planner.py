"""Maintenance as it is planned: when windows were, are and will be open, and what clocks do on the way.

This module must never look at a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from watchfloor.domain.durations import format_duration
from watchfloor.domain.windows import Run, Spec, Window, opening_at, upcoming, waiting
from watchfloor.domain.zones import zone

LOOKED_THROUGH = 250
"""Openings among which the next change of clocks is looked for: daily ones meet one of them."""
AHEAD = 3
"""Openings to come that are shown of each window."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A window with whom it belongs to, as the planner shows it. ``retired``: it was taken away since."""

    window: Window
    covers: str
    rule: str
    note: str
    author: str
    owner: str
    origin: str
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """One time in which a window was, is or will be open; its key is ``(window_id, starts)``.

    ``state`` is open, waiting (for a failure), next or over. ``clocks`` says what clocks do that is out of the
    ordinary; empty: nothing.
    """

    window_id: int
    name: str
    state: str
    starts: datetime
    ends: datetime
    covers: str
    rule: str
    note: str
    author: str
    owner: str
    origin: str
    muted: int = 0
    ended_by: str = ""
    clocks: str = ""


_ORDER = ("open", "waiting", "next", "over")


def slots(windows: Iterable[Planned], runs: Iterable[Run], now: datetime) -> list[Slot]:
    """What is open first, then what is to come, soonest first, then what is over, latest first."""
    by_window: dict[int, list[Run]] = {}
    for run in runs:
        by_window.setdefault(run.window_id, []).append(run)
    found: list[Slot] = []
    for each in windows:
        mine = by_window.get(each.window.id, [])
        found += [
            _slot(each, "open" if run.open_at(now) else "over", run.began, run.ends, run)
            for run in mine
            if run.began <= now
        ]
        if each.retired:
            continue
        opening = waiting(each.window, mine, now)
        if opening is not None:
            found.append(_slot(each, "waiting", *opening))
        found += [_slot(each, "next", *times) for times in upcoming(each.window.spec, now, AHEAD)]
    return sorted(found, key=_place)


def _place(slot: Slot) -> tuple[int, float, str]:
    at = slot.starts.timestamp()
    return (_ORDER.index(slot.state), -at if slot.state == "over" else at, slot.name)


def _slot(each: Planned, state: str, starts: datetime, ends: datetime, run: Run | None = None) -> Slot:
    return Slot(
        window_id=each.window.id,
        name=each.window.name,
        state=state,
        starts=starts,
        ends=ends,
        covers=each.covers,
        rule=each.rule,
        note=each.note,
        author=each.author,
        owner=each.owner,
        origin=each.origin,
        muted=0 if run is None else run.muted,
        ended_by="" if run is None else run.ended_by,
        clocks=clocks(each.window.spec, starts, ends),
    )


def clocks(spec: Spec, starts: datetime, ends: datetime) -> str:
    """What clocks in the zone of a window do that is out of the ordinary between its start and its end.

    >>> from datetime import UTC
    >>> spec = Spec("weekly", "Europe/Berlin", 4 * 3600.0, "30 1 * * sun")
    >>> clocks(spec, datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 4, 30, tzinfo=UTC))
    'clocks go forward by 1h inside it'
    >>> clocks(Spec("weekly", "Europe/Berlin", 3600.0, "30 2 * * sun"),
    ...     datetime(2026, 3, 29, 1, 0, tzinfo=UTC), datetime(2026, 3, 29, 2, 0, tzinfo=UTC))
    'opens at 03:00: 02:30 does not exist that day'
    """
    tz = zone(spec.tz)
    local_start, local_end = starts.astimezone(tz), ends.astimezone(tz)
    wanted = _time_of_day(spec)
    if wanted is not None and _is_skipped(local_start, wanted):
        return f"opens at {local_start:%H:%M}: {wanted[0]:02}:{wanted[1]:02} does not exist that day"
    shift = (local_end.utcoffset() or timedelta()) - (local_start.utcoffset() or timedelta())
    if not shift:
        return ""
    way = "forward" if shift > timedelta() else "back"
    return f"clocks go {way} by {format_duration(abs(shift.total_seconds()))} inside it"


def _is_skipped(local: datetime, wanted: tuple[int, int]) -> bool:
    """Whether clocks jump over a time of day on the day of ``local``; a run may begin at any time for other reasons."""
    meant = local.replace(hour=wanted[0], minute=wanted[1], fold=0)
    there = meant.astimezone(UTC).astimezone(local.tzinfo)
    return (local.hour, local.minute) != wanted and (there.hour, there.minute) != wanted


def _time_of_day(spec: Spec) -> tuple[int, int] | None:
    minute, hour, *_ = (*spec.cron.split(), "", "")
    return (int(hour), int(minute)) if hour.isdigit() and minute.isdigit() else None


def planned_end(spec: Spec, run: Run) -> datetime | None:
    """When a run would have ended if nobody had ended it; None where that cannot be told."""
    if spec.flexible_s is not None:
        return run.began + timedelta(seconds=spec.flexible_s)
    return spec.end if spec.kind == "once" else run.began + timedelta(seconds=spec.duration_s)


def preview(spec: Spec, now: datetime, count: int = 5) -> list[str]:
    """The openings in words, by the clocks of the zone of the window: the one that goes on and the next ones.

    The next one on which clocks change is added.

    >>> from datetime import UTC
    >>> spec, now = Spec("weekly", "Europe/Berlin", 3600.0, "0 2 * * sun"), datetime(2026, 11, 26, tzinfo=UTC)
    >>> for line in preview(spec, now, 2):
    ...     print(line)
    opens Sun 29 Nov 2026 02:00 to 03:00 (+01:00), 1h
    opens Sun 6 Dec 2026 02:00 to 03:00 (+01:00), 1h
    opens Sun 28 Mar 2027 03:00 to 04:00 (+02:00), 1h; opens at 03:00: 02:00 does not exist that day
    >>> preview(spec, datetime(2026, 11, 29, 1, 30, tzinfo=UTC), 1)[0]
    'open at once: Sun 29 Nov 2026 02:00 to 03:00 (+01:00), 1h'
    """
    going = opening_at(spec, now)
    coming = upcoming(spec, now, LOOKED_THROUGH)
    odd = next((each for each in coming[count:] if clocks(spec, *each)), None)
    return [
        *([f"open at once: {_words(spec, *going)}"] if going else []),
        *(f"opens {_words(spec, *each)}" for each in (*coming[:count], *([odd] if odd else []))),
    ]


def _words(spec: Spec, starts: datetime, ends: datetime) -> str:
    tz = zone(spec.tz)
    first, last = starts.astimezone(tz), ends.astimezone(tz)
    same_day = first.date() == last.date()
    until = f"{last:%H:%M}" if same_day else f"{last:%a} {last.day} {last:%b %H:%M}"
    offset = f"{first:%z}"
    lasts = format_duration((ends - starts).total_seconds())
    odd = clocks(spec, starts, ends)
    return f"{first:%a} {first.day} {first:%b %Y %H:%M} to {until} ({offset[:3]}:{offset[3:]}), {lasts}" + (
        f"; {odd}" if odd else ""
    )


def written(window: Window, note: str, names: Mapping[int, str]) -> dict[str, object]:
    """A window as a file would hold it; ``names`` are those of other windows, by id."""
    spec, selector = window.spec, window.selector
    covers = {
        "services": list(selector.services),
        "groups": list(selector.groups),
        "kinds": sorted(selector.kinds),
        "tags": sorted(selector.tags),
    }
    found: dict[str, object] = {
        "name": window.name,
        "covers": {key: each for key, each in covers.items() if each},
    }
    tz = zone(spec.tz)
    if spec.kind == "once" and spec.start is not None and spec.end is not None:
        found |= {"start": _local(spec.start, tz), "end": _local(spec.end, tz)}
    elif spec.kind == "cron":
        found["cron"] = spec.cron
    elif spec.kind in ("weekly", "monthly"):
        minute, hour, _, _, days = spec.cron.split()
        found["at"] = f"{int(hour):02}:{int(minute):02}"
        found[spec.kind] = days.split(",") if spec.kind == "weekly" else list(spec.month_days)
    elif window.triggered_by is not None:
        found["opens_with"] = names.get(window.triggered_by, "")
    if spec.kind != "once":
        found["lasts"] = format_duration(spec.duration_s)
    if spec.tz != "UTC":
        found["time_zone"] = spec.tz
    if spec.flexible_s is not None:
        found["flexible"] = format_duration(spec.flexible_s)
    if note:
        found["note"] = note
    return found


def _local(moment: datetime, tz: tzinfo) -> str:
    return moment.astimezone(tz).isoformat(timespec="seconds" if moment.second else "minutes")
