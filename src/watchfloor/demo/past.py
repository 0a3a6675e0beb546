"""The past of the demo: how its services did in the five weeks before you arrived. Made up, and the same for a seed.

Every service has habits: how fast it answers at its best and worst hour, how often it fails, for how long, and why.
Faults come by day more than by night, those of the reports at three in the morning, when they are built. What is
broken when you arrive has been so for a while. Pure: the writing of it is the business of `remembering`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.demo.reporter import NAME as STOCK_SYNC
from watchfloor.demo.script import between
from watchfloor.domain.outcome import Status

DAYS = 35
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTES = ("on it", "known, being worked on", "waiting for the provider", "")
_BY_DAY = (8.0, 20.0)
"""Hours (UTC) between which most faults begin."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How one service does.

    ``calm_ms``: what it takes to answer at its best hour (None: it answers nobody), ``busy``: by how much more at its
    worst. So many ``faults`` in `DAYS`, each within ``lasting`` minutes, begun within the hours of ``at``; ``cause`` is
    what is seen then. ``since``: how long ago the fault began that is on still, and has a ``note``; None: all is
    well.
    """

    calm_ms: float | None
    busy: float = 0.6
    faults: int = 0
    lasting: tuple[float, float] = (2.0, 20.0)
    at: tuple[float, float] = _BY_DAY
    status: Status = Status.FAILING
    cause: str = "timed out after 10 s"
    since: timedelta | None = None
    note: str = ""


HABITS: Mapping[str, Habit] = {
    "storefront": Habit(21, faults=2, cause="500 Internal Server Error in 24 ms: expected 200-299"),
    "checkout-api": Habit(
        38, faults=11, lasting=(3, 35), cause="503 Service Unavailable in 41 ms: expected 200-299"
    ),
    "search": Habit(
        90, busy=1.6, faults=6, status=Status.DEGRADED, cause="200 in 512 ms: slower than 400 ms"
    ),
    "image-cdn": Habit(9, faults=3, status=Status.DEGRADED, cause="200 in 311 ms: slower than 250 ms"),
    "payment-gateway": Habit(26, faults=1, lasting=(6, 9)),
    "payment-certificate": Habit(
        8,
        status=Status.DEGRADED,
        cause="certificate expires soon",
        since=timedelta(days=4, hours=18),
        note="the new one is ordered",
    ),
    "login": Habit(33, faults=3, lasting=(2, 8)),
    "login-certificate": Habit(8),
    "profile-api": Habit(
        17, faults=14, lasting=(2, 12), cause="500 Internal Server Error in 18 ms: expected 200-299"
    ),
    "sessions": Habit(2.4, faults=5, lasting=(2, 6), cause="connection refused"),
    "invoices": Habit(49, faults=3, cause="502 Bad Gateway in 50 ms: expected 200-299"),
    "reports": Habit(84, busy=1.1, faults=9, lasting=(8, 25), at=(3.0, 3.4)),
    "archive": Habit(24, cause="certificate not trusted: certificate has expired", since=timedelta(days=2)),
    STOCK_SYNC: Habit(None, faults=8, lasting=(5, 40), at=(0.0, 24.0), cause="no ping"),
    "partner-feed": Habit(
        140,
        faults=4,
        lasting=(10, 60),
        cause="the name does not exist",
        since=timedelta(hours=3, minutes=7),
        note="the partner is asked",
    ),
    "status-api": Habit(12, faults=4, cause='200 in 13 ms: status is "degraded", expected "ok"'),
    "mail-relay": Habit(4.8, faults=1),
    "this-host": Habit(None),
    "watchfloor-database": Habit(6.5),
    "database-size": Habit(5.2),
    "unsettled-runs": Habit(4.1),
}
"""Every service of the demo, by name."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a figure of a service goes: ``middle``, up and down by ``swing`` with the hour, ``rising`` so much a day."""

    middle: float
    swing: float
    rising: float = 0.0


FIGURES: Mapping[tuple[str, str], Course] = {
    ("this-host", "cpu_percent"): Course(31, 17),
    ("this-host", "memory_used_percent"): Course(58, 6),
    ("this-host", "load_per_core"): Course(0.42, 0.25),
    ("watchfloor-database", "connections_used"): Course(9, 3),
    ("watchfloor-database", "connections_used_percent"): Course(9, 3),
}
"""What was measured besides latency, by service and figure."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A stretch of time in which a service was not ok; ``ended`` None: it is on still."""

    service: str
    began: datetime
    ended: datetime | None
    status: Status
    cause: str
    person: str = ""
    """Who acknowledged it, ``after``, with the ``note``; empty: nobody did before it was over."""
    after: timedelta = timedelta()
    note: str = ""


def faults(seed: int, now: datetime) -> list[Fault]:
    """Every fault in the past of this seed, by service and then by time; none overlaps another of its service."""
    found: list[Fault] = []
    for service, habit in HABITS.items():
        free = now - timedelta(minutes=90) if habit.since is None else now - habit.since - HOUR
        mine: list[Fault] = []
        for fault in sorted(_drawn(seed, service, habit, now), key=lambda each: each.began):
            clear = not mine or (mine[-1].ended or now) + HOUR < fault.began
            if clear and (fault.ended or now) < free:
                mine.append(fault)
        found += mine
        if habit.since is not None:
            known = ("ops-primary", 12 * MINUTE, habit.note)
            found.append(Fault(service, now - habit.since, None, habit.status, habit.cause, *known))
    return found


def _drawn(seed: int, service: str, habit: Habit, now: datetime) -> Iterator[Fault]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for n in range(habit.faults):
        key = f"{seed}/{service}/past/{n}"
        day = int(between(1, DAYS, f"{key}/day"))
        began = midnight - DAY * day + HOUR * between(*habit.at, f"{key}/hour")
        minutes = between(*habit.lasting, f"{key}/length")
        after = between(0.7, 9.0, f"{key}/acknowledged")
        person = "ops-primary" if between(0, 1, f"{key}/person") < 0.6 else "ops-secondary"
        yield Fault(
            service,
            began,
            began + MINUTE * minutes,
            habit.status,
            habit.cause,
            person if after < minutes else "",
            MINUTE * after,
            NOTES[int(between(0, len(NOTES), f"{key}/note"))] if after < minutes else "",
        )


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in one state; ``ended`` None: it goes on."""

    service: str
    began: datetime
    ended: datetime | None
    state: str


_WORDS = {Status.FAILING: "down", Status.DEGRADED: "degraded"}


def spans(happened: Sequence[Fault], start: datetime) -> list[Span]:
    """What every service was from ``start`` on: up, but for its faults."""
    found: list[Span] = []
    for service in HABITS:
        at: datetime | None = start
        for fault in (each for each in happened if each.service == service):
            assert at is not None, "nothing comes after what goes on"
            found.append(Span(service, at, fault.began, "up"))
            found.append(Span(service, fault.began, fault.ended, _WORDS[fault.status]))
            at = fault.ended
        if at is not None:
            found.append(Span(service, at, None, "up"))
    return found
