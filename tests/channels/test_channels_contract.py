"""The contract of every channel, held for every kind: in time, leaving nothing behind, telling no secret."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.mailboxes import mailbox
from support.receivers import Answer, receiving, status
from support.waiting import until
from watchfloor.channels import wire
from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.config.base import Settings
from watchfloor.config.kinds import channel_kinds
from watchfloor.domain.alert import raise_alert
from watchfloor.domain.message import About, compose
from watchfloor.domain.notice import trial_message
from watchfloor.domain.severity import Severity

SECRET = "s3cr3t-0f-the-channel"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, THREAD = "0191d8f0-0000-7000-8000-000000000002", "0191d8f0-0000-7000-8000-000000000001"
NOW = datetime(2031, 3, 1, 7, 2, 11, tzinfo=UTC)
LIMIT = 0.3
KINDS = channel_kinds()

Values = Callable[[int], dict[str, Any]]


def _at(path: str = "") -> Callable[[int], str]:
    return lambda port: f"http://127.0.0.1:{port}{path}"


def _http(path: str = "", **values: Any) -> Values:
    return lambda port: {"url": _at(path)(port), "public_only": False, **values}


HTTP: dict[str, Values] = {
    "webhook": _http("/hook", secret=KEY, headers={"Authorization": f"Bearer {SECRET}"}),
    "slack": _http(f"/services/T0/B0/{SECRET}"),
    "teams": _http(f"/workflows/1/triggers/manual?sig={SECRET}"),
    "discord": _http(f"/api/webhooks/1/{SECRET}"),
    "telegram": _http(token=f"123:{SECRET}", chat="-1001234567890", topic=7),
    "ntfy": _http(topic="watchfloor", token=SECRET),
    "gotify": _http(token=SECRET),
    "matrix": _http(room="!room:example.com", token=SECRET),
    "pagerduty": _http("/v2/enqueue", routing_key=SECRET),
    "opsgenie": _http(api_key=SECRET),
    "sms": _http("/send", to="+4930123456", fields={"api_key": SECRET}, user="me", password=SECRET),
}
OTHERS: dict[str, Values] = {
    "email": lambda port: {
        "host": "127.0.0.1", "port": port, "security": "none", "from": "Watch <watch@example.com>",
        "to": ["ann@example.com"],
    },
    "syslog": lambda port: {"transport": "tcp", "host": "127.0.0.1", "port": port},
    "command": lambda port: {
        "command": [sys.executable, "-c", "import sys, time; sys.stdin.read(); time.sleep(60)"],
        "environment": {"KEY": SECRET},
    },
    "terminal": lambda port: {"terminals": ["/dev/pts/9999999"]},
}  # fmt: skip
ALL = {**HTTP, **OTHERS}
ANSWERED = [kind for kind in ALL if kind != "terminal"]
"""Kinds whose receiver may keep them waiting: a terminal takes something at once or not at all."""


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing answer that never ends is not waited for as long as in life."""
    monkeypatch.setattr(wire, "ANSWER_S", 0.05)


def settings(kind: str, port: int = 1, timeout: float = LIMIT) -> Settings:
    made = KINDS[kind].settings.model_validate(ALL[kind](port))
    return made.model_copy(update={"timeout": timeout})  # shorter than a person may write


def payload(title: str = "shop is failing", summary: str = "refused", note: str = "") -> bytes:
    alert, events = raise_alert(Severity.CRITICAL, NOW)
    return compose(
        replace(events[-1], note=note), alert, About(42, THREAD, title, summary, {"service": "shop"})
    )


def message(kind: str, made: Settings, body: bytes | None = None) -> Message:
    render = KINDS[kind].render
    draft = Draft(ID, THREAD, payload() if body is None else body)
    return Message(ID, "alert.firing", draft.payload if render is None else render(made, draft), 1614265330)


def deliver(kind: str, made: Settings) -> Awaitable[None]:
    return KINDS[kind].run(made, message(kind, made))


