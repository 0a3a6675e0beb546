"""Peers that mean harm: whatever they send, a check ends in time, keeps little, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import dns.flags
import dns.message
import dns.rrset
import pytest
from probe_certificates import Authority
from probe_servers import Run, Servers, floods, http_answer

from watchfloor.config.kinds import probe_kinds
from watchfloor.domain.outcome import Outcome, Status

KINDS = probe_kinds()
HEAVY_MB = 150
"""More memory than this no peer may cost; a bomb of a gigabyte would."""

Probing = Callable[..., Outcome]


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe with a kind and some settings, and hold the memory that it cost to a limit."""

    def check(kind: str, timeout: float = 20, **settings: Any) -> Outcome:
        before = _peak_mb()
        outcome = run(KINDS[kind].run(KINDS[kind].settings(**settings), timeout))
        assert isinstance(outcome, Outcome)
        assert _peak_mb() - before < HEAVY_MB
        assert len(outcome.summary) <= 1000
        assert len(str(outcome.facts)) < 200_000
        return outcome

    return check


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class TestTls:
    def test_a_certificate_of_a_thousand_names_is_judged(
        self, check: Probing, servers: Servers, authority: Authority
    ) -> None:
        many = [f"host-{number}.{'a' * 50}.example.com" for number in range(1000)]

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        port = servers.start(silent, authority.server("127.0.0.1", *many))
        for kind in ("tls", "tcp"):
            settings = {"tls": True} if kind == "tcp" else {}
            outcome = check(kind, host="127.0.0.1", port=port, ca_file=authority.ca_file, **settings)
            assert outcome.status is Status.OK, outcome.summary

    def test_a_thousand_names_of_which_none_is_ours_are_not_all_told(
        self, check: Probing, servers: Servers, authority: Authority
    ) -> None:
        many = [f"host-{number}.example.com" for number in range(1000)]
        port = servers.answering(http_answer(b"ok"), authority.server(*many))
        outcome = check("http", url=f"https://127.0.0.1:{port}/", ca_file=authority.ca_file)
        assert outcome.status is Status.FAILING
        assert "host-999" not in outcome.summary


def _sixty_four_kilobytes(question: dns.message.Message) -> bytes:
    made = dns.message.make_response(question)
    name = question.question[0].name
    texts = [f'"{number:04d}{"x" * 200}"' for number in range(300)]
    made.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *texts))
    wire = made.to_wire(max_size=65_535)
    assert len(wire) > 60_000
    return wire


class TestDns:
    def test_an_answer_of_64_kilobytes_is_read_and_kept_short(self, check: Probing, servers: Servers) -> None:
        async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            (length,) = struct.unpack(">H", await reader.readexactly(2))
            said = _sixty_four_kilobytes(dns.message.from_wire(await reader.readexactly(length)))
            writer.write(struct.pack(">H", len(said)) + said)
            await reader.read()

        port = _on_one_port(servers, over_tcp)
        outcome = check("dns", domain="big.example.com", type="TXT", resolver="127.0.0.1", port=port)
        assert outcome.status is Status.OK, outcome.summary
        assert len(outcome.facts["answers"]) <= 50  # type: ignore[arg-type]

    @pytest.mark.parametrize("promised", [65_535, 12])
    def test_an_answer_that_does_not_keep_its_length_is_over_in_time(
        self, check: Probing, servers: Servers, promised: int
    ) -> None:
        async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(2)
            writer.write(struct.pack(">H", promised) + bytes(2000))
            await reader.read()

        port = _on_one_port(servers, over_tcp)
        outcome = check("dns", 1, domain="a.example.com", resolver="127.0.0.1", port=port)
        assert outcome.status is Status.FAILING


def _on_one_port(servers: Servers, over_tcp: Any) -> int:
    """A name server whose port is free for UDP as well, which another program may have just then."""
    while True:
        port = servers.start(over_tcp)
        try:
            servers.call(_cut_over_udp(port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return port


async def _cut_over_udp(port: int) -> int:
    """A name server on UDP that says: ask over TCP."""

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            made = dns.message.make_response(dns.message.from_wire(data))
            made.flags |= dns.flags.TC
            self.transport.sendto(made.to_wire(), addr)

    await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", port))
    return 0


def _alive_with(mark: str) -> set[str]:
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.add(pid)
        except OSError:
            continue  # it has ended
    return found


class TestPlugins:
    def test_one_that_prints_a_gigabyte_is_ended(self, check: Probing) -> None:
        outcome = check("command", command=["head", "-c", "1G", "/dev/zero"])
        assert (outcome.status, outcome.summary) == (Status.UNKNOWN, "the program writes more than 1 MiB")

    def test_one_line_that_never_ends_is_ended(self, check: Probing) -> None:
        outcome = check("command", command=["sh", "-c", "yes x | tr -d '\\n'"])
        assert outcome.status is Status.UNKNOWN

    @pytest.mark.parametrize(
        "script",
        [
            "i=0; while [ $i -lt 100 ]; do sleep 600 & i=$((i+1)); done; wait",
            "i=0; while [ $i -lt 50 ]; do setsid sh -c 'sleep 600; true' & i=$((i+1)); done; wait",
            "i=0; while [ $i -lt 30 ]; do (setsid sh -c 'trap \"\" TERM; sleep 600; true' &) ; i=$((i+1)); done; yes",
        ],
    )
    def test_one_that_forks_many_children_leaves_none(self, check: Probing, run: Run, script: str) -> None:
        mark = f"hostile-{uuid4()}"
        outcome = check("command", 3, command=["sh", "-c", script], env={"TEST_MARK": mark})
        assert outcome.status in (Status.FAILING, Status.UNKNOWN)

        async def gone() -> None:
            async with asyncio.timeout(20):
                while _alive_with(mark):
                    await asyncio.sleep(0.05)

        run(gone())


class TestHttp:
    def test_a_bomb_of_a_gigabyte_costs_little(self, check: Probing, servers: Servers) -> None:
        inner = gzip.compress(bytes(1_000_000), 9) * 1000
        answer = http_answer(gzip.compress(inner, 9), "200 OK", "Content-Encoding: gzip, gzip")
        outcome = check(
            "http", url=f"http://127.0.0.1:{servers.answering(answer)}/", body_contains=["wanted"]
        )
        assert outcome.status is Status.FAILING

    def test_chunks_of_one_byte_for_ever_are_over_in_time(self, check: Probing, servers: Servers) -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"1;" + b"x" * 100 + b"\r\na\r\n")
                await writer.drain()

        outcome = check(
            "http", 3, url=f"http://127.0.0.1:{servers.start(handler)}/", body_contains=["wanted"]
        )
        assert outcome.status is Status.FAILING

    @pytest.mark.parametrize("body", [b"", b"2\r\nok\r\n"])
    @pytest.mark.parametrize("after", [b"0\r\nX: ", b"2;"])
    def test_what_follows_the_body_does_not_grow_for_ever(
        self, check: Probing, servers: Servers, body: bytes, after: bytes
    ) -> None:
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + after
        outcome = check("http", url=f"http://127.0.0.1:{servers.start(floods(answer, b'a' * 65_536))}/")
        assert (outcome.status, outcome.summary) == (
            Status.FAILING,
            "the answer has more than 64 KiB beside its body",
        )
