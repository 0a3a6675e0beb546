"""The alerts of rules that are evaluated: raised, corrected and resolved, for instances and about the rule itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from watchfloor.domain.alert import (
    AlertState,
    change_severity,
    condition_false,
    condition_true_again,
    raise_alert,
)
from watchfloor.domain.conditions import Condition
from watchfloor.domain.judging import Standing
from watchfloor.domain.questions.question import Reading
from watchfloor.domain.rules import RULE_RULE, Rule
from watchfloor.domain.severity import Severity
from watchfloor.domain.suppression import NO_CAUSES, Causes, before_recovery, put_in
from watchfloor.operations.suppressing import causes_of
from watchfloor.operations.transitions import carry_out, with_words
from watchfloor.store import alerts, reach
from watchfloor.store.alerts import ChangedAlert, NewAlert, StoredAlert
from watchfloor.store.database import Connection
from watchfloor.store.rules import own_rule_id

REOPEN_S = 300.0


class Trouble(StrEnum):
    """What may be wrong with a rule."""

    ERROR = "error"
    LIMIT = "limit"


_TITLES = {
    Trouble.ERROR: "rule {} cannot be evaluated",
    Trouble.LIMIT: "rule {} fires for too many",
}


def alert_key(rule: int, instance: str) -> str:
    """Whom an alert is about that a rule raised about an instance."""
    return f"rule:{rule}/{instance}"


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule that fires for an instance, with the value it found."""

    rule: Rule
    condition: Condition
    reading: Reading
    standing: Standing

    @property
    def key(self) -> str:
        """The subject of its alert."""
        return alert_key(self.rule.id, self.reading.instance.key)

    def severity(self, before: Severity | None = None) -> Severity | None:
        """How severe it is, where the alert is open and as severe as ``before``; None where no value says so."""
        value, was = self.reading.value, before is not None and before >= Severity.CRITICAL
        if value is None and before is not None:
            return before  # nothing is known: it is as bad as it was
        if self.condition.threshold.is_critical(value, was):
            return max(Severity.CRITICAL, self.rule.severity or Severity.CRITICAL)
        if self.rule.severity is not None:
            return self.rule.severity
        return self.reading.severity if value is not None else None

    @property
    def title(self) -> str:
        """What the alert is called."""
        return self.condition.title(self.reading.instance)

    @property
    def summary(self) -> str:
        """What was found."""
        found = self.condition.summary(self.reading.instance, self.reading.value)
        return f"{found}; {self.reading.note}" if self.reading.note else found


@dataclass(frozen=True, slots=True)
class Ended:
    """An instance that a rule no longer fires for: its service, and when the condition was last true (None: now)."""

    service_id: int | None
    last_true: datetime | None


async def tell(
    connection: Connection,
    rule: int,
    firing: Sequence[Firing],
    ended: Mapping[str, Ended],
    settings: Mapping[str, object],
    now: datetime,
    *,
    raising: bool = True,
) -> bool:
    """Raise, correct and resolve the alerts of what fires and of what no longer does; True if one changed.

    ``ended`` holds the instances that no longer fire. Without ``raising`` no new alert is raised.
    """
    if not firing and not ended:
        return False
    window = float(settings["alerts.reopen_window"])  # type: ignore[arg-type]
    await reach.lock(connection)
    over = {alert_key(rule, key): each for key, each in ended.items()}
    known: dict[str, list[StoredAlert]] = defaultdict(list)
    subjects = [*(each.key for each in firing), *over]
    for stored in await alerts.lock_by_subject(connection, subjects, now - timedelta(seconds=window)):
        known[stored.subject].append(stored)
    ids = {each.reading.instance.service_id for each in firing} | {each.service_id for each in over.values()}
    sights = await reach.sights(connection, {each for each in ids if each is not None})
    causes: dict[int | None, Causes] = {each: causes_of(s, False) for each, s in sights.items()}
    new: list[NewAlert] = []
    changed: list[ChangedAlert] = []
    for key, end in over.items():
        why = causes.get(end.service_id, NO_CAUSES)
        changed += [_over(each, why, end.last_true, now) for each in known[key]]
    for each in firing:
        why = causes.get(each.reading.instance.service_id, NO_CAUSES)
        found = known[each.key]
        again = _again(found[-1], each, why, window, now) if found else None
        if again is not None:
            changed.append(again)
        elif raising:
            new.append(_new(each, why, now))
    said = [each for each in changed if each.events or each.summary not in (None, each.stored.summary)]
    return await carry_out(connection, new, said, now)


