"""How a service stood, told from its timeline and its results, against the machine that went through all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.check_state import NEW, ChangeKind, Policy, advance
from watchfloor.domain.outcome import Status
from watchfloor.domain.past import Standing, standing

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
HARD = (ChangeKind.HARD_PROBLEM, ChangeKind.HARD_CHANGE, ChangeKind.RECOVERY)


@settings(settings.get_profile("thorough"))
@given(st.lists(st.sampled_from(Status), max_size=30), st.integers(1, 4), st.integers(1, 3))
def test_it_stands_as_the_machine_left_it(statuses: list[Status], attempts: int, recover: int) -> None:
    state, event, since, up_since = NEW, None, None, None
    for minute, status in enumerate(statuses):
        started = EPOCH + timedelta(minutes=minute)
        step = advance(state, status, started, started, Policy(attempts, recover))
        if step.change is not None and step.change.kind in HARD:
            recovered = step.change.kind is ChangeKind.RECOVERY
            event, since = "recovered" if recovered else step.change.to_status.word, step.change.at
        if up_since is None and step.state.hard is Status.OK and event is None:
            up_since = step.state.since
        state = step.state
    assert standing(event, since, up_since, statuses[::-1]) == Standing(
        state.hard, state.status, state.soft, state.attempt, state.since
    )


def test_a_retired_service_begins_anew():
    assert standing("retired", EPOCH, None, []) == Standing(None, None, False, 0, None)
