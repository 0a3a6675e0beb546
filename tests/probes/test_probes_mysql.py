"""MySQL and MariaDB checks against a real server, and against one that signs in the newer way."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pytest
from probe_certificates import Authority
from probe_servers import Handler, Run, Servers
from pydantic import SecretStr

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.answer import Answer
from watchfloor.probes.checking import Check, OtherProtocol
from watchfloor.probes.mysql import Settings, probe
from watchfloor.probes.mysql_session import Session
from watchfloor.probes.peer import Peer
from watchfloor.probes.talk import Talk

Probing = Callable[..., Outcome]
PASSWORD = "correct-horse"


@pytest.fixture(scope="module")
def port() -> int:
    """The port of a real MariaDB that lets root in without a password."""
    try:
        socket.create_connection(("127.0.0.1", 3306), 2).close()
    except OSError as error:
        reason = f"no MariaDB at 127.0.0.1:3306 ({error})"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return 3306


def as_root(port: int, *statements: str) -> None:
    """Carry out statements that may write."""

    async def carry_out() -> None:
        settings = Settings(host="127.0.0.1", port=port, username="root")
        check = Check()
        async with Peer.of(check, settings, 5).talk() as talk:
            session = Session(check, talk)
            await session.sign_in("root", "", "", None)
            for statement in statements:
                await session.ask(statement)

    asyncio.run(carry_out())


@pytest.fixture(scope="module")
def user(port: int) -> Iterator[str]:
    """A user of the real server who has a password and may do nothing."""
    name = f"watch_{os.getpid()}"
    as_root(port, f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'")
    yield name
    as_root(port, f"DROP USER '{name}'@'%'")


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe a port of this machine with some settings."""

    def check(port: int, **settings: Any) -> Outcome:
        outcome = run(probe(Settings(host="127.0.0.1", port=port, **settings), 5))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def test_a_real_server_is_ok_and_tells_its_figures(check: Probing, port: int, user: str) -> None:
    outcome = check(port, username=user, password=SecretStr(PASSWORD), database="information_schema")
    assert outcome.status is Status.OK, outcome.summary
    assert outcome.summary.startswith("MariaDB 1")
    assert 1 <= outcome.metrics["connections_used"] <= outcome.metrics["connections_max"]
    assert set(outcome.phases) == {"connect", "first_byte", "transfer"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"password": "battery-staple"}, "Access denied for user"),
        ({}, "Access denied for user"),
        ({"password": PASSWORD, "database": "no_such"}, "denied"),
        ({"password": PASSWORD, "replica": True}, "denied"),
    ],
)
def test_a_refusal_is_told_and_the_password_is_not(
    check: Probing, port: int, user: str, settings: dict[str, Any], words: str
) -> None:
    outcome = check(port, username=user, **settings)
    assert outcome.status is Status.FAILING
    assert words in outcome.summary
    assert "battery-staple" not in outcome.summary


def test_a_server_that_is_no_replica_is_told(check: Probing, port: int) -> None:
    outcome = check(port, username="root", replica=True)
    assert outcome.status is Status.FAILING
    assert "it is no replica" in outcome.summary


def test_few_connections_left_is_told(check: Probing, port: int) -> None:
    outcome = check(port, username="root", connections={"degraded": 0.01, "failing": 100})
    assert outcome.status is Status.DEGRADED
    assert "% used (limit 0.01 %)" in outcome.summary


def packet(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes((sequence,)) + payload


SCRAMBLE = b"abcdefghijklmnopqrst"
GREETING = (
    b"\x0a8.0.36\x00" + bytes(4) + SCRAMBLE[:8] + b"\x00" + b"\xff\xff\x2d\x02\x00\xff\xc1\x15" + bytes(10)
    + SCRAMBLE[8:] + b"\x00caching_sha2_password\x00"
)  # fmt: skip


async def start_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: Any) -> None:
    """Go on over TLS, also where the client did so already and its first words came with what was before."""
    early, plain = bytes(reader._buffer), writer.transport.get_protocol()  # type: ignore[attr-defined]
    reader._buffer.clear()  # type: ignore[attr-defined]
    transport = writer.transport
    going = asyncio.ensure_future(writer.start_tls(context))
    if early:
        while transport.get_protocol() is plain:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # it has met its transport now
        protocol: Any = transport.get_protocol()
        protocol.get_buffer(len(early))[: len(early)] = early
        protocol.buffer_updated(len(early))
    await going


