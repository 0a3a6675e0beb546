"""Turns a batch of findings and the states found in the database into what must be written. No I/O.

A batch holds one finding per service, so that every step of every service has its consequences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from watchfloor.domain import spark
from watchfloor.domain.check_state import Change, ChangeKind, CheckState, Policy, Step, advance, begun_anew
from watchfloor.domain.cover import after_silence, book
from watchfloor.domain.flapping import START, STOP, observe
from watchfloor.domain.guards import told_elsewhere
from watchfloor.domain.outcome import PHASES, Status
from watchfloor.domain.restore import Unseen, is_gap
from watchfloor.domain.rules import Subject
from watchfloor.domain.spans import gap_after, out_of_sight, span_state
from watchfloor.engine.finding import Finding
from watchfloor.store.certificates import SeenCertificate
from watchfloor.store.results import (
    FactRow,
    IncidentChange,
    IncidentEnd,
    ResultRow,
    SpanStart,
    StateRow,
    Stored,
)
from watchfloor.store.services import Service

LONGEST_US = 2**31 - 1
_MICROSECOND = timedelta(microseconds=1)
HARD = (ChangeKind.HARD_PROBLEM, ChangeKind.HARD_CHANGE, ChangeKind.RECOVERY)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A service whose hard status changed in this batch, as rules see it."""

    service_id: int
    subject: Subject
    status: Status
    at: datetime  # from when the new status is booked
    summary: str
    before: Status | None = None


@dataclass(frozen=True, slots=True)
class Flapped:
    """A service that began or ceased to flap."""

    service_id: int
    subject: Subject
    status: Status
    percent: float
    active: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which shares of changes a service flaps, in percent."""

    start: float = START
    stop: float = STOP


@dataclass(slots=True)
class Batch:
    """Everything one transaction of the recorder writes."""

    states: list[StateRow] = field(default_factory=list)
    results: list[ResultRow] = field(default_factory=list)
    metrics: list[tuple[int, datetime, str, float]] = field(default_factory=list)
    facts: list[FactRow] = field(default_factory=list)
    certificates: list[SeenCertificate] = field(default_factory=list)
    spans: list[SpanStart] = field(default_factory=list)
    problems: list[IncidentChange] = field(default_factory=list)
    recovered: list[IncidentEnd] = field(default_factory=list)
    confirmed: list[Confirmed] = field(default_factory=list)
    flapped: list[Flapped] = field(default_factory=list)
    suspects: dict[int, datetime] = field(default_factory=dict)  # new failures and when they began
    unseen: list[Unseen] = field(default_factory=list)  # of confirmed problems
    discarded: int = 0


def rounds(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The findings in batches of one per service, each service's in the order in which its checks started."""
    batches: list[list[Finding]] = []
    seen: Counter[int] = Counter()
    for finding in sorted(findings, key=_start):
        at = seen[finding.service_id]
        seen[finding.service_id] += 1
        if at == len(batches):
            batches.append([])
        batches[at].append(finding)
    return batches


def _start(finding: Finding) -> datetime:
    return finding.started


def judge(
    findings: Iterable[Finding],
    stored: Mapping[int, Stored],
    services: Mapping[int, Service],
    node_id: int,
    now: datetime,
    limits: Limits = Limits(),
) -> Batch:
    """Advance every service of a batch by its finding; what belongs to no stored service is left out."""
    batch = Batch()
    for finding in findings:
        found = stored.get(finding.service_id)
        if found is not None:
            _judge_one(batch, services[finding.service_id], finding, found, node_id, now, limits)
    return batch


def _judge_one(
    batch: Batch,
    service: Service,
    finding: Finding,
    stored: Stored,
    node_id: int,
    now: datetime,
    limits: Limits,
) -> None:
    outcome = finding.outcome
    policy = _policy(service.max_attempts, service.recover_attempts)
    last_ended = None if finding.seamless else stored.last_ended
    every_s, timeout_s = service.every_ms / 1000, service.timeout_ms / 1000
    unseen = out_of_sight(stored.state, last_ended, finding.started, every_s, timeout_s)
    before = begun_anew(stored.state) if unseen else stored.state
    step = advance(before, outcome.status, finding.started, finding.ended, policy, now)
    if step.discarded:
        batch.discarded += 1
        return
    batch.results.append(_result(finding, node_id))
    _book_detail(batch, finding)
    _book_spans(batch, service, step.state, stored, finding)
    _book_unseen(batch, service, step.state, stored, finding)
    if step.change is not None:
        _book_change(batch, service, step, step.change, finding)
    flapping = observe(stored.flapping, outcome.status, start=limits.start, stop=limits.stop)
    if flapping.active is not stored.flapping.active:
        batch.flapped.append(
            Flapped(
                service.id,
                subject_of(service),
                outcome.status,
                flapping.percent,
                flapping.active,
                finding.ended,
            )
        )
    batch.states.append(
        StateRow(
            service_id=service.id,
            # a node that is cut off has an alert of its own: no check is blind for that
            state=replace(step.state, unknown_since=None) if told_elsewhere(outcome) else step.state,
            last_ended=finding.ended,
            latency_us=_microseconds(outcome.latency),
            summary=outcome.summary,
            recent=bytes((spark.encode(outcome.status, outcome.latency),)),
            flapping=flapping,
        )
    )


