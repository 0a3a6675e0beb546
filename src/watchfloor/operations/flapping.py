"""An alert of its own says that a service flaps: one message when it begins, one, with the state then, when it ends.

It goes where alerts of the service's failures would go. Meanwhile those carry the reason ``flapping``, which
`watchfloor.operations.suppressing` puts in and takes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from watchfloor.domain.alert import condition_false, condition_true_again, raise_alert
from watchfloor.domain.outcome import Status
from watchfloor.domain.rules import Rule, Subject, first_match
from watchfloor.domain.severity import Severity
from watchfloor.domain.suppression import NO_CAUSES, Causes, before_recovery, put_in
from watchfloor.operations.suppressing import flapping_key
from watchfloor.operations.transitions import carry_out, with_words
from watchfloor.store import alerts as store
from watchfloor.store.alerts import ChangedAlert, NewAlert, StoredAlert
from watchfloor.store.database import Connection
from watchfloor.store.flapping import switch_flapping


class FlappedState(Protocol):
    """A service that began or ceased to flap, and when; ``status`` is what its latest check found."""

    @property
    def service_id(self) -> int: ...
    @property
    def subject(self) -> Subject: ...
    @property
    def status(self) -> Status: ...
    @property
    def percent(self) -> float: ...
    @property
    def active(self) -> bool: ...
    @property
    def at(self) -> datetime: ...


async def tell_flapping(
    connection: Connection,
    flapped: Sequence[FlappedState],
    rules: Sequence[Rule],
    settings: Mapping[str, object],
    causes: Mapping[int, Causes],
    now: datetime,
) -> bool:
    """Book when it was and raise and resolve the alerts about it; True if any alert changed."""
    for each in flapped:
        await switch_flapping(connection, each.service_id, each.active, each.at)
    window = float(settings["alerts.reopen_window"])  # type: ignore[arg-type]
    subjects = [flapping_key(each.service_id) for each in flapped]
    since = now - timedelta(seconds=window)
    known = {stored.subject: stored for stored in await store.lock_by_subject(connection, subjects, since)}
    new: list[NewAlert] = []
    changed: list[ChangedAlert] = []
    for each in flapped:
        found = known.get(flapping_key(each.service_id))
        why = causes.get(each.service_id, NO_CAUSES)
        why = Causes(why.root, why.doubted, why.planned_since)
        if not each.active:
            changed += _ended(found, each, why, now)
        elif (again := _again(found, each, why, window, now)) is not None:
            changed.append(again)
        elif (made := _new(each, rules, why, now)) is not None:
            new.append(made)
    return await carry_out(connection, new, [change for change in changed if change.events], now)


def _ended(
    found: StoredAlert | None, each: FlappedState, causes: Causes, now: datetime
) -> list[ChangedAlert]:
    if found is None:
        return []
    alert, first = before_recovery(found.alert, causes, now)
    alert, events = condition_false(alert, now)
    summary = f"it no longer flaps; it is {each.status.word} now"
    return [ChangedAlert(found, alert, (*first, *events), None, summary)] if events else []


def _again(
    found: StoredAlert | None, each: FlappedState, causes: Causes, window: float, now: datetime
) -> ChangedAlert | None:
    again = None if found is None else condition_true_again(found.alert, now, window)
    if found is None or again is None:
        return None
    alert, events = again
    alert, reasons = put_in(alert, causes, now)
    return with_words(found, (alert, (*events, *reasons)), _title(each), _summary(each), now)


def _new(each: FlappedState, rules: Sequence[Rule], causes: Causes, now: datetime) -> NewAlert | None:
    rule = first_match(rules, each.subject, Status.FAILING)
    if rule is None:
        return None
    alert, events = raise_alert(Severity.WARNING, now)
    alert, reasons = put_in(alert, causes, now)
    return NewAlert(
        uuid=uuid4(),
        subject=flapping_key(each.service_id),
        fingerprint=f"{flapping_key(each.service_id)}/{rule.id}",
        rule_id=rule.id,
        service_id=each.service_id,
        incident_id=None,
        title=_title(each),
        summary=_summary(each),
        labels={
            "service": each.subject.name,
            "kind": each.subject.kind,
            "group": each.subject.group,
            "flapping": "true",
            "since": now.isoformat(),
        },
        fire_at=now,
        alert=alert,
        events=(*events, *reasons),
        root_id=causes.root,
    )


def _title(each: FlappedState) -> str:
    return f"{each.subject.name} is flapping"


def _summary(each: FlappedState) -> str:
    return f"it changes too often to be told of every time ({each.percent:.0f} %)"