def newer_server(known: bool, heard: list[bytes], context: Any = None) -> Handler:
    """A server that signs in with caching_sha2_password, and knows the password's hash already or does not."""

    async def read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = await reader.readexactly(4)
        return head[3], await reader.readexactly(int.from_bytes(head[:3], "little"))

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(0, GREETING))
        sequence, answer = await read(reader)
        if len(answer) == 32 and context is not None:
            await start_tls(reader, writer, context)
            sequence, answer = await read(reader)
        proof = answer[32:].partition(b"\0")[2][1:33]
        sha = hashlib.sha256
        once = sha(PASSWORD.encode()).digest()
        mask = sha(sha(once).digest() + SCRAMBLE).digest()
        heard.append(bytes(a ^ b for a, b in zip(proof, mask, strict=True)))
        if known:
            right = heard[-1] == once
            writer.write(packet(sequence + 1, b"\x01\x03") + packet(sequence + 2, bytes(7)) if right else b"")
        else:
            writer.write(packet(sequence + 1, b"\x01\x04"))
            sequence, answer = await read(reader)
            heard.append(answer)
            writer.write(packet(sequence + 1, b"\xff\x15\x04#28000enough"))
        await reader.read()

    return handler


def test_a_server_that_knows_the_password_takes_its_hash(run: Run, servers: Servers) -> None:
    heard: list[bytes] = []
    settings = Settings(host="127.0.0.1", port=servers.start(newer_server(True, heard)), password=PASSWORD)
    outcome = run(probe(settings, 0.3))
    assert heard == [hashlib.sha256(PASSWORD.encode()).digest()]
    assert "timed out" in outcome.summary  # it lets us in and says nothing more


def test_the_password_itself_is_sent_over_tls_only(
    check: Probing, servers: Servers, authority: Authority
) -> None:
    heard: list[bytes] = []
    outcome = check(servers.start(newer_server(False, heard)), password=PASSWORD)
    assert "only sent over TLS; set tls: true" in outcome.summary
    server = newer_server(False, heard, authority.server("127.0.0.1"))
    outcome = check(servers.start(server), password=PASSWORD, tls=True, ca_file=authority.ca_file)
    assert outcome.summary.endswith(": enough; check the credentials")
    assert heard[-1] == PASSWORD.encode() + b"\0"
    assert "tls" in outcome.phases


def test_a_server_without_tls_is_not_trusted_with_anything(check: Probing, port: int) -> None:
    outcome = check(port, username="root", tls=True)
    assert outcome.status is Status.FAILING
    assert "the server offers no TLS" in outcome.summary or "certificate" in outcome.summary


class Recited:
    """A conversation with a server that says these packets, whatever it is asked; ``taken`` bytes of them were read."""

    def __init__(self, packets: Iterable[bytes]) -> None:
        self._said = b"".join(packet(number & 255, payload) for number, payload in enumerate(packets, 1))
        self.taken = 0

    def say(self, data: bytes) -> None:
        pass

    async def exactly(self, count: int) -> bytes:
        self.taken += count
        return self._said[self.taken - count : self.taken]


def described(name: bytes) -> bytes:
    """A column of this name as the server describes it."""
    return b"\x03def\0\0\0" + b"\xfd" + len(name).to_bytes(3, "little") + name


END = b"\xfe\0\0\0\0"


def answered(run: Run, *packets: bytes) -> tuple[Answer, int]:
    """What is made of the answer to a statement, and how many bytes of it were read."""
    recited = Recited(packets)
    answer = run(Session(Check(), cast("Talk", recited)).ask("SELECT"))
    return answer, recited.taken


def test_columns_with_endless_names_are_not_held(run: Run) -> None:
    with pytest.raises(OtherProtocol, match="not as MySQL would"):
        answered(run, b"\x14", *[described(b"n" * 500_000)] * 20, END, END)


def test_rows_are_held_up_to_a_limit_and_the_rest_is_not(run: Run) -> None:
    row = b"\xfd" + (300_000).to_bytes(3, "little") + b"x" * 300_000
    answer, taken = answered(run, b"\1", described(b"n"), END, *[row] * 20, END)
    assert (answer.cut, len(answer.rows), answer.columns) == (True, 3, ["n"])
    assert taken < 5 * len(row)


def test_an_answer_that_is_not_long_is_whole(run: Run) -> None:
    answer, _ = answered(run, b"\1", described(b"n"), END, b"\1a", b"\xfb", END)
    assert (answer.cut, answer.rows) == (False, [["a"], [None]])
