"""Time-ordered ids: unique, growing, readable as a moment, whatever the clock does."""

from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.ids import EPOCH_NS, TAGS, TimeOrderedIds, moment_ns

MS = 1_000_000
NOW = EPOCH_NS + 200_000_000_000 * MS


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=50))
def test_ids_grow_even_where_the_clock_steps_back(moments):
    ids = TimeOrderedIds(tag=7)
    made = [ids.next(EPOCH_NS + moment) for moment in moments]
    assert made == sorted(set(made))


def test_an_id_tells_when_it_was_made_to_the_millisecond():
    assert moment_ns(TimeOrderedIds(tag=3).next(NOW + 999_999)) == NOW


def test_more_ids_than_fit_in_a_millisecond_run_ahead_of_the_clock():
    ids = TimeOrderedIds(tag=0)
    made = [ids.next(NOW) for _ in range(3_000)]
    assert made == sorted(set(made))
    assert moment_ns(made[-1]) == NOW + 2 * MS


def test_two_writers_never_make_the_same_id():
    one, other = TimeOrderedIds(tag=1), TimeOrderedIds(tag=2)
    assert not {one.next(NOW) for _ in range(5_000)} & {other.next(NOW) for _ in range(5_000)}


def test_ids_fit_a_bigint_until_2298():
    ids = TimeOrderedIds(tag=TAGS - 1)
    assert 0 <= ids.next(EPOCH_NS + ((1 << 43) - 1) * MS) < 2**63


def test_threads_share_a_writer():
    ids, made = TimeOrderedIds(tag=5), []
    threads = [Thread(target=lambda: made.extend([ids.next(NOW) for _ in range(2_000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8_000


def test_a_tag_out_of_range_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1023, not 1024"):
        TimeOrderedIds(tag=TAGS)


def test_without_a_tag_one_is_drawn():
    assert len({TimeOrderedIds().next(NOW) for _ in range(50)}) > 1
