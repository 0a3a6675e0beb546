"""When a bad result is not believed, and that a good one always is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.guards import LOCAL_KINDS, LOST_SHARE, MARGIN_S, Circumstances, excused, suspicious
from watchfloor.domain.outcome import Outcome, Status

KINDS = st.sampled_from(["http", "tcp", *sorted(LOCAL_KINDS)])


@given(
    status=st.sampled_from(Status),
    kind=KINDS,
    timeout=st.floats(0.1, 600),
    stalled=st.floats(0, 600),
    offline=st.booleans(),
    nameless=st.booleans(),
)
def test_only_what_the_monitor_may_have_caused_is_excused(
    status: Status, kind: str, timeout: float, stalled: float, offline: bool, nameless: bool
) -> None:
    outcome = Outcome(status, "what it saw", 1.0, {"dns": 0.1}, {"cpu": 1.0}, {"a": 1})
    found = excused(outcome, kind, timeout, Circumstances(stalled, offline, nameless))
    bad = status in (Status.DEGRADED, Status.FAILING)
    link = kind not in LOCAL_KINDS and (offline or nameless)
    if bad and (stalled > max(MARGIN_S, LOST_SHARE * timeout) or link):
        assert found.status is Status.UNKNOWN
        assert found.summary.endswith("what it saw")
        assert (found.latency, dict(found.metrics)) == (None, {}), "what was measured then means nothing"
    elif status is Status.OK and stalled:
        assert (found.status, found.summary, found.metrics) == (status, outcome.summary, outcome.metrics)
        assert (found.latency, dict(found.phases)) == (None, {}), "the monitor measured itself"
    else:
        assert found is outcome
    assert suspicious(outcome, kind) is (bad and kind not in LOCAL_KINDS)


PASSED = st.lists(
    st.tuples(st.sampled_from((Status.DEGRADED, Status.FAILING)), st.floats(0, 100)), max_size=3
)


@given(
    told=st.sampled_from((Status.OK, Status.DEGRADED, Status.FAILING)),
    passed=PASSED,
    broken_off=st.booleans(),
    stalled=st.floats(0.01, 100),
    timeout=st.floats(0.1, 100),
)
def test_what_is_left_is_the_worst_that_standing_still_does_not_explain(
    told: Status, passed: list[tuple[Status, float]], broken_off: bool, stalled: float, timeout: float
) -> None:
    """The model asks of every single fault whether it would be there without the stall."""
    faults = [(told, False)] if told is not Status.OK else []
    faults += [(status, by <= stalled + MARGIN_S) for status, by in passed]
    if broken_off and all(status is not Status.FAILING for status, _ in faults):
        faults.append((Status.FAILING, stalled > max(MARGIN_S, LOST_SHARE * timeout)))
    saw = max((status for status, _ in faults), default=Status.OK)
    without = max((status for status, ours in faults if not ours), default=Status.OK)
    found = excused(
        Outcome(saw, "what it saw", told=told, slow=tuple(passed)), "http", timeout, Circumstances(stalled)
    )
    assert found.status is (Status.UNKNOWN if saw is not Status.OK and without is Status.OK else without)
    assert found.summary.endswith("what it saw")


@pytest.mark.parametrize(
    ("stalled", "kept"),
    [(0.0, {"run_seconds", "rows", "oldest_age_seconds"}), (0.3, {"rows", "oldest_age_seconds"})],
)
def test_times_that_were_measured_while_it_stood_still_are_not_kept(stalled: float, kept: set[str]) -> None:
    outcome = Outcome(
        Status.OK, "well", 1.0, {}, {"run_seconds": 1.0, "rows": 2.0, "oldest_age_seconds": 3.0}
    )
    assert excused(outcome, "command", 10.0, Circumstances(stalled)).metrics.keys() == kept
