"""What nodes agree on: counted by hand, and never worse for one more that finds it well."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.outcome import Status
from watchfloor.domain.quorum import Vote, agreed, in_words

statuses = st.lists(st.sampled_from(Status), max_size=7)
quorums = st.integers(1, 5)


def votes(found: list[Status]) -> list[Vote]:
    return [Vote(number, status, status.word) for number, status in enumerate(found)]


@given(statuses, quorums, st.integers(0, 3))
def test_it_is_failing_exactly_where_enough_say_so_or_all_that_are_live(
    found: list[Status], quorum: int, silent: int
) -> None:
    failing, seats = found.count(Status.FAILING), len(found) + silent
    expected = failing >= quorum or (0 < seats < quorum and failing == seats)
    assert (agreed(votes(found), quorum, seats) is Status.FAILING) is expected


@given(statuses, quorums)
def test_the_order_of_nodes_is_irrelevant(found: list[Status], quorum: int) -> None:
    assert agreed(votes(found), quorum, len(found)) is agreed(votes(found[::-1]), quorum, len(found))


@given(statuses, quorums, st.data())
def test_one_that_finds_it_well_after_all_never_makes_it_worse(
    found: list[Status], quorum: int, data: st.DataObject
) -> None:
    bad = [at for at, status in enumerate(found) if status in (Status.DEGRADED, Status.FAILING)]
    if not bad:
        return
    at = data.draw(st.sampled_from(bad))
    better = agreed(votes([*found[:at], Status.OK, *found[at + 1 :]]), quorum, len(found))
    assert better is not Status.UNKNOWN
    assert better <= agreed(votes(found), quorum, len(found))


@given(statuses)
def test_of_one_each_bad_word_counts_and_who_cannot_tell_has_no_say(found: list[Status]) -> None:
    told = [status for status in found if status is not Status.UNKNOWN]
    assert agreed(votes(found), 1, len(found)) is (max(told) if told else Status.UNKNOWN)


def test_it_is_told_how_many_say_so() -> None:
    some = [Vote(1, Status.OK, "fine"), Vote(2, Status.FAILING, "refused"), Vote(3, Status.OK, "fine")]
    assert in_words(some, 2, 3, "fine") == "1 of 3 nodes says so, 2 must: refused"
    assert in_words(some[:1], 2, 3, "fine") == "fine"
