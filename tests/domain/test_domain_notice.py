"""Notices: what is read back from the outbox, whoever wrote it, and what templates are given."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.alert import condition_false, raise_alert
from watchfloor.domain.message import GROUP_TYPES, TOLD, About, compose
from watchfloor.domain.notice import TEST, VARIABLES, facts, read, samples, trial_message, written
from watchfloor.domain.severity import Severity

NOW = datetime(2031, 3, 1, 7, 2, 11, tzinfo=UTC)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ("id", "uuid", "state", "severity", "title", "labels", "active_at", "fired_at", "note")
)


def test_what_is_composed_is_read_back() -> None:
    alert, (_, fired) = raise_alert(Severity.CRITICAL, NOW)
    over, (resolved,) = condition_false(alert, NOW + timedelta(minutes=7))
    first = read(compose(fired, alert, About(42, "u", "shop is failing", "refused", {"service": "shop"})))
    last = read(compose(resolved, over, About(42, "u", "shop is failing", "refused", {"service": "shop"})))
    assert (first.event, first.id, first.title, first.severity) == (
        "firing",
        42,
        "shop is failing",
        "critical",
    )
    assert (first.over, last.over, last.resolved_at) == (False, True, NOW + timedelta(minutes=7))


@given(st.dictionaries(names, json_values, max_size=6), json_values, json_values)
def test_no_notice_of_another_version_stops_a_channel(
    data: dict[str, object], type_: object, at: object
) -> None:
    payload = json.dumps({"type": type_, "timestamp": at, "data": data}).encode()
    notice = read(payload)
    assert set(facts(notice)) == set(VARIABLES)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"data": 5}', b"\xff"])
def test_bytes_without_a_notice_are_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):
        read(payload)


def test_there_is_a_sample_of_every_type() -> None:
    assert {notice.type for notice in samples()} == {*TOLD.values(), GROUP_TYPES["firing"], TEST}
    for notice in samples():
        assert set(facts(notice)) == set(VARIABLES)


def test_the_first_words_fit_on_a_lock_screen() -> None:
    said = {notice.event: (facts(notice)["mark"], facts(notice)["span"]) for notice in samples()}
    assert said == {
        "firing": ("CRITICAL", "since 07:02 UTC"),
        "reopened": ("CRITICAL AGAIN", "since 07:02 UTC"),
        "acknowledged": ("ACKNOWLEDGED", "since 07:02 UTC"),
        "severity_changed": ("EMERGENCY", "since 07:02 UTC"),
        "resolved": ("RESOLVED", "07:02-07:09 UTC (7m)"),
        "test": ("TEST", ""),
    }


def test_people_are_told_times_as_their_clocks_show_them_and_programs_in_utc() -> None:
    late = datetime(2031, 3, 29, 23, 50, tzinfo=UTC)  # an hour before clocks go forward in Berlin
    alert, (_, fired) = raise_alert(Severity.CRITICAL, late)
    over, (resolved,) = condition_false(alert, late + timedelta(minutes=90))
    words = About(42, "u", "shop is failing", "refused", {})
    first = facts(read(compose(fired, alert, words), "Europe/Berlin"))
    assert (first["span"], first["at_local"]) == ("since 00:50 CET", "2031-03-30 00:50:00 CET")
    assert (first["at"], first["since"]) == ("2031-03-29T23:50:00Z", "2031-03-29T23:50:00Z")
    assert facts(read(compose(resolved, over, words), "Europe/Berlin"))["span"] == "00:50-03:20 CEST (1h30m)"
    assert facts(read(compose(fired, alert, words), "Asia/Dubai"))["span"] == "since 03:50 +04"


def test_where_a_machine_does_not_know_the_zone_times_are_told_in_utc() -> None:
    alert, (_, fired) = raise_alert(Severity.CRITICAL, NOW)
    payload = compose(fired, alert, About(42, "u", "shop is failing", "refused", {}))
    assert facts(read(payload, "Mars/Olympus"))["span"] == "since 07:02 UTC"


def test_hostile_words_are_harmless() -> None:
    alert, events = raise_alert(Severity.INFO, NOW)
    title, summary = "\x1b[31mred\r\nBcc: x\u202e", "a\x00b\x07" + "c" * 90_000
    notice = read(compose(events[-1], alert, About(1, "u", title, summary, {"\x1b]0;x\x07k": "v\r\n"})))
    assert notice.title == "red Bcc: x"
    assert len(notice.summary) <= 1000
    assert notice.labels == {"k": "v"}


def test_a_test_says_that_nothing_is_wrong() -> None:
    notice = read(trial_message("u", "channel phone", {"channel": "phone"}, "ann", NOW))
    assert (notice.type, notice.title) == (TEST, "Test of channel phone")
    assert written(notice.at) == "2031-03-01T07:02:11Z"
