"""From confirmed states to alerts: what rules do, inside the transaction that stores the state.

An alert is identified by its subject and its rule. The first rule that matches a service raises; where the match
moves to another rule, the old alert resolves and the new one is raised.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol
from uuid import uuid4

from watchfloor.domain.alert import (
    Transition,
    change_severity,
    condition_false,
    condition_true_again,
    raise_alert,
)
from watchfloor.domain.outcome import Status
from watchfloor.domain.rules import Rule, Subject, first_match
from watchfloor.domain.suppression import NO_CAUSES, Causes, before_recovery, put_in
from watchfloor.operations.moved import subject_key
from watchfloor.operations.transitions import carry_out, with_words
from watchfloor.store import alerts as store
from watchfloor.store.alerts import ChangedAlert, NewAlert, StoredAlert
from watchfloor.store.database import Connection


class ConfirmedState(Protocol):
    """A service whose hard status changed."""

    @property
    def service_id(self) -> int: ...
    @property
    def subject(self) -> Subject: ...
    @property
    def status(self) -> Status: ...
    @property
    def at(self) -> datetime: ...
    @property
    def summary(self) -> str: ...


@dataclass(slots=True)
class _Plan:
    """What a batch does to alerts."""

    new: list[NewAlert]
    changed: list[ChangedAlert]
    causes: Mapping[int, Causes]

    def of(self, service_id: int) -> Causes:
        """Why a service is not spoken of now."""
        return self.causes.get(service_id, NO_CAUSES)

    def change(self, change: ChangedAlert) -> None:
        if change.events:
            self.changed.append(change)


async def raise_and_resolve(
    connection: Connection,
    confirmed: Sequence[ConfirmedState],
    incidents: Mapping[int, int],
    rules: Sequence[Rule],
    settings: Mapping[str, object],
    now: datetime,
    causes: Mapping[int, Causes] = MappingProxyType({}),
) -> bool:
    """Raise, change and resolve alerts for services whose hard status changed; True if anything was.

    ``incidents`` holds the open incident of each service that has one, ``causes`` why some are not spoken of: an
    alert of such a service has its reasons from the first.
    """
    window = float(settings["alerts.reopen_window"])  # type: ignore[arg-type]
    known: dict[str, list[StoredAlert]] = defaultdict(list)
    subjects = [subject_key(c.service_id) for c in confirmed]
    for stored in await store.lock_by_subject(connection, subjects, now - timedelta(seconds=window)):
        known[stored.subject].append(stored)
    plan = _Plan([], [], causes)
    for state in confirmed:
        _consider(plan, state, known[subject_key(state.service_id)], incidents, rules, window, now)
    return await carry_out(connection, plan.new, plan.changed, now)


def _consider(
    plan: _Plan,
    state: ConfirmedState,
    known: Sequence[StoredAlert],
    incidents: Mapping[int, int],
    rules: Sequence[Rule],
    window: float,
    now: datetime,
) -> None:
    rule = first_match(rules, state.subject, state.status)
    fingerprint = "" if rule is None else f"{subject_key(state.service_id)}/{rule.id}"
    current: StoredAlert | None = None
    for stored in known:
        if stored.fingerprint == fingerprint:
            current = stored  # the newest of its kind: rows come oldest first
        else:
            plan.change(ChangedAlert(stored, *_over(plan, stored, state, now)))
    if rule is None:
        return
    if current is None or not _again(plan, current, rule, state, window, now):
        incident = incidents.get(state.service_id)
        plan.new.append(_new(rule, state, fingerprint, incident, plan.of(state.service_id), now))


def _over(plan: _Plan, stored: StoredAlert, state: ConfirmedState, now: datetime) -> Transition:
    alert, first = before_recovery(stored.alert, plan.of(state.service_id), now)
    alert, events = condition_false(alert, now, ended_at=state.at)
    return (alert, (*first, *events)) if events else (stored.alert, ())


def _again(
    plan: _Plan, current: StoredAlert, rule: Rule, state: ConfirmedState, window: float, now: datetime
) -> bool:
    """The condition is true for an alert that exists; False when it is too old to come back."""
    severity = rule.severity_for(state.status)
    transition = condition_true_again(current.alert, now, window, severity)
    if transition is None:
        return False
    alert, events = transition
    alert, more = change_severity(alert, severity, now)
    alert, reasons = put_in(alert, plan.of(state.service_id), now)
    plan.change(with_words(current, (alert, (*events, *more, *reasons)), _title(state), state.summary, now))
    return True


def _new(
    rule: Rule,
    state: ConfirmedState,
    fingerprint: str,
    incident_id: int | None,
    causes: Causes,
    now: datetime,
) -> NewAlert:
    active_at = min(state.at, now)
    # ``for`` counts from the confirmation: what came before is what made it certain.
    alert, events = raise_alert(rule.severity_for(state.status), now, rule.for_s)
    alert, reasons = put_in(alert, causes, now)
    return NewAlert(
        uuid=uuid4(),
        subject=subject_key(state.service_id),
        fingerprint=fingerprint,
        rule_id=rule.id,
        service_id=state.service_id,
        incident_id=incident_id,
        title=_title(state),
        summary=state.summary,
        labels={
            **rule.labels,
            "service": state.subject.name,
            "kind": state.subject.kind,
            "group": state.subject.group,
            "since": active_at.isoformat(),
        },
        fire_at=alert.active_at + timedelta(seconds=rule.for_s),
        alert=alert,
        events=(*events, *reasons),
        root_id=causes.root,
    )


def _title(state: ConfirmedState) -> str:
    return f"{state.subject.name} is {state.status.word}"
