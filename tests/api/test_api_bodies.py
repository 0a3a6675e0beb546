"""Bodies that the intake listener is sent: what is kept of them, and at what cost."""

from __future__ import annotations

import asyncio

import pytest

from watchfloor.api.request import KEPT, _Reading, read_request


@pytest.mark.parametrize("length", [0, 1, KEPT - 1, KEPT, KEPT + 1, 2 * KEPT + 1, 5 * KEPT + 3])
@pytest.mark.parametrize("piece", [1, 1000, 3 * KEPT])
async def test_the_end_of_a_body_is_kept_however_it_comes(length: int, piece: int) -> None:
    body = b"".join(b"%d " % number for number in range(length))[-length:] if length else b""
    chunks = [body[start : start + piece] for start in range(0, length, piece)]
    reader = asyncio.StreamReader()
    reader.feed_data(b"POST /ping/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    reader.feed_data(b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n")
    request = await read_request(reader, lambda: None)
    assert request is not None
    assert request.body == body[-KEPT:]


def test_a_piece_of_a_body_costs_its_own_length_and_not_that_of_what_is_kept() -> None:
    reading = _Reading()
    held, longest = reading.body, 0
    for _ in range(3 * KEPT):
        reading.on_body(b"x")
        longest = max(longest, len(reading.body))
    assert reading.body is held, "it is never copied as a whole"
    assert longest == 2 * KEPT
