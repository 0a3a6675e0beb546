"""What will happen next to a run, in sentences. Pure; moments are written by whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.durations import format_duration
from watchfloor.domain.retry import Retry, pause


@dataclass(frozen=True, slots=True)
class Outlook:
    """What decides about the future of a run."""

    state: str
    attempt: int
    used: int
    retry: Retry
    at_most_once: bool
    timeout_s: float
    available_at: datetime
    started_at: datetime | None
    deadline_at: datetime | None
    cancel_by: str
    cancel_at: datetime | None
    kill: bool
    paused: bool
    tripped: bool
    next_fire_at: datetime | None
    queue: str
    holders: tuple[int, ...]  # runs of the same job that have its slots
    follows: tuple[str, ...]  # "report when it succeeds"
    settled_by: str
    requeued_as: int | None


Clock = Callable[[datetime], str]


def sentences(outlook: Outlook, clock: Clock) -> list[str]:
    """What comes next, the nearest first."""
    return [*_of_state(outlook, clock), *_follow_up(outlook, clock)]


def _of_state(outlook: Outlook, clock: Clock) -> Iterator[str]:
    match outlook.state:
        case "waiting":
            yield _waiting(outlook, clock)
        case "ready":
            yield f"The next free node that serves queue {outlook.queue} takes it."
        case "running":
            yield from _running(outlook, clock)
        case "dead":
            yield _dead(outlook)
    if outlook.state in ("waiting", "ready") and outlook.deadline_at is not None:
        yield f"If nothing has ended by {clock(outlook.deadline_at)}, its deadline, it is given up."


def _waiting(outlook: Outlook, clock: Clock) -> str:
    which = f"Attempt {outlook.attempt + 1}" if outlook.attempt else "It"
    if outlook.holders:
        shown = ", ".join(f"#{run}" for run in outlook.holders[:3])
        return f"{which} starts once {shown} {'has' if len(outlook.holders) == 1 else 'have'} ended."
    return f"{which} starts at {clock(outlook.available_at)}, or as soon after as there is room."


def _running(outlook: Outlook, clock: Clock) -> Iterator[str]:
    if outlook.cancel_at is not None:
        who = outlook.cancel_by or "somebody"
        how = (
            "it is killed at once"
            if outlook.kill
            else "it has been told to end, and is killed after its grace"
        )
        yield f"{who} cancelled it at {clock(outlook.cancel_at)}: {how}."
        return
    if outlook.started_at is not None:
        limit = outlook.started_at + timedelta(seconds=outlook.timeout_s)
        until = limit if outlook.deadline_at is None else min(limit, outlook.deadline_at)
        word = "its deadline" if until != limit else f"a time-out of {format_duration(outlook.timeout_s)}"
        yield f"It is ended at {clock(until)} ({word}) if it still runs then."
    yield _if_it_fails(outlook)
    yield (
        "If its node is lost, it is given up: it never starts twice."
        if outlook.at_most_once
        else "If its node is lost, it starts again on another."
    )


def _if_it_fails(outlook: Outlook) -> str:
    attempts = outlook.retry.attempts
    if outlook.at_most_once or outlook.used + 1 >= attempts:
        return "If it fails, it becomes a dead letter."
    shortest = pause(outlook.retry, outlook.used + 1, lambda: 0.0)
    longest = pause(outlook.retry, outlook.used + 1, lambda: 1.0)
    after = format_duration(round(longest, 1))
    lead = f"{format_duration(round(shortest, 1))} to {after}" if shortest != longest else after
    return f"If it fails, attempt {outlook.attempt + 1} follows after {lead}; {attempts} are allowed in all."


def _dead(outlook: Outlook) -> str:
    if outlook.requeued_as is not None:
        return (
            f"Nothing more: {outlook.settled_by} requeued it, and #{outlook.requeued_as} runs in its place."
        )
    if outlook.settled_by:
        return f"Nothing more: {outlook.settled_by} discarded it."
    return "It is a dead letter: it waits for somebody to requeue or discard it."


def _follow_up(outlook: Outlook, clock: Clock) -> Iterator[str]:
    final = outlook.state not in ("waiting", "ready", "running")
    if outlook.follows and not final:
        yield f"After it: {', '.join(outlook.follows)}."
    if outlook.tripped or outlook.paused:
        why = ", because it failed too often in a row" if outlook.tripped else ""
        yield f"Its job is paused{why}: its schedules rest until somebody resumes it."
        if not final:
            yield "This run goes on all the same."
    elif outlook.next_fire_at is not None:
        yield f"Its job fires next at {clock(outlook.next_fire_at)}."
    else:
        yield "Its job has no fire to come; it runs when asked."


def link_in_words(job: str, when: str, *, there: bool = True) -> str:
    """A job that follows another; one that is not ``there`` any more is never started.

    >>> link_in_words("report", "success"), link_in_words("tidy", "script.exit.*")
    ('report when it succeeds', 'tidy when it fails with script.exit.*')
    >>> link_in_words("report", "any", there=False)
    'report when it has ended (not started: there is no such job any more)'
    """
    words = {"success": "succeeds", "failure": "fails", "cancelled": "is cancelled", "any": "has ended"}
    gone = "" if there else " (not started: there is no such job any more)"
    return f"{job} when it {words.get(when, f'fails with {when}')}{gone}"
