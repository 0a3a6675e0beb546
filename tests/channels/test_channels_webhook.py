"""Webhooks: signed as the standard says, judged by status alone, and never in the hands of their receiver."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from typing import Any

import pytest
from pydantic import ValidationError

from support.receivers import Receiver, receiving, status
from watchfloor.channels import wire
from watchfloor.channels.message import DeliveryError, Message
from watchfloor.channels.webhook import Settings, deliver, sign

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
MESSAGE = Message(
    "0191d8f0-0000-7000-8000-000000000001", "alert.firing", '{"title":"größe"}'.encode(), 1614265330
)


def settings(url: str, **values: Any) -> Settings:
    return Settings.model_validate({"url": url, **values})


async def refused(receiver: Receiver, *answers: bytes, **values: Any) -> DeliveryError:
    receiver.answers = list(answers)
    with pytest.raises(DeliveryError) as caught:
        await deliver(settings(receiver.url(), **values), MESSAGE)
    return caught.value


def test_the_signature_is_that_of_the_published_vector() -> None:
    made = sign(
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_receiver_can_verify_the_exact_bytes_it_got() -> None:
    async with receiving() as receiver:
        await deliver(settings(receiver.url("/a/b?c=d"), secret=SECRET), MESSAGE)
    (got,) = receiver.got
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{wanted}"
    assert got.body == MESSAGE.payload
    assert got.path == "/a/b?c=d"
    assert (got.headers["content-type"], got.headers["webhook-id"]) == ("application/json", MESSAGE.id)
    assert got.headers["webhook-timestamp"] == "1614265330"


async def test_without_a_secret_there_is_no_signature() -> None:
    async with receiving() as receiver:
        await deliver(settings(receiver.url()), MESSAGE)
    assert "webhook-signature" not in receiver.got[0].headers


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
async def test_every_2xx_is_success(code: int) -> None:
    async with receiving() as receiver:
        receiver.answers = [status(code)]
        await deliver(settings(receiver.url()), MESSAGE)


@pytest.mark.parametrize(
    ("code", "permanent"),
    [
        (301, True), (302, True), (308, True), (400, True), (401, True), (404, True), (410, True),
        (408, False), (425, False), (429, False), (500, False), (502, False), (503, False), (599, False),
    ],
)  # fmt: skip
async def test_other_answers_are_failures_for_good_or_for_now(code: int, permanent: bool) -> None:
    async with receiving() as receiver:
        error = await refused(receiver, status(code, location="http://127.0.0.1:1/elsewhere"))
    assert (str(error), error.permanent) == (f"the receiver answered {code}", permanent)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("9" * 5000, 999999999999999999.0),  # what is done of it the courier says
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251609733119.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:29:30 GMT", 90.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("Wed, 99 Oct 2026 07:28:00 GMT", None),
        ("٣", None),
    ],
)
async def test_a_receiver_may_ask_for_patience(header: str, wanted: float | None) -> None:
    async with receiving() as receiver:
        error = await refused(receiver, status(429, retry_after=header, date="Wed, 21 Oct 2026 07:28:00 GMT"))
    assert error.retry_after == wanted


async def test_a_receiver_that_is_not_there_is_tried_again_later() -> None:
    async with receiving() as receiver:
        pass
    with pytest.raises(DeliveryError) as caught:
        await deliver(settings(receiver.url()), MESSAGE)
    assert not caught.value.permanent
    assert str(caught.value) == "no connection: Connection refused"


async def _silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 ok\r\nx: ")
    for _ in range(600):
        writer.write(b"y")
        await writer.drain()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("answer", [_silence, _drip], ids=["silent", "one byte at a time"])
async def test_the_time_out_is_for_the_whole_attempt(answer: Any) -> None:
    async with receiving() as receiver:
        receiver.answers = [answer]
        began = time.monotonic()
        with pytest.raises(DeliveryError, match="no answer within 1 s"):
            await deliver(settings(receiver.url(), timeout=1.0), MESSAGE)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 abc x\r\n\r\n",
        b"HTTP/1.1 200 ok\r\n" + b"x: y\r\n" * 50_000,
    ],
    ids=["nothing", "garbage", "half", "no number", "endless headers"],
)
async def test_an_answer_that_is_no_http_is_a_failure_for_now(answer: bytes) -> None:
    async with receiving() as receiver:
        error = await refused(receiver, answer)
    assert not error.permanent
    assert str(error).isprintable()


async def test_a_body_of_any_size_is_not_read() -> None:
    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 ok\r\ncontent-length: 1000000000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 65536)
            await writer.drain()

    async with receiving() as receiver:
        receiver.answers = [flood]
        began = time.monotonic()
        await deliver(settings(receiver.url()), MESSAGE)
        assert time.monotonic() - began < 5


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with receiving() as receiver:
        await deliver(settings(receiver.url()), MESSAGE)
    assert receiver.got


@pytest.mark.parametrize("url", ["ftp://x/y", "http://", "//x", "javascript:alert(1)", ""])
def test_only_web_addresses_are_taken(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(url)


@pytest.mark.parametrize(
    "secret", ["whsec_", "short", "whsec_!!!", "whsec_" + base64.b64encode(b"x" * 65).decode()]
)
def test_only_keys_of_the_standard_are_taken(secret: str) -> None:
    with pytest.raises(ValidationError):
        settings("http://x", secret=secret)


def test_settings_show_neither_address_nor_key() -> None:
    made = settings("https://hooks.example/T0PSECRET", secret=SECRET)
    assert "T0PSECRET" not in repr(made) + str(made)
    assert SECRET not in repr(made)


async def test_connections_are_kept_between_messages_and_replaced_when_the_receiver_closed_them() -> None:
    connections, got = [], []
    closing = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                got.append(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                if len(got) == 3:
                    break
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()
            closing.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made = settings(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    with wire.keeping() as lines:
        for _ in range(3):
            await deliver(made, MESSAGE)
        await closing.wait()
        await deliver(made, MESSAGE)
        assert sum(map(len, lines.resting.values())) == 1
    server.close()
    assert got == [MESSAGE.payload] * 4
    assert len(connections) == 2


async def test_a_kept_connection_that_dies_after_the_first_byte_of_an_answer_is_a_failure() -> None:
    """It may have been taken: whether to send again is for the courier to decide, and to count."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        for answer in (b"HTTP/1.1 204 x\r\n\r\n", b"HTTP/1.1 2"):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(MESSAGE.payload))
            served += 1
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made = settings(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    with wire.keeping():
        await deliver(made, MESSAGE)
        with pytest.raises(DeliveryError, match="ended without an answer"):
            await deliver(made, MESSAGE)
    server.close()
    assert served == 2
