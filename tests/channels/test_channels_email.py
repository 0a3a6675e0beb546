"""E-mail to a real mail server: encrypted, signed in, in threads, in text and HTML, with nothing smuggled in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from support.mailboxes import mailbox
from watchfloor.channels import email
from watchfloor.channels.email import Settings, deliver, render
from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.demo.certificates import Authority
from watchfloor.domain.alert import raise_alert
from watchfloor.domain.message import About, compose
from watchfloor.domain.severity import Severity

FIRST, SECOND = "0191d8f0-0000-7000-8000-000000000001", "0191d8f0-0000-7000-8000-000000000002"
NOW = datetime(2031, 3, 1, 7, 2, 11, tzinfo=UTC)
PASSWORD = "p4ss-of-the-mail"


def settings(port: int = 25, **values: Any) -> Settings:
    usual = {"host": "127.0.0.1", "port": port, "security": "none", "timeout": 5.0}
    people = {"from": "Wächter <watch@example.com>", "to": ["Ann <ann@example.com>", "bob@example.com"]}
    return Settings.model_validate({**usual, **people, **values})


def draft(message_id: str = FIRST, title: str = "größe is failing", summary: str = "<no answer>") -> Draft:
    alert, events = raise_alert(Severity.CRITICAL, NOW)
    return Draft(
        message_id, FIRST, compose(events[-1], alert, About(42, "u", title, summary, {"service": "größe"}))
    )


async def send(made: Settings, made_of: Draft | None = None) -> str:
    body = render(made, made_of or draft())
    return await deliver(made, Message((made_of or draft()).id, "alert.firing", body, 1))


@pytest.fixture(autouse=True)
def nobody_has_a_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "_has", {})


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(datetime.now(UTC))


@pytest.fixture
def server_tls(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    return authority.server_context("localhost", timedelta(days=9), tmp_path)


@pytest.fixture
def ca_file(authority: Authority, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    path.write_bytes(authority.pem())
    return str(path)


@pytest.mark.parametrize(
    ("own", "told"),
    [({}, "since 12:32 IST"), ({"time_zone": "Europe/Berlin"}, "since 08:02 CET")],
    ids=["the zone of the product", "the zone of the channel"],
)
def test_a_mail_tells_times_as_the_clocks_of_its_readers_show_them(own: dict[str, str], told: str) -> None:
    mail = message_from_bytes(
        render(settings(**own), replace(draft(), time_zone="Asia/Kolkata")), policy=policy.default
    )
    assert mail["subject"].endswith(told)
    assert parsedate_to_datetime(mail["date"]) == NOW


def test_a_time_zone_that_does_not_exist_is_a_mistake_of_the_channel() -> None:
    with pytest.raises(ValueError, match="there is no such time zone; write a name such as Europe/Berlin"):
        settings(time_zone="Mars/Base")


async def test_a_mail_arrives_in_text_and_html(tmp_path: Path) -> None:
    async with mailbox() as box:
        await send(settings(box.port))
    (mail,) = box.mails
    assert mail["subject"] == "CRITICAL größe is failing, since 07:02 UTC"
    assert mail["from"] == "Wächter <watch@example.com>"
    assert mail["to"] == "Ann <ann@example.com>, bob@example.com"
    assert mail["auto-submitted"] == "auto-generated"
    assert parsedate_to_datetime(mail["date"]) == NOW
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == [mail["subject"], "<no answer>", "alert #42"]
    assert "&lt;no answer&gt;" in html.get_content()
    assert box.senders == ["watch@example.com"]
    assert box.recipients == [["ann@example.com", "bob@example.com"]]


async def test_the_mails_of_one_alert_are_one_thread() -> None:
    first = message_from_bytes(render(settings(), draft(FIRST)), policy=policy.default)
    second = message_from_bytes(render(settings(), draft(SECOND)), policy=policy.default)
    assert first["message-id"] == f"<{FIRST}@example.com>"
    assert first["references"] is None
    assert second["message-id"] == f"<{SECOND}@example.com>"
    assert second["references"] == second["in-reply-to"] == first["message-id"]


async def test_starttls_and_a_password(server_tls: ssl.SSLContext, ca_file: str) -> None:
    async with mailbox(starttls=server_tls, password=PASSWORD) as box:
        made = settings(
            box.port, host="localhost", security="starttls", ca_file=ca_file, user="me", password=PASSWORD
        )
        await send(made)
        with pytest.raises(DeliveryError, match="535") as caught:
            await send(made.model_copy(update={"password": SecretStr("wr0ng-password")}))
    assert (box.users, box.encrypted) == (["me"], [True])
    assert caught.value.permanent
    assert "wr0ng" not in str(caught.value)


async def test_tls_from_the_start(server_tls: ssl.SSLContext, ca_file: str) -> None:
    async with mailbox(server_tls) as box:
        await send(settings(box.port, host="localhost", security="tls", ca_file=ca_file))
    assert box.encrypted == [True]


async def test_a_certificate_of_strangers_is_refused(server_tls: ssl.SSLContext) -> None:
    async with mailbox(server_tls) as box:
        with pytest.raises(DeliveryError, match=r"Error connecting to localhost: .*certificate") as caught:
            await send(settings(box.port, host="localhost", security="tls"))
    assert not caught.value.permanent
    assert box.got == []


async def test_nothing_is_sent_in_clear_where_encryption_is_wanted() -> None:
    async with mailbox() as box:
        with pytest.raises(DeliveryError, match="STARTTLS"):
            await send(settings(box.port, security="starttls"))
    assert box.got == []


async def test_one_recipient_who_is_refused_for_good_does_not_stop_the_mail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with mailbox() as box:
        box.refused = {"bob@example.com": "550 unknown"}
        assert await send(settings(box.port)) == "it was taken, but not for bob@example.com (550)"
        assert box.recipients == [["ann@example.com"]]
        assert "not for bob@example.com (550)" in caplog.text
        box.refused["ann@example.com"] = "550 unknown"
        with pytest.raises(DeliveryError, match="every recipient was refused") as caught:
            await send(settings(box.port))
        assert caught.value.permanent
        box.refused["ann@example.com"] = "450 later"
        with pytest.raises(DeliveryError) as caught:
            await send(settings(box.port))
        assert (caught.value.permanent, caught.value.some) == (False, False)


LATER = r"it was taken, but not for bob@example\.com \(450\)$"


async def test_a_recipient_who_is_refused_for_now_gets_the_mail_later_and_the_others_no_second_one() -> None:
    async with mailbox() as box:
        box.refused = {"bob@example.com": "450 later"}
        for _ in range(3):
            with pytest.raises(DeliveryError, match=LATER) as caught:
                await send(settings(box.port))
            assert (caught.value.permanent, caught.value.some) == (False, True)
        box.refused.clear()
        assert await send(settings(box.port)) == ""
        assert box.recipients == [["ann@example.com"], ["bob@example.com"]]
        assert box.got[0] == box.got[1]
        assert await send(settings(box.port), draft(SECOND)) == ""
        assert box.recipients[2] == ["ann@example.com", "bob@example.com"]


async def test_a_recipient_who_is_refused_for_now_and_then_for_good_is_said() -> None:
    people = ["ann@example.com", "bob@example.com", "eve@example.com"]
    async with mailbox() as box:
        box.refused = {"bob@example.com": "450 later", "eve@example.com": "550 unknown"}
        with pytest.raises(DeliveryError, match=r"bob@example\.com \(450\), eve@example\.com \(550\)"):
            await send(settings(box.port, to=people))
        box.refused["bob@example.com"] = "550 unknown"
        remark = await send(settings(box.port, to=people))
    assert remark == "it was taken, but not for bob@example.com (550), eve@example.com (550)"
    assert box.recipients == [["ann@example.com"]]


async def test_of_a_mail_that_is_not_known_any_more_everybody_gets_another_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(email, "MOST_KEPT", 1)
    async with mailbox() as box:
        box.refused = {"bob@example.com": "450 later"}
        for message_id in (FIRST, SECOND):
            with pytest.raises(DeliveryError, match=LATER):
                await send(settings(box.port), draft(message_id))
        box.refused.clear()
        await send(settings(box.port), draft(SECOND))
        await send(settings(box.port), draft(FIRST))
    assert box.recipients[2:] == [["bob@example.com"], ["ann@example.com", "bob@example.com"]]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028", "\x00"])
async def test_no_line_end_in_a_name_becomes_a_header(end: str) -> None:
    evil = f"shop{end}Bcc: eve@example.com{end}{end}<script>"
    async with mailbox() as box:
        await send(settings(box.port), draft(title=evil, summary=f"{end}.{end}QUIT{end}"))
    (mail,) = box.mails
    assert mail["bcc"] is None
    assert len(str(mail["subject"]).splitlines()) == 1
    assert box.recipients == [["ann@example.com", "bob@example.com"]]


@pytest.mark.parametrize(
    "address",
    ["", "x", "a@b\r\nBcc: eve@example.com", "Ann\n <ann@example.com>", "a@b c", "a b@c", "ünï@example.com", "<>",
     "a@b>, eve@example.com <c@d", "a" * 300 + "@b"],
)  # fmt: skip
def test_what_is_no_address_on_one_line_is_refused(address: str) -> None:
    for key in ("from", "to"):
        with pytest.raises(ValidationError):
            settings(**{key: address if key == "from" else [address]})


def test_a_password_is_never_sent_in_clear() -> None:
    with pytest.raises(ValidationError, match="without encryption"):
        settings(user="me", password=PASSWORD)


async def _at(
    line: bytes, act: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> int:
    """A mail server that is polite until a command comes; returns its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while command := await reader.readline():
            if command.startswith(line):
                await act(reader, writer)
                break
            writer.write(b"354 go\r\n" if command.startswith(b"DATA") else b"250 ok\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not reader.at_eof():
        writer.write(b"2")
        await writer.drain()
        await asyncio.sleep(0.1)


async def _drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break off in the middle of the mail."""
    writer.write(b"354 go\r\n")
    await reader.read(100)


@pytest.mark.parametrize("command", [b"EHLO", b"MAIL", b"RCPT", b"DATA"])
@pytest.mark.parametrize("act", [_hang, _drip])
async def test_a_server_that_goes_on_for_ever_is_tried_again_later(command: bytes, act: Any) -> None:
    port = await _at(command, act)
    with pytest.raises(DeliveryError, match=r"no answer within 0\.3 s") as caught:
        await send(settings(port).model_copy(update={"timeout": 0.3}))
    assert not caught.value.permanent


async def test_a_server_that_breaks_off_in_the_middle_of_a_mail_gets_it_again() -> None:
    port = await _at(b"DATA", _drop)
    with pytest.raises(DeliveryError) as caught:
        await send(settings(port))
    assert not caught.value.permanent
    assert str(caught.value)


async def test_a_mail_that_was_taken_counts_however_the_server_parts() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            if line.startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")
            elif line.startswith(b"QUIT"):
                writer.transport.abort()
                return
            else:
                writer.write(b"250 ok\r\n")

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    await send(settings(server.sockets[0].getsockname()[1]))
    server.close()
