"""Looks, when all is over, at what was done outside and at what the database says of it, and finds every contradiction.

The ledger is a file to which whoever does the work of a run appends: ``word run attempt fence moment``, the word being
start, tick or end, the moment that of a clock which all processes of the machine share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class RunFact:
    """What the database says of a run. ``due`` is its nominal time in seconds, ``missed`` the fires it stands for."""

    id: int
    job: str
    state: str
    attempt: int
    booked: int
    origin: str
    schedule: int | None
    due: float
    missed: int
    upstream: int | None = None


@dataclass
class Findings:
    """Everything that must not be."""

    lost_fires: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    second_starts: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    occurrences: int = 0
    attempts: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (
            self.lost_fires or self.overlaps or self.second_starts or self.unfinished or self.contradictions
        )


def check(
    ledger: Iterable[str],
    facts: Sequence[RunFact],
    *,
    at_most_once: frozenset[str],
    every_s: float,
    chains: dict[str, str],
    asked: Iterable[int] = (),
) -> Findings:
    """Compare. ``at_most_once`` are jobs; schedules fire each ``every_s``; ``chains``: job, and the one after it."""
    found = Findings(occurrences=len(facts))
    runs = {fact.id: fact for fact in facts}
    found.lost_fires += [f"run {run} was promised and is gone" for run in asked if run not in runs]
    lived: dict[int, dict[int, list[tuple[float, str]]]] = defaultdict(lambda: defaultdict(list))
    for line in ledger:
        word, run, attempt, fence, at = line.split()
        if fence != f"{run}.{attempt}":
            found.contradictions.append(f"run {run} attempt {attempt} had the fence {fence}")
        lived[int(run)][int(attempt)].append((float(at), word))
    for run, attempts in lived.items():
        found.attempts += len(attempts)
        _check_life(found, run, attempts, runs.get(run), at_most_once)
    for fact in facts:
        _check_fact(found, fact, lived.get(fact.id, {}))
    _check_fires(found, facts, every_s)
    _check_chains(found, facts, chains)
    return found


def _check_life(
    found: Findings,
    run: int,
    attempts: dict[int, list[tuple[float, str]]],
    fact: RunFact | None,
    at_most_once: frozenset[str],
) -> None:
    if fact is None:
        found.contradictions.append(f"run {run} was carried out and is not known")
        return
    spans = [(min(lines)[0], max(lines)[0]) for _, lines in sorted(attempts.items())]
    found.overlaps += [f"run {run}: {a} and {b}" for a, b in pairwise(spans) if b[0] <= a[1]]
    starts = [word for lines in attempts.values() for _, word in lines if word == "start"]
    if len(starts) > len(attempts):
        found.second_starts.append(f"an attempt of run {run} was started twice")
    if fact.job in at_most_once and len(starts) > 1:
        found.second_starts.append(f"run {run} of {fact.job} was started {len(starts)} times")
    if max(attempts) > fact.attempt:
        found.contradictions.append(f"run {run} had attempt {max(attempts)}, {fact.attempt} are booked")


def _check_fact(found: Findings, fact: RunFact, attempts: dict[int, list[tuple[float, str]]]) -> None:
    if fact.state in ("waiting", "ready", "running"):
        found.unfinished.append(f"run {fact.id} of {fact.job} is {fact.state}")
    if fact.attempt != fact.booked:
        found.contradictions.append(f"run {fact.id}: {fact.attempt} attempts, {fact.booked} in the history")
    words = [word for _, word in attempts.get(fact.attempt, [])]
    if fact.state == "succeeded" and "end" not in words:
        found.contradictions.append(f"run {fact.id} of {fact.job} counts as done and was not")


def _check_fires(found: Findings, facts: Sequence[RunFact], every_s: float) -> None:
    """Of each schedule every occasion from its first to its last has a run, or is one of those told as missed."""
    by_schedule: dict[int, list[RunFact]] = defaultdict(list)
    for fact in facts:
        if fact.origin == "schedule" and fact.schedule is not None:
            by_schedule[fact.schedule].append(fact)
    for schedule, fired in by_schedule.items():
        due = [round(fact.due / every_s) for fact in fired if fact.state != "missed"]
        missed = sum(fact.missed for fact in fired)
        if len(set(due)) != len(due):
            found.contradictions.append(f"schedule {schedule} fired twice for one occasion")
        if due and max(due) - min(due) + 1 > len(due) + missed:
            lost = sorted(set(range(min(due), max(due) + 1)) - set(due))
            found.lost_fires.append(
                f"schedule {schedule}: {len(lost)} without a run, {missed} told: {lost[:5]}"
            )


def _check_chains(found: Findings, facts: Sequence[RunFact], chains: dict[str, str]) -> None:
    followed: dict[tuple[int | None, str], int] = defaultdict(int)
    for fact in facts:
        if fact.origin == "chain":
            followed[(fact.upstream, fact.job)] += 1
    for fact in facts:
        following = chains.get(fact.job)
        if following is not None and fact.state == "succeeded" and followed[(fact.id, following)] != 1:
            found.lost_fires.append(
                f"run {fact.id} of {fact.job} is followed by {followed[(fact.id, following)]} runs of {following}"
            )
