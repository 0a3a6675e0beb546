"""When a bad result is not believed, and that a good one always is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.guards import LOCAL_KINDS, Circumstances, excused, suspicious
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
    if bad and (stalled > timeout / 4 or link):
        assert found.status is Status.UNKNOWN
        assert found.summary.endswith("what it saw")
        assert (found.latency, dict(found.metrics)) == (None, {}), "what was measured then means nothing"
    else:
        assert found is outcome
    assert suspicious(outcome, kind) is (bad and kind not in LOCAL_KINDS)
