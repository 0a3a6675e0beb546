"""What becomes of runs whose time has come while others of the same job still go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

QUEUE_LIMIT = 100
"""Runs of a job that may wait in line; later ones are skipped."""


class Overlap(StrEnum):
    """What a job does about a run that comes before the one before has ended."""

    SKIP = "skip"
    QUEUE_ONE = "queue_one"
    QUEUE_ALL = "queue_all"
    CANCEL_PREVIOUS = "cancel_previous"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run whose time has come; ``firm``: a person asked for it or it has begun before, so it is never skipped."""

    id: int
    firm: bool


@dataclass(frozen=True, slots=True)
class Promotion:
    """Runs that may start, each with its slot; runs that are skipped; whether what runs now is to be cancelled."""

    start: tuple[tuple[int, int], ...]
    skip: tuple[int, ...]
    cancel_running: bool


def promote(overlap: Overlap, slots: int, taken: Sequence[int], waiting: Sequence[Waiting]) -> Promotion:
    """Decide about the ``waiting`` runs of one job, in the order of their time, where ``taken`` slots of ``slots``
    (numbered from 1) are in use."""
    free = [slot for slot in range(1, slots + 1) if slot not in taken]
    if overlap is Overlap.CANCEL_PREVIOUS:
        loose = [run for run in waiting if not run.firm]
        superseded = {run.id for run in loose[:-slots]}
        kept = [run for run in waiting if run.id not in superseded]
        start = tuple((run.id, slot) for run, slot in zip(kept, free, strict=False))
        return Promotion(start, tuple(sorted(superseded)), len(kept) > len(free) and bool(taken))
    start = tuple((run.id, slot) for run, slot in zip(waiting, free, strict=False))
    line = [run for run in waiting[len(start) :] if not run.firm]
    room = {Overlap.SKIP: 0, Overlap.QUEUE_ONE: 1, Overlap.QUEUE_ALL: QUEUE_LIMIT}.get(overlap, len(line))
    return Promotion(start, tuple(run.id for run in line[room:]), False)
