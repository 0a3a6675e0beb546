"""Syslog records on real sockets of every make, read back as RFC 5424 says."""

from __future__ import annotations

import asyncio
import re
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.channels.syslog import LONGEST, Settings, deliver, render
from watchfloor.domain.alert import condition_false, raise_alert
from watchfloor.domain.message import About, compose
from watchfloor.domain.severity import Severity

ID = "0191d8f0-0000-7000-8000-000000000001"
NOW = datetime(2031, 3, 1, 7, 2, 11, tzinfo=UTC)

RECORD = re.compile(
    r"<(?P<priority>\d{1,3})>1 (?P<at>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<pid>[!-~]{1,128}) "
    r'(?P<id>[!-~]{1,32}) (?P<data>\[[!-~]+(?: [a-z]+="(?:[^"\\\]]|\\["\\\]])*")*\]) \ufeff(?P<words>.*)'
)


def draft(
    title: str = "shop is failing", severity: Severity = Severity.CRITICAL, service: str = "shop"
) -> Draft:
    alert, events = raise_alert(severity, NOW)
    return Draft(
        ID, ID, compose(events[-1], alert, About(42, "u", title, "refused\nagain", {"service": service}))
    )


def settings(**values: Any) -> Settings:
    return Settings.model_validate({"host": "127.0.0.1", **values})


def message(made: Settings, made_of: Draft | None = None) -> Message:
    return Message(ID, "alert.firing", render(made, made_of or draft()), 1)


def parsed(record: bytes) -> dict[str, str]:
    match = RECORD.fullmatch(record.decode())
    assert match, record
    return match.groupdict()


@pytest.mark.parametrize(
    ("severity", "facility", "priority"),
    [(Severity.INFO, "daemon", 30), (Severity.WARNING, "local0", 132), (Severity.CRITICAL, "local7", 186),
     (Severity.EMERGENCY, "kern", 0)],
)  # fmt: skip
def test_a_record_is_what_the_standard_says(severity: Severity, facility: str, priority: int) -> None:
    found = parsed(render(settings(facility=facility), draft(severity=severity)))
    assert (found["priority"], found["at"], found["app"], found["id"]) == (
        str(priority), "2031-03-01T07:02:11Z", "watchfloor", "firing",
    )  # fmt: skip
    assert f'id="{ID}" alert="42"' in found["data"]
    assert found["words"].endswith("shop is failing, since 07:02 UTC. refused again alert #42")


def test_what_is_over_is_a_notice() -> None:
    alert, _ = raise_alert(Severity.EMERGENCY, NOW)
    over, events = condition_false(alert, NOW)
    made = Draft(ID, ID, compose(events[-1], over, About(42, "u", "shop is failing", "", {})))
    assert parsed(render(settings(), made))["priority"] == str(3 * 8 + 5)


@pytest.mark.parametrize("evil", ['a"] x="', "a\\", "]", "\x1b[31m\r\n<0>1 ", "ü" * 4000])
def test_nobody_writes_a_record_of_their_own(evil: str) -> None:
    record = render(settings(), draft(evil, service=evil))
    assert len(record) <= LONGEST
    assert b"\n" not in record
    assert b"\x1b" not in record
    if len(evil) < 99:
        parsed(record)


async def test_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        made = settings(port=receiver.getsockname()[1])
        await deliver(made, message(made))
        assert receiver.recv(9000) == message(made).payload


async def test_a_udp_port_that_nobody_listens_on_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        made = settings(port=receiver.getsockname()[1])
    with pytest.raises(DeliveryError, match=r"refused|ECONNREFUSED") as caught:
        await deliver(made, message(made))
    assert not caught.value.permanent


async def test_a_local_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        made = settings(transport="unix", path=str(tmp_path / "log"))
        await deliver(made, message(made))
        assert receiver.recv(9000) == message(made).payload
    made = settings(transport="unix", path=str(tmp_path / "nowhere"))
    with pytest.raises(DeliveryError, match="No such file"):
        await deliver(made, message(made))


async def test_tcp_counts_octets() -> None:
    got = bytearray()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.read())
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    made = settings(transport="tcp", port=server.sockets[0].getsockname()[1])
    await deliver(made, message(made))
    server.close()
    size, _, record = bytes(got).partition(b" ")
    assert int(size) == len(record)
    assert record == message(made).payload


def test_a_receiver_must_be_named() -> None:
    with pytest.raises(ValidationError, match="need the key host"):
        Settings.model_validate({})
    Settings.model_validate({"transport": "unix"})
