"""Which fires of the past are run again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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

    A fire whose newest run is still under way gets none: what is wanted happens already.
    """
    found = []
    for schedule_id, at in sorted(fires, key=lambda fire: (fire[1], fire[0])):
        key = fire_key(schedule_id, at)
        states = runs.get(key, ())
        if not states:
            found.append(Fire(schedule_id, at, key))
        elif again is Again.MISSING or states[-1] in UNDER_WAY:
            continue
        elif again is Again.ALL or "succeeded" not in states:
            found.append(Fire(schedule_id, at, f"{key}:b{len(states)}"))
    return found
