"""What time counts as under maintenance and out of reach, held to a model that looks at every second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from support.make import at
from watchfloor.domain.check_state import CheckState
from watchfloor.domain.cover import BARE, Cover, after_silence, book, layered
from watchfloor.domain.outcome import Status
from watchfloor.domain.spans import SpanState, booking

UP, SLOW, DOWN, UNSEEN, PLANNED, UNREACHABLE = SpanState

ranges = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted)


@given(
    state=st.sampled_from([UP, SLOW, DOWN, UNSEEN]),
    start=st.integers(0, 50),
    lost=st.none() | ranges,
    lost_now=st.booleans(),
    planned=st.none() | ranges,
    planned_now=st.booleans(),
)
def test_every_second_counts_as_what_lies_over_it(
    state: SpanState,
    start: int,
    lost: list[int] | None,
    lost_now: bool,
    planned: list[int] | None,
    planned_now: bool,
) -> None:
    cover = Cover(
        root=7 if lost and lost_now else None,
        lost_since=at(lost[0]) if lost else None,
        lost_until=at(lost[1]) if lost and not lost_now else None,
        depth=int(bool(planned and planned_now)),
        planned_since=at(planned[0]) if planned else None,
        planned_until=at(planned[1]) if planned and not planned_now else None,
    )
    pieces = layered(cover, state, at(start))
    assert pieces[0][0] == at(start)
    for second in range(start, 60):
        wanted = state
        if lost and state is DOWN and lost[0] <= second and (lost_now or second < lost[1]):
            wanted = UNREACHABLE
        if planned and planned[0] <= second and (planned_now or second < planned[1]):
            wanted = PLANNED
        assert [shade for moment, shade in pieces if moment <= at(second)][-1] is wanted


def down(since: float, last: float) -> CheckState:
    return CheckState(Status.FAILING, Status.FAILING, False, 1, 0, at(since), at(since), at(last))


UP_AT_0 = CheckState(Status.OK, Status.OK, False, 0, 0, at(0), None, at(0))


def test_an_outage_out_of_reach_is_unreachable_until_the_service_is_seen_again() -> None:
    lost = Cover(root=1, lost_since=at(-20))
    assert book(UP_AT_0, down(30, 90), lost) == [(at(30), UNREACHABLE)]
    back = Cover(lost_since=at(-20), lost_until=at(100))
    assert book(down(30, 90), down(30, 99), back) == []
    assert book(down(30, 99), down(30, 120), back) == [(at(120), DOWN)]


def test_an_outage_confirmed_inside_a_window_counts_as_one_until_the_window_opens() -> None:
    assert book(UP_AT_0, down(30, 90), Cover(depth=1, planned_since=at(60))) == [
        (at(30), DOWN),
        (at(60), PLANNED),
    ]


def test_inside_a_window_nothing_is_booked() -> None:
    assert book(UP_AT_0, down(30, 90), Cover(depth=1, planned_since=at(-60))) == []


def test_an_outage_confirmed_after_a_window_does_not_take_the_window_back() -> None:
    cover = Cover(planned_since=at(-60), planned_until=at(60))
    assert book(UP_AT_0, down(30, 90), cover) == [(at(30), PLANNED), (at(60), DOWN)]


def test_without_anything_over_it_a_step_books_what_it_always_did() -> None:
    booked = booking(UP_AT_0, down(30, 90))
    assert booked is not None
    assert book(UP_AT_0, down(30, 90), BARE) == [booked]
    assert book(down(30, 90), down(30, 99), BARE) == []


def test_silence_is_unknown_except_inside_a_window() -> None:
    assert after_silence(BARE, at(10), UP, at(50)) == [(at(10), UNSEEN), (at(50), UP)]
    over = Cover(planned_since=at(0), planned_until=at(20))
    assert after_silence(over, at(10), UP, at(50)) == [(at(20), UNSEEN), (at(50), UP)]
    assert after_silence(Cover(depth=1, planned_since=at(0)), at(10), DOWN, at(50)) == []
    opened = Cover(depth=1, planned_since=at(30))
    pieces = [(at(10), UNSEEN), (at(30), PLANNED), (at(50), PLANNED)]
    assert after_silence(opened, at(10), DOWN, at(50)) == pieces