def _over(stored: StoredAlert, causes: Causes, last_true: datetime | None, now: datetime) -> ChangedAlert:
    alert, first = before_recovery(stored.alert, causes, now)
    alert, events = condition_false(alert, now, None if last_true is None else min(last_true, now))
    return (
        ChangedAlert(stored, alert, (*first, *events)) if events else ChangedAlert(stored, stored.alert, ())
    )


def _again(
    stored: StoredAlert, each: Firing, causes: Causes, window: float, now: datetime
) -> ChangedAlert | None:
    """What becomes of an alert whose rule still fires, or fires again; None: it is too old, raise another."""
    open_ = stored.alert.state is not AlertState.RESOLVED
    severity = each.severity(stored.alert.severity if open_ else None) or stored.alert.severity
    transition = condition_true_again(stored.alert, now, window, severity)
    if transition is None:
        return None
    alert, events = transition
    alert, more = change_severity(alert, severity, now)
    alert, reasons = put_in(alert, causes, now)
    return with_words(stored, (alert, (*events, *more, *reasons)), each.title, each.summary, now)


def _new(each: Firing, causes: Causes, now: datetime) -> NewAlert:
    since, wait = each.standing.since or now, each.condition.threshold.for_s
    alert, events = raise_alert(each.severity() or Severity.WARNING, now, wait, since)
    alert, reasons = put_in(alert, causes, now)
    return NewAlert(
        uuid=uuid4(),
        subject=each.key,
        fingerprint=each.key,
        rule_id=each.rule.id,
        service_id=each.reading.instance.service_id,
        incident_id=None,
        title=each.title,
        summary=each.summary,
        labels={**each.rule.labels, **each.reading.instance.labels, "since": since.isoformat()},
        fire_at=since + timedelta(seconds=wait),
        alert=alert,
        events=(*events, *reasons),
        root_id=causes.root,
    )


async def end_trouble(
    connection: Connection, rule: int, now: datetime, troubles: Sequence[Trouble] = tuple(Trouble)
) -> bool:
    """Resolve the alerts about a rule that was out of order."""
    subjects = [alert_key(rule, trouble) for trouble in troubles]
    known = await alerts.lock_by_subject(connection, subjects, now - timedelta(seconds=REOPEN_S))
    changed = [ChangedAlert(each, *condition_false(each.alert, now)) for each in known]
    return await carry_out(connection, (), [each for each in changed if each.events], now)


async def tell_trouble(
    connection: Connection, rule: Rule, trouble: Trouble, summary: str, now: datetime
) -> bool:
    """Raise the alert about a rule that is out of order, or correct it."""
    own = await own_rule_id(connection, RULE_RULE)
    return await _tell_about(connection, rule, trouble, summary, Severity.WARNING, own, {}, now)


async def tell_of_many(
    connection: Connection, rule: Rule, firing: Sequence[Firing], most: int, now: datetime
) -> bool:
    """Raise or correct the one alert that stands for all that are not told, because more fire than ``most``.

    It goes where those would go and is as severe as the worst: the greater a failure is, the less it may be missed.
    """
    severity = max((each.severity() or Severity.WARNING for each in firing), default=Severity.WARNING)
    summary = f"{len(firing):,} instances fire, more than {most:,}: no further one is told by itself"
    return await _tell_about(connection, rule, Trouble.LIMIT, summary, severity, rule.id, rule.labels, now)


async def _tell_about(
    connection: Connection,
    rule: Rule,
    trouble: Trouble,
    summary: str,
    severity: Severity,
    rule_id: int,
    labels: Mapping[str, str],
    now: datetime,
) -> bool:
    subject = alert_key(rule.id, trouble)
    known = await alerts.lock_by_subject(connection, [subject], now - timedelta(seconds=REOPEN_S))
    title = _TITLES[trouble].format(rule.name)
    if known and known[-1].alert.state is not AlertState.RESOLVED:
        severity = max(severity, known[-1].alert.severity)  # which ones are the worst changes all the time
    again = condition_true_again(known[-1].alert, now, REOPEN_S, severity) if known else None
    if again is not None:
        alert, events = again
        alert, more = change_severity(alert, severity, now)
        change = with_words(known[-1], (alert, (*events, *more)), title, summary, now)
        said = bool(change.events) or summary != known[-1].summary
        return await carry_out(connection, (), [change] if said else (), now)
    alert, events = raise_alert(severity, now)
    new = NewAlert(
        uuid=uuid4(),
        subject=subject,
        fingerprint=f"{subject}/{rule_id}",
        rule_id=rule_id,
        service_id=None,
        incident_id=None,
        title=title,
        summary=summary,
        labels={**labels, "about_rule": rule.name},
        fire_at=now,
        alert=alert,
        events=events,
    )
    return await carry_out(connection, [new], (), now)
