"""Which fires of the past are run again, against every state that their runs can have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.backfill import UNDER_WAY, Again, chosen, fire_key
from watchfloor.domain.job_boards import FINAL_STATES

START = datetime(2026, 3, 1, tzinfo=UTC)
FIRES = [(7, START + timedelta(hours=hour)) for hour in range(6)]
STATES = st.lists(st.sampled_from(sorted(UNDER_WAY | FINAL_STATES)), max_size=4)


def keys(again: Again, runs: dict[str, list[str]]) -> list[str]:
    return [fire.key for fire in chosen(FIRES, again, runs)]


@given(st.lists(STATES, min_size=6, max_size=6))
def test_each_choice_takes_what_it_says_and_never_a_fire_that_is_under_way(states: list[list[str]]) -> None:
    runs = {fire_key(*fire): each for fire, each in zip(FIRES, states, strict=True) if each}
    missing, failed, every = (set(keys(again, runs)) for again in Again)
    for fire, each in zip(FIRES, states, strict=True):
        key = fire_key(*fire)
        again = f"{key}:b{len(each)}"
        assert (key in missing) == (not each)
        wanted = bool(each) and each[-1] not in UNDER_WAY
        assert (again in every) == wanted
        assert (again in failed) == (wanted and "succeeded" not in each)
    assert len(missing) <= len(failed) <= len(every)


def test_two_fires_never_have_one_key_and_one_fire_always_has_the_same() -> None:
    found = {fire_key(schedule, at) for schedule in (1, 2, 11) for _, at in FIRES}
    assert len(found) == 18
    assert fire_key(*FIRES[0]) == fire_key(7, START)


def test_they_come_in_their_order() -> None:
    assert [fire.at for fire in chosen(reversed(FIRES), Again.ALL, {})] == [at for _, at in FIRES]
