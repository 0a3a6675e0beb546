"""Back-off, the state of components and the life cycle of nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.backoff import exponential, full_jitter
from watchfloor.domain.component import ComponentState, judge
from watchfloor.domain.node import Liveness, NodeState, liveness, may_become, takes_services

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)


class TestBackoff:
    @given(st.integers(0, 10**9), st.floats(0.001, 10), st.floats(10, 10**6))
    def test_it_never_passes_its_cap_nor_falls(self, attempt, base, cap):
        assert base <= exponential(attempt, base, cap) <= exponential(attempt + 1, base, cap) <= cap

    @given(st.integers(0, 100), st.floats(0, 1, exclude_max=True))
    def test_jitter_takes_any_share_of_the_wait(self, attempt, share):
        assert full_jitter(attempt, 2, 900, lambda: share) == exponential(attempt, 2, 900) * share

    def test_attempts_count_from_0(self):
        with pytest.raises(ValueError, match="count from 0, not -1"):
            exponential(-1, 2, 900)


class TestComponent:
    @pytest.mark.parametrize(
        ("age", "failing", "stopped", "state"),
        [
            (0, False, False, "running"),
            (10, False, False, "running"),
            (10.1, False, False, "stuck"),
            (1, True, False, "restarting"),
            (11, True, False, "stuck"),
            (-3, False, False, "running"),
            (None, False, False, "stopped"),
            (99, False, True, "stopped"),
        ],
    )
    def test_it_is_judged_by_its_heartbeat(self, age, failing, stopped, state):
        assert judge(age, 10, failing, stopped) == state

    def test_what_is_stuck_or_restarting_is_bad(self):
        assert [state.value for state in ComponentState if state.bad] == ["restarting", "stuck"]


class TestNode:
    @pytest.mark.parametrize("state", [NodeState.STARTING, NodeState.RUNNING, NodeState.STOPPING])
    def test_its_word_counts_while_its_lease_lasts(self, state):
        assert liveness(state, LATER, NOW) is Liveness.LIVE
        assert liveness(state, NOW, NOW) is Liveness.LOST

    def test_one_that_said_goodbye_is_not_lost(self):
        assert liveness(NodeState.STOPPED, EARLIER, NOW) is Liveness.STOPPED
        assert liveness(NodeState.ERROR, LATER, NOW) is Liveness.FAILED

    def test_only_a_running_one_with_a_lease_takes_services(self):
        takers = [state for state in NodeState if takes_services(state, LATER, NOW)]
        assert takers == [NodeState.RUNNING]
        assert not takes_services(NodeState.RUNNING, NOW, NOW)

    def test_its_life_goes_one_way_until_it_starts_anew(self):
        ways = {state: {wanted for wanted in NodeState if may_become(state, wanted)} for state in NodeState}
        starting, running, stopping, stopped, error = NodeState
        assert ways == {
            starting: {starting, running, stopping, error},
            running: {starting, stopping, error},
            stopping: {starting, stopped, error},
            stopped: {starting},
            error: {starting, stopping, stopped},
        }
