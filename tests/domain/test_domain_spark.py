"""One byte per result keeps the status exactly and the latency to within 6 %."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.outcome import Status
from watchfloor.domain.spark import LONGEST, NOTHING, SHORTEST, decode, encode, push

measured = st.sampled_from([Status.OK, Status.DEGRADED])


@settings(settings.get_profile("thorough"))
@given(measured, st.floats(math.log(SHORTEST), math.log(LONGEST)).map(math.exp))
def test_latency_is_kept_to_within_6_percent(status, latency):
    kept_status, kept = decode(encode(status, latency))
    assert kept_status is status
    assert kept is not None
    assert abs(kept - latency) / latency <= 0.06


@given(measured, st.floats())
def test_any_float_has_a_byte_and_what_lies_beyond_the_scale_is_its_end(status, latency):
    kept = decode(encode(status, latency))[1]
    assert kept is not None
    assert SHORTEST <= kept <= LONGEST * 1.000001
    if latency >= LONGEST:
        assert math.isclose(kept, LONGEST)


@given(st.sampled_from(Status))
def test_a_result_without_latency_keeps_its_status(status):
    assert decode(encode(status, None)) == (status, None)


@given(st.sampled_from([Status.FAILING, Status.UNKNOWN]), st.floats(0, 100))
def test_a_failing_or_unknown_result_keeps_only_its_status(status, latency):
    assert decode(encode(status, latency)) == (status, None)


@given(measured, st.floats(SHORTEST, LONGEST), st.floats(SHORTEST, LONGEST))
def test_a_longer_latency_never_has_a_smaller_byte(status, one, other):
    shorter, longer = sorted((one, other))
    assert encode(status, shorter) <= encode(status, longer)


def test_every_byte_can_be_read_and_means_one_thing():
    assert decode(NOTHING) == (None, None)
    meanings = [decode(byte) for byte in range(255)]
    assert len(set(meanings)) == 255
    assert all(
        encode(status, latency) == byte
        for byte, (status, latency) in enumerate(meanings)
        if status is not None
    )
    assert decode(255) == (None, None)


def test_a_history_keeps_its_newest():
    history = b""
    for byte in range(100):
        history = push(history, byte)
    assert history == bytes(range(52, 100))
