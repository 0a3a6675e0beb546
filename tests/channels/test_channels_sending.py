"""What channels over HTTP have in common: whom they reach, what they never say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from support.receivers import receiving
from watchfloor.channels import discord, reach, slack, sms, webhook, wire
from watchfloor.channels.address import may_connect, permitted
from watchfloor.channels.message import DeliveryError, Message
from watchfloor.channels.secrets import PIECE, sayable, secrets_of
from watchfloor.channels.webhook import sign
from watchfloor.demo.certificates import Authority

OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_plJ3nmyCDGBKInavdOK15jsl7SKW3YAJ"
MESSAGE = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", "alert.firing", b'{"test": 2432232314}', 1614265330)

PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:4700:4700::1111")
PRIVATE = ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "::1", "fd12::1", "100.64.0.1", "::ffff:10.0.0.1",
           "2002:7f00:1::", "64:ff9b::10.0.0.1")  # fmt: skip
NEVER = ("169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "fe80::1", "fe80::1%eth0", "::", "ff02::1",
         "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::")  # fmt: skip


@pytest.mark.parametrize(
    ("addresses", "always", "public"), [(PUBLIC, True, True), (PRIVATE, True, False), (NEVER, False, False)]
)
def test_who_may_be_reached(addresses: tuple[str, ...], always: bool, public: bool) -> None:
    assert {address: may_connect(address, False) for address in addresses} == dict.fromkeys(addresses, always)
    assert {address: may_connect(address, True) for address in addresses} == dict.fromkeys(addresses, public)


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "[::1]".strip("[]")])
async def test_no_way_of_writing_an_address_gets_past(host: str) -> None:
    with pytest.raises(DeliveryError, match="public internet"):
        await permitted(host, 80, True)


async def test_a_name_that_leads_elsewhere_a_moment_later_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever owns a name may answer with a public address first and with one of ours when it is asked again."""
    loop = asyncio.get_running_loop()
    asked: list[str] = []
    connected: list[str] = []
    answers = [["93.184.216.34", "127.0.0.1"], ["127.0.0.1"], ["169.254.169.254", "::1"]]

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", (address, port)) for address in answers[len(asked) - 1]]

    async def connect(_: object, address: str, *__: object, **___: object) -> None:
        connected.append(address)
        raise OSError(111, "refused")

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    monkeypatch.setattr(loop, "create_connection", connect)
    made = webhook.Settings.model_validate({"url": "http://rebind.example.com/hook", "public_only": True})
    for words in ("no connection", "public internet", "public internet"):
        with pytest.raises(DeliveryError, match=words):
            await webhook.deliver(made, MESSAGE)
    assert asked == ["rebind.example.com"] * 3, "each attempt asks once, and judges what it connects to"
    assert connected == ["93.184.216.34"]


async def _refuse() -> None:
    raise OSError(111, "refused")


async def _swallow() -> None:
    await asyncio.Event().wait()


async def _through() -> None:
    pass


@contextmanager
def _roads(port: int, **ways: Callable[[], Awaitable[None]]) -> Iterator[list[str]]:
    """A name has these addresses (``v6_1``: fd12::1); behind one that lets through is the receiver at ``port``."""
    loop = asyncio.get_running_loop()
    connect, tried = loop.create_connection, list[str]()

    async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (_address(name), port)) for name in ways]

    async def go(make: Any, address: str, *_: object, **__: object) -> Any:
        name = next(name for name in ways if _address(name) == address)
        tried.append(name)
        await ways[name]()
        return await connect(make, "127.0.0.1", port)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "getaddrinfo", resolve)
        patch.setattr(loop, "create_connection", go)
        yield tried


def _address(name: str) -> str:
    family, _, number = name.partition("_")
    return f"fd12::{number}" if family == "v6" else f"10.0.0.{number}"


NAMED = webhook.Settings.model_validate({"url": "http://both.example.com/hook", "timeout": 10.0})


async def test_a_receiver_behind_an_address_that_swallows_everything_is_reached_over_the_other_family() -> (
    None
):
    async with receiving() as receiver:
        with _roads(receiver.port, v6_1=_swallow, v6_2=_swallow, v4_1=_through, v4_2=_through) as tried:
            await webhook.deliver(NAMED, MESSAGE)
    assert len(receiver.got) == 1
    assert tried == ["v6_1", "v4_1"]


async def test_an_address_that_refuses_makes_room_for_the_next_one_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reach, "HEAD_START_S", 60.0)
    async with receiving() as receiver:
        with _roads(receiver.port, v4_1=_refuse, v4_2=_refuse, v6_1=_refuse, v6_2=_through) as tried:
            await webhook.deliver(NAMED, MESSAGE)
    assert len(receiver.got) == 1
    assert tried == ["v4_1", "v6_1", "v4_2", "v6_2"]


