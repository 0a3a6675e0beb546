"""Which fires of the past are run again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

UNDER_WAY = frozenset({"waiting", "ready", "running"})


class Again(StrEnum):
    """Which fires get a run: those without one, those without success, or every one."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Fire:
    """A fire of a schedule, and the key of the run that it is to get."""

    schedule_id: int
    at: datetime
    key: str


def microseconds(at: datetime) -> int:
    """Microseconds since 1970: what names the moment of a fire."""
    return round(at.timestamp() * 1_000_000)


def fire_key(schedule_id: int, at: datetime) -> str:
    """The key that the run of a fire has, whoever makes it."""
    return f"s:{schedule_id}:{microseconds(at)}"


def chosen(
    fires: Iterable[tuple[int, datetime]], again: Again, runs: Mapping[str, Sequence[str]]
) -> list[Fire]:
    """The fires that get a run. ``runs`` holds the states of the runs of a fire, oldest first, by its key.

    A fire without runs of its own has those of a schedule that is gone, if one fired at its moment: whoever edits a
    schedule repeats nothing. Each of those counts for one fire, so that two schedules of a job still make two runs.
    A fire whose newest run is still under way gets none: what is wanted happens already.
    """
    due = [Fire(*fire, fire_key(*fire)) for fire in sorted(fires, key=lambda fire: (fire[1], fire[0]))]
    former = _former(runs, {fire.key for fire in due})
    found = []
    for fire in due:
        left = former.get(microseconds(fire.at))
        key = left.pop() if left and fire.key not in runs else fire.key
        states = runs.get(key, ())
        if not states:
            found.append(fire)
        elif again is Again.MISSING or states[-1] in UNDER_WAY:
            continue
        elif again is Again.ALL or "succeeded" not in states:
            found.append(replace(fire, key=f"{key}:b{len(states)}"))
    return found


def _former(runs: Mapping[str, Sequence[str]], present: Set[str]) -> dict[int, list[str]]:
    """Keys of fires of schedules that are gone, by their moment; those that succeeded come last."""
    found: dict[int, list[str]] = {}
    for key in sorted(runs.keys() - present, key=lambda key: ("succeeded" in runs[key], key)):
        found.setdefault(int(key.rpartition(":")[2]), []).append(key)
    return found