_policy = cache(Policy)


def subject_of(service: Service) -> Subject:
    """A service as rules see it."""
    return Subject(service.name, service.kind, service.group_name, frozenset(service.tags))


def _result(finding: Finding, node_id: int) -> ResultRow:
    outcome = finding.outcome
    return ResultRow(
        service_id=finding.service_id,
        ts=finding.started,
        node_id=node_id,
        status=int(outcome.status),
        latency_us=_microseconds(outcome.latency),
        lag_us=int(finding.lag_s * 1e6),
        phases=_phases(outcome.phases),
        summary=None if outcome.status is Status.OK else outcome.summary,
        took_us=min((finding.ended - finding.started) // _MICROSECOND, LONGEST_US),
    )


def _phases(phases: Mapping[str, float]) -> list[int | None] | None:
    """The phases as they are stored: a microsecond at least for one that was reached, nothing for one that was not."""
    if not phases:
        return None
    return [max(1, int(phases[name] * 1e6)) if name in phases else None for name in PHASES]


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1e6)


def _book_detail(batch: Batch, finding: Finding) -> None:
    outcome, service_id = finding.outcome, finding.service_id
    batch.metrics.extend(
        (service_id, finding.started, name, value) for name, value in outcome.metrics.items()
    )
    if outcome.facts or outcome.metrics:
        batch.facts.append((service_id, finding.ended, outcome.facts, outcome.metrics))
    certificate = outcome.facts.get("certificate")
    row = _certificate(service_id, finding.ended, certificate) if isinstance(certificate, Mapping) else None
    if row is not None:
        batch.certificates.append(row)


def _certificate(service_id: int, seen_at: datetime, facts: Mapping[str, Any]) -> SeenCertificate | None:
    """A row of the certificate log; None where the certificate could not be read."""
    try:
        return SeenCertificate(
            service_id=service_id,
            seen_at=seen_at,
            fingerprint=str(facts["fingerprint_sha256"]),
            subject=str(facts["subject"]),
            issuer=str(facts["issuer"]),
            not_before=datetime.fromisoformat(facts["not_before"]),
            not_after=datetime.fromisoformat(facts["not_after"]),
            detail=facts,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _book_spans(batch: Batch, service: Service, after: CheckState, stored: Stored, finding: Finding) -> None:
    if stored.last_ended is not None and not finding.seamless:
        silent_from = gap_after(stored.last_ended, service.every_ms / 1000, service.timeout_ms / 1000)
        if silent_from < finding.started:
            booked = after_silence(stored.cover, silent_from, span_state(after), finding.started)
            batch.spans += [SpanStart(service.id, at, state) for at, state in booked]
            return
    batch.spans += [SpanStart(service.id, at, state) for at, state in book(stored.state, after, stored.cover)]


def _book_unseen(batch: Batch, service: Service, after: CheckState, stored: Stored, finding: Finding) -> None:
    """Note where it was not known whether a confirmed problem went on: what waits to be told of it waits longer."""
    before, last_ended = stored.state, stored.last_ended
    if {before.hard, after.hard} & {None, Status.OK} or before.last_started is None or last_ended is None:
        return
    if after.status is Status.UNKNOWN:
        batch.unseen.append(Unseen(service.id, before.last_started, finding.started, found=False))
        return
    silent_s = (finding.started - last_ended).total_seconds()
    if not finding.seamless and is_gap(silent_s, service.every_ms / 1000, service.timeout_ms / 1000):
        batch.unseen.append(Unseen(service.id, last_ended, finding.started, found=True))


def _book_change(batch: Batch, service: Service, step: Step, change: Change, finding: Finding) -> None:
    if step.state.first_bad is not None and change.kind in (ChangeKind.SOFT_PROBLEM, ChangeKind.HARD_PROBLEM):
        batch.suspects[service.id] = step.state.first_bad
    if change.kind not in HARD:
        return
    batch.confirmed.append(
        Confirmed(
            service_id=service.id,
            subject=subject_of(service),
            status=change.to_status,
            at=change.at,
            summary=finding.outcome.summary,
            before=change.from_status,
        )
    )
    if change.kind is ChangeKind.RECOVERY:
        batch.recovered.append(IncidentEnd(service.id, change.at, finding.ended))
    else:
        batch.problems.append(
            IncidentChange(service.id, change.to_status, change.at, finding.ended, finding.outcome.summary)
        )