async def refused(kind: str, port: int, timeout: float = 5.0) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await deliver(kind, settings(kind, port, timeout))
    error = caught.value
    assert str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 300
    return error


@asynccontextmanager
async def serving(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server that does one thing with each connection."""
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            await handler(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            under_way.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(under_way):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def sockets() -> set[str]:
    """The open sockets of this process, told apart by what they are."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return {name for name in found if name.startswith(("socket:", "pipe:"))}


def processes() -> set[int]:
    """The processes that this one started."""
    return {child.pid for child in psutil.Process().children()}


def test_every_registered_kind_is_held_to_the_contract() -> None:
    assert set(ALL) == set(KINDS)
    assert all(KINDS[kind].name == kind for kind in KINDS)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("kind", [kind for kind in ANSWERED if kind != "syslog"])
async def test_the_time_limit_is_kept(kind: str) -> None:
    async with serving(_silent) as port:
        began = time.monotonic()
        error = await refused(kind, port, LIMIT)
        assert time.monotonic() - began < LIMIT + 1
    assert not error.permanent
    assert f"{LIMIT:g} s" in str(error)


@pytest.mark.parametrize("kind", ANSWERED)
async def test_whoever_is_cancelled_leaves_no_socket_and_no_process(kind: str) -> None:
    connected = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await asyncio.sleep(60)

    before, children = sockets(), processes()
    async with serving(silent) as port:
        task = asyncio.ensure_future(deliver(kind, settings(kind, port, 20.0)))
        if kind == "command":
            await until(lambda: processes() - children)
        else:
            await connected.wait()
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: sockets() <= before and processes() <= children)


@pytest.mark.parametrize("kind", ALL)
async def test_a_receiver_that_is_not_there_is_tried_again_later(kind: str) -> None:
    async with serving(_silent) as port:
        pass
    if kind != "command":
        assert not (await refused(kind, port)).permanent


@pytest.mark.parametrize("kind", HTTP)
async def test_a_redirect_to_a_private_address_is_not_followed(kind: str) -> None:
    async with receiving() as trap, receiving() as receiver:
        receiver.answers = [status(307, location=trap.url("/latest/meta-data"))]
        error = await refused(kind, receiver.port)
    assert error.permanent
    assert len(receiver.got) == 1
    assert trap.got == []


@pytest.mark.parametrize("kind", HTTP)
async def test_private_addresses_are_refused_where_only_public_ones_are_wanted(kind: str) -> None:
    async with receiving() as receiver:
        made = settings(kind, receiver.port, 5.0).model_copy(update={"public_only": True})
        with pytest.raises(DeliveryError, match="public internet"):
            await deliver(kind, made)
    assert receiver.got == []


@pytest.mark.parametrize(
    ("code", "header", "permanent", "gone", "wait"),
    [(410, "", True, True, None), (404, "", True, False, None), (429, "30", False, False, 30.0),
     (503, "7", False, False, 7.0), (500, "", False, False, None), (408, "", False, False, None)],
)  # fmt: skip
@pytest.mark.parametrize("kind", HTTP)
async def test_answers_are_classified(
    kind: str, code: int, header: str, permanent: bool, gone: bool, wait: float | None
) -> None:
    async with receiving() as receiver:
        receiver.answers = [status(code, **({"retry_after": header} if header else {}))]
        error = await refused(kind, receiver.port)
    assert (error.permanent, error.gone, error.retry_after) == (permanent, gone, wait)


@pytest.mark.parametrize(
    ("kind", "answer", "wait"),
    [
        ("telegram", {"ok": False, "parameters": {"retry_after": 31}}, 31.0),
        ("matrix", {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2500}, 2.5),
        ("discord", {"message": "You are being rate limited.", "retry_after": 0.75}, 0.75),
        ("telegram", {"parameters": 5}, None),
        ("telegram", [], None),
        ("matrix", {"retry_after_ms": "soon"}, None),
    ],
)
async def test_a_wait_in_the_answer_is_understood(kind: str, answer: object, wait: float | None) -> None:
    async with receiving() as receiver:
        receiver.answers = [whole(429, json.dumps(answer).encode())]
        assert (await refused(kind, receiver.port)).retry_after == wait