async def test_an_address_that_is_slow_is_not_given_up_for_one_that_refuses() -> None:
    other = asyncio.Event()

    async def refuse() -> None:
        other.set()
        raise OSError(111, "refused")

    async def wait() -> None:
        await other.wait()

    async with receiving() as receiver:
        with _roads(receiver.port, v6_1=wait, v4_1=refuse) as tried:
            await webhook.deliver(NAMED, MESSAGE)
    assert len(receiver.got) == 1
    assert tried == ["v6_1", "v4_1"]


async def test_what_is_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both connections come about in the same turn of the loop; one of them carries the message."""
    both = asyncio.Event()
    lines: list[wire.Line] = []
    make = wire._open

    async def open_(where: wire.Where, address: str) -> wire.Line:
        lines.append(await make(where, address))
        if len(lines) == 2:
            asyncio.get_running_loop().call_soon(both.set)
        await both.wait()
        return lines[-1] if address.startswith("10.") else lines[0]

    monkeypatch.setattr(wire, "_open", open_)
    async with receiving() as receiver:
        with _roads(receiver.port, v6_1=_through, v4_1=_through):
            await webhook.deliver(NAMED, MESSAGE)
    assert len(receiver.got) == 1
    assert [line._transport for line in lines] == [None, None]


async def test_where_no_address_takes_a_connection_the_last_refusal_is_told() -> None:
    with (
        _roads(9, v6_1=_refuse, v4_1=_refuse),
        pytest.raises(DeliveryError, match="no connection: Connection refused"),
    ):
        await webhook.deliver(NAMED, MESSAGE)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 300 + ".example", "x..y", "\udcff"])
async def test_a_name_that_leads_nowhere(host: str) -> None:
    with pytest.raises(DeliveryError, match="cannot be resolved"):
        await permitted(host, 80, False)


@given(st.text(min_size=PIECE, max_size=60), st.text(max_size=60), st.integers(0, 60))
def test_no_piece_of_a_secret_is_ever_said(secret: str, around: str, at: int) -> None:
    piece = secret[at % (len(secret) - PIECE + 1) :][:PIECE]
    said = sayable(f"{around}{piece}{around}", [secret])
    assert not any(said[n : n + PIECE] in secret for n in range(len(said) - PIECE + 1))


def test_secrets_are_found_wherever_they_are() -> None:
    made = sms.Settings.model_validate(
        {
            "url": "http://x/a",
            "to": "123",
            "fields": {"k": "one"},
            "headers": {"X-Y": "two"},
            "password": "three",
        }
    )
    assert set(secrets_of(made)) == {"http://x/a", "one", "two", "three"}
    assert set(secrets_of([SecretStr("a"), (SecretStr("b"),), "c"])) == {"a", "b"}


async def test_a_rotated_secret_signs_beside_the_new_one() -> None:
    async with receiving() as receiver:
        made = webhook.Settings.model_validate(
            {
                "url": receiver.url(),
                "secret": NEW,
                "old_secret": OLD,
                "method": "PUT",
                "headers": {"Authorization": "Bearer x"},
            }
        )
        await webhook.deliver(made, MESSAGE)
    (got,) = receiver.got
    new, old = got.headers["webhook-signature"].split(" ")
    assert old == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="  # the vector of the standard
    assert new == sign(NEW, MESSAGE.id, MESSAGE.sent_at, MESSAGE.payload) != old
    assert got.headers["authorization"] == "Bearer x"


@pytest.mark.parametrize(
    "headers",
    [{"Host": "x"}, {"Content-Length": "1"}, {"webhook-id": "x"}, {"Webhook-Signature": "x"}, {"a b": "x"}, {"": "x"},
     {"X": "a\r\nY: b"}, {"X": "ü"}, {"X-Watchfloor-Id": "1"}],
)  # fmt: skip
def test_headers_that_nobody_may_set_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        webhook.Settings.model_validate({"url": "http://x", "headers": headers})


async def test_tls_is_checked_against_the_authorities_of_the_settings(tmp_path: Path) -> None:
    authority = Authority(datetime.now(UTC))
    ca_file = tmp_path / "authority.pem"
    ca_file.write_bytes(authority.pem())
    context: ssl.SSLContext = authority.server_context("localhost", timedelta(days=9), tmp_path)
    async with receiving(tls=context) as receiver:
        url = f"https://localhost:{receiver.port}/hook"
        await webhook.deliver(webhook.Settings.model_validate({"url": url, "ca_file": str(ca_file)}), MESSAGE)
        for values, words in (({}, "certificate"), ({"ca_file": str(tmp_path / "no")}, "ca_file")):
            with pytest.raises(DeliveryError, match=words) as caught:
                await webhook.deliver(webhook.Settings.model_validate({"url": url, **values}), MESSAGE)
            assert not caught.value.permanent
    assert len(receiver.got) == 1


def test_nobody_is_mentioned_whatever_the_words_say() -> None:
    assert slack._escaped("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    assert discord._escaped("@everyone [x](http://y) **b**") == r"\@everyone \[x\]\(http\://y\) \*\*b\*\*"
