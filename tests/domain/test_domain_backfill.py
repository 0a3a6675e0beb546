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


@given(st.lists(STATES, min_size=6, max_size=6), st.sampled_from(Again))
def test_runs_of_a_schedule_that_is_gone_count_as_those_of_the_one_in_its_place(
    states: list[list[str]], again: Again
) -> None:
    before = [(3, at) for _, at in FIRES]
    runs = {fire_key(*fire): each for fire, each in zip(before, states, strict=True) if each}
    wanted = [(fire.at, fire.key) for fire in chosen(before, again, runs)]
    found = [(fire.at, fire.key) for fire in chosen(FIRES, again, runs)]
    assert [at for at, _ in found] == [at for at, _ in wanted]
    repeated = {(at, key) for at, key in wanted if ":b" in key}
    assert {(at, key) for at, key in found if ":b" in key} == repeated


def test_one_run_of_a_schedule_that_is_gone_counts_for_one_of_two_fires_of_its_moment() -> None:
    both = [(7, START), (8, START)]
    runs = {fire_key(3, START): ["succeeded"]}
    (missing,) = chosen(both, Again.MISSING, runs)
    assert missing.key == fire_key(8, START)
    assert chosen(both, Again.MISSING, {**runs, fire_key(4, START): ["dead"]}) == []
    (failed,) = chosen(both, Again.FAILED, {**runs, fire_key(4, START): ["dead"]})
    assert failed.key == f"{fire_key(4, START)}:b1"


def test_runs_of_a_schedule_that_is_gone_never_stand_for_a_fire_that_has_its_own() -> None:
    runs = {fire_key(3, START): ["succeeded"], fire_key(7, START): ["dead"]}
    (found,) = chosen([(7, START)], Again.FAILED, runs)
    assert found.key == f"{fire_key(7, START)}:b1"


def test_they_come_in_their_order() -> None:
    assert [fire.at for fire in chosen(reversed(FIRES), Again.ALL, {})] == [at for _, at in FIRES]
