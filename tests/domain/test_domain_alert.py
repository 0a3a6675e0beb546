"""The life of an alert: rule by rule, then any life at all against a second model and against its own history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from watchfloor.domain.alert import (
    SYSTEM,
    Alert,
    AlertState,
    Event,
    EventKind,
    NotPossible,
    Suppression,
    acknowledge,
    apply,
    change_severity,
    condition_false,
    condition_true_again,
    expire_acknowledgement,
    promote,
    raise_alert,
    remind,
    replay,
    resolve_by_hand,
    suppress,
    unacknowledge,
    warn_of_expiry,
)
from watchfloor.domain.severity import Severity

PENDING, FIRING, ACKNOWLEDGED, RESOLVED = AlertState
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def firing(severity: Severity = Severity.WARNING) -> Alert:
    return raise_alert(severity, NOW)[0]


def acknowledged(until: datetime | None = None, sticky: bool = False) -> Alert:
    return acknowledge(firing(), "ada", "on it", until, sticky, after(10))[0]


def resolved() -> Alert:
    return condition_false(firing(), after(60))[0]


def kinds(events: tuple[Event, ...]) -> list[EventKind]:
    return [event.kind for event in events]


class TestRaising:
    def test_without_waiting_it_fires_at_once(self):
        alert, events = raise_alert(Severity.CRITICAL, NOW)
        assert alert == Alert(FIRING, Severity.CRITICAL, NOW, NOW)
        assert kinds(events) == [EventKind.RAISED, EventKind.FIRED]
        assert {event.actor for event in events} == {SYSTEM}

    def test_with_waiting_it_is_pending_first(self):
        alert, events = raise_alert(Severity.CRITICAL, NOW, 30)
        assert (alert.state, alert.fired_at) == (PENDING, None)
        assert kinds(events) == [EventKind.RAISED]

    def test_the_wait_counts_from_when_the_condition_became_true(self):
        alert, _ = raise_alert(Severity.CRITICAL, NOW, 30, active_at=after(-30))
        assert (alert.state, alert.active_at, alert.fired_at) == (FIRING, after(-30), NOW)

    def test_it_is_promoted_when_the_wait_is_over_and_not_before(self):
        pending, _ = raise_alert(Severity.CRITICAL, NOW, 30)
        assert promote(pending, after(29.999), 30) == (pending, ())
        alert, events = promote(pending, after(30), 30)
        assert (alert.state, alert.fired_at) == (FIRING, after(30))
        assert promote(alert, after(31), 30) == (alert, ())
        assert kinds(events) == [EventKind.FIRED]

    def test_a_pending_alert_whose_condition_ends_is_dropped(self):
        pending, _ = raise_alert(Severity.CRITICAL, NOW, 30)
        alert, events = condition_false(pending, after(10))
        assert alert.dropped
        assert kinds(events) == [EventKind.DROPPED]
        assert condition_true_again(alert, after(11), 300) is None


class TestAcknowledging:
    def test_it_says_who_and_why_and_until_when(self):
        alert, [event] = acknowledge(firing(), "ada", "on it", after(3600), False, after(10))
        assert (alert.state, alert.acked_by, alert.note) == (ACKNOWLEDGED, "ada", "on it")
        assert alert.acked_until == after(3600)
        assert (event.kind, event.actor, event.note, event.at) == (
            EventKind.ACKNOWLEDGED,
            "ada",
            "on it",
            after(10),
        )

    @pytest.mark.parametrize(
        ("alert", "reason"),
        [
            (
                raise_alert(Severity.INFO, NOW, 60)[0],
                "The alert is pending: it can be acknowledged once it fires.",
            ),
            (acknowledged(), "The alert is already acknowledged by ada."),
            (acknowledged(after(90)), "already acknowledged by ada until 2026-03-01 12:01:30 UTC."),
            (resolved(), "The alert is resolved: there is nothing left to acknowledge."),
        ],
    )
    def test_only_a_firing_alert_can_be_acknowledged(self, alert, reason):
        with pytest.raises(NotPossible) as error:
            acknowledge(alert, "grace", "", None, False, after(20))
        assert error.value.reason.endswith(reason)

    def test_an_expiry_in_the_past_is_refused(self):
        with pytest.raises(NotPossible, match="expire at 2026-03-01 12:00:00 UTC, which is past"):
            acknowledge(firing(), "ada", "", NOW, False, NOW)

    def test_it_can_be_taken_back(self):
        alert, [event] = unacknowledge(acknowledged(), "ada", after(12))
        assert alert == firing()
        assert (event.kind, event.actor) == (EventKind.UNACKNOWLEDGED, "ada")

    def test_only_an_acknowledged_alert_can_be_unacknowledged(self):
        with pytest.raises(NotPossible, match="The alert is not acknowledged, it is firing"):
            unacknowledge(firing(), "ada", after(12))

    def test_it_expires_on_time_and_the_alert_fires_again(self):
        alert = acknowledged(after(100))
        assert expire_acknowledgement(alert, after(99.9)) == (alert, ())
        again, [event] = expire_acknowledgement(alert, after(100))
        assert again == firing()
        assert (event.kind, event.data) == (EventKind.ACK_EXPIRED, {"acked_by": "ada"})

    def test_without_expiry_it_never_expires(self):
        assert expire_acknowledgement(acknowledged(), after(10**9)) == (acknowledged(), ())


class TestSeverity:
    def test_a_rise_ends_an_acknowledgement(self):
        alert, events = change_severity(acknowledged(), Severity.CRITICAL, after(20))
        assert (alert.state, alert.severity, alert.acked_by) == (FIRING, Severity.CRITICAL, "")
        assert kinds(events) == [EventKind.SEVERITY_CHANGED, EventKind.ACK_BROKEN]
        assert events[1].data == {"acked_by": "ada"}

    def test_a_rise_leaves_a_sticky_acknowledgement(self):
        alert, events = change_severity(acknowledged(sticky=True), Severity.CRITICAL, after(20))
        assert (alert.state, alert.severity) == (ACKNOWLEDGED, Severity.CRITICAL)
        assert kinds(events) == [EventKind.SEVERITY_CHANGED]

    def test_a_fall_leaves_any_acknowledgement(self):
        alert, _ = change_severity(acknowledged(), Severity.INFO, after(20))
        assert (alert.state, alert.severity) == (ACKNOWLEDGED, Severity.INFO)

    def test_the_same_severity_is_no_news(self):
        assert change_severity(firing(), Severity.WARNING, after(20)) == (firing(), ())

    def test_a_resolved_alert_keeps_its_severity(self):
        assert change_severity(resolved(), Severity.CRITICAL, after(61)) == (resolved(), ())


class TestEnding:
    @pytest.mark.parametrize("alert", [firing(), acknowledged(after(100), sticky=True)])
    def test_a_false_condition_resolves(self, alert):
        ended, [event] = condition_false(alert, after(60), ended_at=after(55))
        assert (ended.state, ended.resolved_at, ended.ended_at) == (RESOLVED, after(60), after(55))
        assert (ended.acked_until, ended.sticky, ended.held) == (None, False, False)
        assert event.kind is EventKind.RESOLVED
        assert condition_false(ended, after(61)) == (ended, ())

    def test_true_again_soon_reopens_the_same_alert_without_its_acknowledgement(self):
        ended, _ = condition_false(acknowledged(), after(60))
        alert, [event] = condition_true_again(ended, after(360), 300, Severity.EMERGENCY)
        assert alert == Alert(FIRING, Severity.EMERGENCY, NOW, NOW, reopen_count=1)
        assert event.kind is EventKind.REOPENED

    def test_true_again_later_is_a_new_alert(self):
        assert condition_true_again(resolved(), after(360.1), 300) is None

    @pytest.mark.parametrize("alert", [raise_alert(Severity.INFO, NOW, 60)[0], firing(), acknowledged()])
    def test_true_for_an_open_alert_is_no_news(self, alert):
        assert condition_true_again(alert, after(10), 300) == (alert, ())


class TestResolvingByHand:
    def test_it_stays_resolved_until_one_false_evaluation(self):
        held, [event] = resolve_by_hand(acknowledged(), "ada", after(30), "known")
        assert (held.state, held.held, held.resolved_at) == (RESOLVED, True, after(30))
        assert (event.kind, event.actor, event.note) == (EventKind.RESOLVED_BY_HAND, "ada", "known")
        assert condition_true_again(held, after(31), 300) == (held, ())
        assert condition_true_again(held, after(10**6), 300) == (held, ())
        armed, [event] = condition_false(held, after(40))
        assert event.kind is EventKind.REARMED
        assert condition_true_again(armed, after(50), 300)[0].state is FIRING

    def test_long_after_it_was_armed_again_the_next_is_a_new_alert(self):
        held, _ = resolve_by_hand(firing(), "ada", after(30))
        armed, _ = condition_false(held, after(5000))
        assert condition_true_again(armed, after(5001), 300) is None

    def test_one_resolved_while_pending_is_kept_until_it_is_armed_again(self):
        held, _ = resolve_by_hand(raise_alert(Severity.INFO, NOW, 60)[0], "ada", after(5))
        assert not held.dropped
        assert condition_false(held, after(6))[0].dropped

    def test_a_resolved_alert_cannot_be_resolved(self):
        with pytest.raises(NotPossible, match="already resolved"):
            resolve_by_hand(resolved(), "ada", after(61))


class TestSuppression:
    def test_it_changes_nothing_but_the_reasons(self):
        alert, [event] = suppress(firing(), [Suppression.SILENCE, Suppression.DEPENDENCY], after(5))
        assert alert.suppressed == {Suppression.SILENCE, Suppression.DEPENDENCY}
        assert event.data == {"reasons": ["dependency", "silence"]}
        assert suppress(alert, [Suppression.DEPENDENCY, Suppression.SILENCE], after(6)) == (alert, ())
        assert suppress(alert, [], after(7))[0] == firing()


class TestHistory:
    def test_it_begins_with_raised_and_has_only_one(self):
        _, events = raise_alert(Severity.INFO, NOW)
        with pytest.raises(ValueError, match="begins with its raised event: found fired first"):
            replay(events[1:])
        with pytest.raises(ValueError, match="found raised not first"):
            apply(firing(), events[0])
        with pytest.raises(ValueError, match="without any event"):
            replay([])


class Model:
    """The second model: plain fields, and each rule of the life cycle said once more, in other words."""

    def __init__(self, severity: Severity, wait: int, now: datetime) -> None:
        self.severity, self.wait = severity, wait
        self.born, self.first_fired = now, None if wait else now
        self.owner: tuple[str, str, datetime | None, bool] | None = None
        self.last_words = ("", "")
        self.over: datetime | None = None
        self.true_until: datetime | None = None
        self.held = False
        self.reopened = 0
        self.reasons: set[Suppression] = set()
        self.warning: datetime | None = None  # of the acknowledgement in force, until it was said

    @property
    def word(self) -> str:
        if self.over:
            return "resolved"
        if self.owner:
            return "acknowledged"
        return "firing" if self.first_fired else "pending"

    def end(self, now: datetime, true_until: datetime, held: bool) -> None:
        self.last_words = self.owner[:2] if self.owner else ("", "")
        self.over, self.true_until, self.held, self.owner = now, true_until, held, None

    def seen(self) -> Alert:
        who, note, until, sticky = self.owner or (*self.last_words, None, False)
        return Alert(
            AlertState(self.word),
            self.severity,
            self.born,
            self.first_fired,
            who,
            until,
            note,
            sticky,
            self.true_until,
            self.over,
            self.reopened,
            self.held,
            frozenset(self.reasons),
            self.warning if self.owner else None,
        )


severities = st.sampled_from(Severity)
people = st.sampled_from(["ada", "grace"])
lasting = st.none() | st.integers(-5, 60) | st.just(1830)


class AnyLife(RuleBasedStateMachine):
    """Does anything in any order to one alert; what the code says must be what the model says."""

    @initialize(severity=severities, wait=st.sampled_from([0, 20]))
    def begin(self, severity, wait):
        self.now = NOW
        self.model = Model(severity, wait, NOW)
        self.alert, events = raise_alert(severity, NOW, wait)
        self.history = list(events)

    def became(self, transition, happened):
        """Take what the code made of it; ``happened``: whether the model saw anything happen."""
        self.alert, events = transition
        assert bool(events) is happened
        assert all(event.at == self.now for event in events)
        self.history += events

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_wait_may_be_over(self):
        due = self.model.word == "pending" and (self.now - self.model.born).total_seconds() >= self.model.wait
        if due:
            self.model.first_fired = self.now
        self.became(promote(self.alert, self.now, self.model.wait), due)

    @rule(
        who=people,
        note=st.text(max_size=5),
        seconds=st.none() | st.integers(-5, 60) | st.just(1830),
        sticky=st.booleans(),
    )
    def somebody_acknowledges(self, who, note, seconds, sticky):
        until = None if seconds is None else self.now + timedelta(seconds=seconds)
        if self.model.word != "firing" or (seconds is not None and seconds <= 0):
            with pytest.raises(NotPossible):
                acknowledge(self.alert, who, note, until, sticky, self.now)
            return
        self.model.owner = (who, note, until, sticky)
        long = seconds is not None and seconds >= 1800
        self.model.warning = until - timedelta(minutes=15) if until is not None and long else None
        self.became(acknowledge(self.alert, who, note, until, sticky, self.now), True)

    @rule(who=people)
    def somebody_takes_it_back(self, who):
        if self.model.owner is None:
            with pytest.raises(NotPossible):
                unacknowledge(self.alert, who, self.now)
            return
        self.model.owner = None
        self.became(unacknowledge(self.alert, who, self.now), True)

    @rule()
    def the_acknowledgement_may_expire(self):
        owner = self.model.owner
        expired = owner is not None and owner[2] is not None and self.now >= owner[2]
        if expired:
            self.model.owner = None
        self.became(expire_acknowledgement(self.alert, self.now), expired)

    @rule(minutes=st.sampled_from([0, 0, 15]))
    def it_is_said_that_the_acknowledgement_ends(self, minutes):
        self.now += timedelta(minutes=minutes)
        warning = self.model.warning if self.model.owner else None
        due = warning is not None and self.now >= warning
        if due:
            self.model.warning = None
        self.became(warn_of_expiry(self.alert, self.now), due)

    @rule()
    def people_are_reminded(self):
        loud = self.model.word == "firing" and not self.model.reasons
        self.became(remind(self.alert, self.now), loud)

    @rule(severity=severities)
    def the_severity_changes(self, severity):
        changed = self.model.over is None and severity != self.model.severity
        if changed:
            if severity > self.model.severity and self.model.owner and not self.model.owner[3]:
                self.model.owner = None
            self.model.severity = severity
        self.became(change_severity(self.alert, severity, self.now), changed)

    @rule(early=st.none() | st.integers(0, 10))
    def the_condition_is_false(self, early):
        true_until = self.now if early is None else self.now - timedelta(seconds=early)
        happened = self.model.over is None or self.model.held
        if self.model.over is None:
            self.model.end(self.now, true_until, held=False)
        self.model.held = False
        self.became(condition_false(self.alert, self.now, None if early is None else true_until), happened)

    @rule(severity=st.none() | severities)
    def the_condition_is_true(self, severity):
        transition = condition_true_again(self.alert, self.now, 30, severity)
        if self.model.over is None or self.model.held:
            self.became(transition, False)
        elif self.model.first_fired is None or self.now > self.model.over + timedelta(seconds=30):
            assert transition is None
        else:
            self.model.over = self.model.true_until = None
            self.model.last_words = ("", "")
            self.model.reopened += 1
            self.model.severity = self.model.severity if severity is None else severity
            self.became(transition, True)

    @rule(who=people)
    def somebody_resolves_it(self, who):
        if self.model.over:
            with pytest.raises(NotPossible):
                resolve_by_hand(self.alert, who, self.now)
            return
        self.model.end(self.now, self.now, held=True)
        self.became(resolve_by_hand(self.alert, who, self.now), True)

    @rule(reasons=st.sets(st.sampled_from(Suppression), max_size=3))
    def reasons_for_silence_change(self, reasons):
        happened = reasons != self.model.reasons
        self.model.reasons = reasons
        self.became(suppress(self.alert, reasons, self.now), happened)

    @invariant()
    def code_and_model_agree(self):
        assert self.alert == self.model.seen()

    @invariant()
    def the_alert_is_what_its_stored_history_leads_to(self):
        stored = [
            Event(event.kind, event.at, event.actor, event.note, json.loads(json.dumps(event.data)))
            for event in self.history
        ]
        assert replay(stored) == self.alert


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings.get_profile("thorough")