def whole(code: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n" % (code, len(body)) + body


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 x\r\ncontent-type: text/plain\r\n\r\n")
    while True:
        writer.write(b"all work and no play " * 4000)
        await writer.drain()


async def _huge(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 x\r\ncontent-length: 1000000000000\r\n\r\n" + b"x" * 10_000_000)
    await writer.drain()


def _bomb() -> bytes:
    import gzip

    body = gzip.compress(b"0" * 50_000_000)
    return b"HTTP/1.1 500 x\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body


HOSTILE: dict[str, Answer] = {
    "endless": _endless,
    "huge": _huge,
    "binary": whole(500, bytes(range(256)) * 100),
    "compressed": _bomb(),
    "garbage": b"\x00\xff\x00\xff\r\n\r\n",
    "endless headers": b"HTTP/1.1 500 x\r\n" + b"x: y\r\n" * 50_000,
    "terminal sequences": whole(500, b"\x1b]0;owned\x07\x1b[2J\xe2\x80\xae\r\nabc"),
    "deep json": whole(429, b"[" * 4000),
    "the secret": whole(403, f"no: {SECRET} in {KEY}".encode()),
    "half of the secret": whole(500, f"bad token {SECRET[:10]}...".encode()),
    "the secret in a header": b"HTTP/1.1 500 "
    + SECRET.encode()
    + b"\r\nx y: "
    + SECRET.encode()
    + b"\r\n\r\n",
}


@pytest.mark.parametrize("how", HOSTILE)
@pytest.mark.parametrize("kind", HTTP)
async def test_a_hostile_answer_is_a_failure_that_tells_no_secret(kind: str, how: str) -> None:
    async with receiving() as receiver:
        receiver.answers = [HOSTILE[how]]
        began = time.monotonic()
        error = await refused(kind, receiver.port)
        assert time.monotonic() - began < 4
    assert SECRET[:10] not in str(error)
    assert KEY[:12] not in str(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("kind", ALL)
def test_settings_show_no_secret(kind: str) -> None:
    made = settings(kind)
    assert SECRET not in repr(made) + str(made)


@pytest.mark.parametrize("kind", HTTP)
async def test_every_attempt_sends_the_same_bytes_and_the_id(kind: str) -> None:
    async with receiving() as receiver:
        for _ in range(2):
            await deliver(kind, settings(kind, receiver.port, 5.0))
    first, second = receiver.got
    assert (first.path, first.headers, first.body) == (second.path, second.headers, second.body)
    assert first.headers["x-watchfloor-id"] == ID
    assert first.headers["host"] == f"127.0.0.1:{receiver.port}"


BODIES = {
    "firing": payload(),
    "test": trial_message(THREAD, "channel phone", {"channel": "phone"}, "ann", NOW),
    "hostile": payload(
        "<!channel> @everyone <b>x</b> *y* \x1b[31m\u202e {{ 7*7 }}\r\nBcc: a@b",
        "\x00" * 9 + "<&>\r\n.\r\n" * 50,
    ),
    "long": payload("t" * 5000, "s" * 50_000, "n" * 50_000),
    "empty": payload("", "", ""),
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("kind", ALL)
def test_what_is_stored_is_always_the_same_small_and_without_secrets(kind: str, what: str) -> None:
    made = settings(kind)
    stored = message(kind, made, BODIES[what]).payload
    assert stored == message(kind, made, BODIES[what]).payload
    assert SECRET.encode() not in stored
    assert len(stored) < 20_000 or kind == "webhook"
    if kind not in ("webhook", "syslog"):
        assert b"\x1b" not in stored
        assert b"\x00" not in stored


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("kind", HTTP)
async def test_every_message_can_be_sent(kind: str, what: str) -> None:
    async with receiving() as receiver:
        made = settings(kind, receiver.port, 5.0)
        await KINDS[kind].run(made, message(kind, made, BODIES[what]))
    (got,) = receiver.got
    if got.headers["content-type"] == "application/json":
        assert isinstance(json.loads(got.body), dict)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "webhook"])
def test_words_can_be_changed_by_templates(kind: str) -> None:
    made = KINDS[kind].settings.model_validate(
        {
            **ALL[kind](1),
            "templates": {
                "every": {"title": "WORDS {{ severity }} {{ service }}"},
                "resolved": {"title": "no"},
            },
        }
    )
    assert b"WORDS critical shop" in message(kind, made).payload


LOOPS = "".join(f"{{% for {name} in labels|items %}}" for name in "abc") + "{% endfor %}" * 3
"""Turns a few times for the samples of the check, and too often for an alert with many labels."""


@pytest.mark.parametrize("kind", ALL)
def test_a_template_that_fails_only_at_the_last_moment_costs_no_message(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"payload": "{}" + LOOPS} if kind == "webhook" else {"templates": {"every": {"title": f"x{LOOPS}"}}}
    made = KINDS[kind].settings.model_validate({**ALL[kind](1), **own})
    alert, events = raise_alert(Severity.CRITICAL, NOW)
    labels = {f"label{number}": "x" for number in range(20)}
    body = compose(events[-1], alert, About(42, THREAD, "shop is failing", "refused", labels))
    stored = message(kind, made, body).payload
    assert b"shop is failing" in stored
    if kind == "webhook":
        assert stored == body
    else:
        assert b"a template of this channel failed" in stored
        assert b"1,000" in stored
    assert "template failed" in caplog.text


async def test_a_mail_server_is_classified_like_every_other_receiver() -> None:
    async with mailbox() as box:
        box.answers = ["451 4.3.0 later", "554 5.7.1 never", "250 OK"]
        first, second = await refused("email", box.port), await refused("email", box.port)
        await deliver("email", settings("email", box.port, 5.0))
    assert (first.permanent, second.permanent) == (False, True)
    assert str(first) == "the mail server answered 451: 4.3.0 later"
    assert box.got[0] == box.got[1] == box.got[2]
    assert ID in box.mails[0]["message-id"]


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"\x00\xff\x00\xff\r\n",
        b"220 hi\r\n" * 100_000,
        b"220-" + b"x" * 10_000_000,
        b"999 \x1b[31m\r\n",
        b"554 no\r\n",
    ],
    ids=["nothing", "binary", "endless", "one line", "terminal", "refusal"],
)
async def test_a_hostile_mail_server_is_a_failure(says: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await writer.drain()
        while await reader.read(1000):
            writer.write(says)
            await writer.drain()

    async with serving(handler) as port:
        began = time.monotonic()
        await refused("email", port, 1.0)
        assert time.monotonic() - began < 3


async def test_a_command_is_classified_like_every_other_receiver(tmp_path: Path) -> None:
    async def run(code: str) -> None:
        made = KINDS["command"].settings.model_validate(
            {
                "command": [sys.executable, "-c", code],
                "environment": {"KEY": SECRET},
                "directory": str(tmp_path),
            }
        )
        await deliver("command", made)

    await run("import sys, json; assert json.load(sys.stdin)['title'].startswith('CRITICAL')")
    for code, permanent in ((1, False), (75, False), (65, True), (78, True)):
        with pytest.raises(DeliveryError, match=f"status {code}") as caught:
            await run(f"import os, sys; print(os.environ['KEY']); sys.exit({code})")
        assert caught.value.permanent is permanent
        assert SECRET not in str(caught.value)


async def test_a_syslog_receiver_that_slams_the_door_is_tried_again() -> None:
    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with serving(slam) as port:
        assert not (await refused("syslog", port)).permanent
