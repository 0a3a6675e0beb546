"""Statistics of alerts: against counting them one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.alert_stats import FiredAlert, alert_stats

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
LATER = st.none() | st.integers(0, 90_000)


@st.composite
def fired(draw: st.DrawFn) -> FiredAlert:
    at = MONDAY + timedelta(seconds=draw(st.integers(0, 7 * 86_400 - 1)))
    after = [None if s is None else at + timedelta(seconds=s) for s in (draw(LATER), draw(LATER))]
    rule, service = draw(st.sampled_from("pqr")), draw(st.sampled_from(["", "shop", "cart"]))
    return FiredAlert(rule, service, at, after[0], after[1], draw(st.integers(0, 3)))


@given(st.lists(fired(), max_size=30))
def test_every_alert_is_counted_once_everywhere(alerts: list[FiredAlert]) -> None:
    found = alert_stats(alerts, MONDAY, MONDAY + timedelta(days=7))
    assert found.all.alerts == len(alerts) == sum(each.alerts for each in found.rules)
    assert sum(each.alerts for each in found.services) == sum(a.service != "" for a in alerts)
    assert [each.alerts for each in found.rules] == sorted((r.alerts for r in found.rules), reverse=True)
    for day in range(7):
        for hour in range(24):
            begin = MONDAY + timedelta(days=day, hours=hour)
            inside = [a for a in alerts if begin <= a.fired_at < begin + timedelta(hours=1)]
            assert found.week[day][hour] == len(inside)
    for each in found.rules:
        own = [a for a in alerts if a.rule == each.name]
        times = [(a.acked_at - a.fired_at).total_seconds() for a in own if a.acked_at]
        assert each.acknowledged == len(times)
        assert each.to_acknowledge == (pytest.approx(sum(times) / len(times)) if times else None)
        assert each.resolved == sum(a.resolved_at is not None for a in own)
        assert each.reopened == sum(a.reopened for a in own)
        assert each.week == alert_stats(own, MONDAY, MONDAY + timedelta(days=7)).week
    for each in found.services:
        own = [a for a in alerts if a.service == each.name]
        assert each.week == alert_stats(own, MONDAY, MONDAY + timedelta(days=7)).week


def test_means_leave_out_what_has_not_come() -> None:
    minute = timedelta(minutes=1)
    alerts = [
        FiredAlert("disk", "shop", MONDAY, MONDAY + minute, MONDAY + 10 * minute, 0),
        FiredAlert("disk", "shop", MONDAY, MONDAY + 3 * minute, None, 0),
        FiredAlert("disk", "shop", MONDAY, None, None, 0),
    ]
    found = alert_stats(alerts, MONDAY, MONDAY + minute).all
    assert (found.to_acknowledge, found.to_resolve) == (120.0, 600.0)
