"""Puts in, and takes out, the reasons for silence that come from people and from worse alerts.

They are put in by the transaction that changes an alert, before anybody is told; they are taken out by `look`, once
`watchfloor.domain.release` says that the state of the service is sure enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from watchfloor.domain.alert import Alert, AlertState, Suppression, Transition, suppress
from watchfloor.domain.matchers import subject_labels
from watchfloor.domain.muting import Silence, Sources, silencing
from watchfloor.domain.release import may_release
from watchfloor.domain.routes import targets
from watchfloor.domain.severity import Severity
from watchfloor.domain.text import one_line
from watchfloor.domain.zones import zone_or_utc
from watchfloor.store import settings, silences, telling
from watchfloor.store.alerts import ChangedAlert, NewAlert, StoredAlert
from watchfloor.store.database import Connection
from watchfloor.store.policy import Policy
from watchfloor.store.standing import standings

OURS = frozenset({Suppression.SILENCE, Suppression.INHIBITION, Suppression.MUTE_TIME})
"""The reasons that this module puts in and takes out."""

OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)
_FRESH = -1  # stands for alerts of this very transaction, which have no number yet


class Reasons:
    """Why alerts are quiet now, as far as people, worse alerts and routes have a say."""

    def __init__(self, policy: Policy, sources: Sources, now: datetime) -> None:
        self._policy = policy
        self._sources = sources
        self._now = now

    def of(
        self, alert_id: int, rule_id: int, labels: Mapping[str, str], severity: Severity
    ) -> tuple[frozenset[Suppression], tuple[int, ...]]:
        """The reasons, and the silences among them."""
        rule = self._policy.rule(rule_id)
        subject = subject_labels(labels, rule.name, severity)
        by = silencing(self._policy.silences, subject, self._now)
        found = {Suppression.SILENCE} if by else set()
        if self._sources.inhibit(alert_id, subject):
            found.add(Suppression.INHIBITION)
        told = targets(self._policy.root, subject, rule.channels)
        if told and all(target.route.muted(self._now) for target in told):
            found.add(Suppression.MUTE_TIME)
        return frozenset(found), by


async def reasons(
    connection: Connection,
    policy: Policy,
    new: Sequence[NewAlert],
    changed: Sequence[ChangedAlert],
    now: datetime,
) -> Reasons:
    """What keeps alerts quiet, with those in mind that this transaction is about to raise or end."""
    sources = Sources(rules=policy.inhibitions)
    if policy.inhibitions:
        ours = {each.stored.id for each in changed}
        for found in await telling.open_alerts(connection):
            if found.id not in ours:
                labels = subject_labels(found.labels, policy.rule(found.rule_id).name, found.severity)
                sources.add(found.id, labels)
        for change in changed:
            if change.alert.state in OPEN:
                stored = change.stored
                name = policy.rule(stored.rule_id).name
                sources.add(stored.id, subject_labels(stored.labels, name, change.alert.severity))
        for at, each in enumerate(new):
            if each.alert.state in OPEN:
                name = policy.rule(each.rule_id).name
                sources.add(_FRESH - at, subject_labels(each.labels, name, each.alert.severity))
    return Reasons(policy, sources, now)


async def put_in(
    connection: Connection,
    policy: Policy,
    new: Sequence[NewAlert],
    changed: Sequence[ChangedAlert],
    now: datetime,
) -> tuple[list[NewAlert], list[ChangedAlert], dict[int, tuple[int, ...]], list[tuple[int, ...]]]:
    """Add what keeps alerts quiet from now on, before anything of them is told; nothing is taken out.

    Returns both lists as they became, with the silences of those that changed by alert and of new ones by place.
    """
    found = await reasons(connection, policy, new, changed, now)
    after_new: list[NewAlert] = []
    by_new: list[tuple[int, ...]] = []
    for at, fresh in enumerate(new):
        wanted, by = found.of(_FRESH - at, fresh.rule_id, fresh.labels, fresh.alert.severity)
        alert, events = suppress(fresh.alert, fresh.alert.suppressed | wanted, now)
        after_new.append(replace(fresh, alert=alert, events=(*fresh.events, *events)) if events else fresh)
        by_new.append(by)
    after: list[ChangedAlert] = []
    by_changed: dict[int, tuple[int, ...]] = {}
    for change in changed:
        if not change.events or change.alert.state is AlertState.RESOLVED:
            after.append(change)
            continue
        stored = change.stored
        wanted, by = found.of(stored.id, stored.rule_id, stored.labels, change.alert.severity)
        alert, events = suppress(change.alert, change.alert.suppressed | wanted, now)
        if events and not wanted <= stored.alert.suppressed:
            change = replace(change, alert=alert, events=(*change.events, *events))
        if by and set(by) - set(stored.silenced_by):
            by_changed[stored.id] = tuple(sorted({*stored.silenced_by, *by}))
        after.append(change)
    return after_new, after, by_changed, by_new


async def look(
    connection: Connection, policy: Policy, found: Sequence[StoredAlert], now: datetime
) -> tuple[list[ChangedAlert], dict[int, tuple[int, ...]], bool]:
    """What changes about the reasons of alerts, because time passed or others changed.

    Returns the changes, the silences by alert where they are others now, and whether a release has to wait.
    """
    known = await reasons(connection, policy, (), (), now)
    wishes = {each.id: known.of(each.id, each.rule_id, each.labels, each.alert.severity) for each in found}
    ending = [each for each in found if (each.alert.suppressed & OURS) - wishes[each.id][0]]
    ids = [each.service_id for each in ending if each.service_id is not None]
    standing = await standings(connection, ids, now) if ids else {}
    past = {each for stored in ending for each in stored.silenced_by}
    ended = await silences.found(connection, sorted(past)) if past else {}
    there = zone_or_utc(await settings.time_zone(connection)) if past else UTC
    changed: list[ChangedAlert] = []
    by_alert: dict[int, tuple[int, ...]] = {}
    waiting = False
    for stored in found:
        wanted, by = wishes[stored.id]
        leaving = (stored.alert.suppressed & OURS) - wanted
        if leaving and stored.service_id in standing and not may_release(standing[stored.service_id], now):
            leaving, waiting = frozenset(), True
        alert, events = _settled(stored.alert, wanted, leaving, now, _words(stored, ended, leaving, there))
        if events:
            changed.append(ChangedAlert(stored, alert, events))
        if by and by != stored.silenced_by:
            by_alert[stored.id] = by
    return changed, by_alert, waiting


def _settled(
    alert: Alert, wanted: frozenset[Suppression], leaving: frozenset[Suppression], now: datetime, note: str
) -> Transition:
    coming = wanted if alert.state is not AlertState.RESOLVED else frozenset[Suppression]()
    return suppress(alert, (alert.suppressed | coming) - leaving, now, note)


def _words(
    stored: StoredAlert, ended: Mapping[int, Silence], leaving: frozenset[Suppression], there: tzinfo
) -> str:
    """Who had silenced an alert until when, for the message after it."""
    if Suppression.SILENCE not in leaving:
        return ""
    said = [ended[each] for each in stored.silenced_by if each in ended]
    return one_line(
        "; ".join(
            f"was silenced by {each.author} until {_clock(each.ends_at, there)}: {each.comment}"
            for each in said
        ),
        400,
    )


def _clock(moment: datetime | None, there: tzinfo) -> str:
    return "it was over" if moment is None else f"{moment.astimezone(there):%Y-%m-%d %H:%M %Z}"
