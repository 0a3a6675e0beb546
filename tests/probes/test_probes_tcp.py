"""TCP checks: ports that accept, talk, talk nonsense or fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from probe_certificates import Authority
from probe_servers import (
    Run,
    Servers,
    closed_port,
    echo,
    floods,
    full_backlog,
    hears_and_hangs_up,
    resets,
    says,
    silent,
)
from pydantic import ValidationError

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.tcp import READ_LIMIT, Settings, probe

Probing = Callable[..., Outcome]


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe a port of this machine with some settings."""

    def check(port: int, timeout: float = 5, **settings: Any) -> Outcome:
        outcome = run(probe(Settings(**{"host": "127.0.0.1", "port": port, **settings}), timeout))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def test_a_port_that_accepts_is_ok(check: Probing, servers: Servers) -> None:
    port = servers.start(silent)
    outcome = check(port)
    assert outcome.status is Status.OK
    assert outcome.summary.startswith(f"127.0.0.1:{port} accepts connections in ")
    assert set(outcome.phases) == {"connect"}
    assert outcome.latency == pytest.approx(sum(outcome.phases.values()))


def test_what_is_expected_may_come_in_pieces(check: Probing, servers: Servers) -> None:
    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"PING\r\n"
        for byte in b"noise +PO+PONG\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await silent(reader, writer)

    outcome = check(servers.start(in_pieces), send="PING\r\n", expect="+PONG")
    assert outcome.status is Status.OK
    assert set(outcome.phases) == {"connect", "first_byte", "transfer"}
    assert str(outcome.facts["banner"]).startswith("noise +PO+PONG")


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (hears_and_hangs_up, "connection closed by the other side before the expected text came"),
        (says(b"554 go \x1b[31maway\r\n"), "before the expected text came; it said: 554 go away"),
        (resets, "reset by the other side before the expected text came"),
        (floods(b"", b"a" * 65_536), "the expected text is not in the first 64 KiB; it said: aaaa"),
    ],
)
def test_what_comes_instead_is_told(check: Probing, servers: Servers, handler: Any, words: str) -> None:
    outcome = check(servers.start(handler), send="HELO\r\n", expect="220 ")
    assert outcome.status is Status.FAILING
    assert words in outcome.summary


def test_text_just_within_the_limit_is_found(check: Probing, servers: Servers) -> None:
    port = servers.start(says(b"x" * (READ_LIMIT - 3) + b"end"))
    assert check(port, expect="end").status is Status.OK
    port = servers.start(says(b"x" * (READ_LIMIT - 2) + b"end"))
    assert check(port, expect="end").status is Status.FAILING


def test_an_echoed_secret_is_not_shown(check: Probing, servers: Servers) -> None:
    outcome = check(servers.start(echo), send="AUTH hunter22-and-more\r\n", expect="\r\n")
    assert outcome.status is Status.OK
    assert outcome.facts["banner"] == "***"
    outcome = check(
        servers.start(says(b"bad password hunter22-and-more")), send="AUTH hunter22-and-more\r\n", expect="ok"
    )
    assert outcome.summary.endswith("it said: bad password ***")


def test_over_tls(check: Probing, servers: Servers, authority: Authority) -> None:
    port = servers.start(echo, authority.server("127.0.0.1"))
    settings = {"tls": True, "send": "hello", "expect": "hello"}
    outcome = check(port, ca_file=authority.ca_file, **settings)
    assert outcome.status is Status.OK
    assert "tls" in outcome.phases
    assert isinstance(outcome.facts["certificate"], dict)
    assert check(port, **settings).summary.startswith("certificate not trusted: ")
    assert check(port, verify=False, **settings).status is Status.OK


def test_a_banner_over_tls_that_comes_with_the_handshake(
    check: Probing, servers: Servers, authority: Authority
) -> None:
    port = servers.start(says(b"220 ready\r\n"), authority.server("127.0.0.1"))
    for _ in range(5):
        outcome = check(port, tls=True, ca_file=authority.ca_file, expect="220 ready")
        assert outcome.status is Status.OK, outcome.summary


def test_slowness_is_judged(check: Probing, servers: Servers) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(b"ready")
        await silent(reader, writer)

    port = servers.start(slow)
    assert check(port, expect="ready", degraded_after="40ms").status is Status.DEGRADED
    outcome = check(port, expect="ready", degraded_after="10ms", failing_after="40ms")
    assert outcome.status is Status.FAILING
    assert outcome.summary.endswith("limit 40 ms")


def test_nobody_at_home(check: Probing) -> None:
    port = closed_port()
    assert check(port).summary == f"connection refused while connecting to 127.0.0.1:{port}"
    with full_backlog() as port:
        assert (
            check(port, timeout=0.2).summary == f"timed out after 200 ms while connecting to 127.0.0.1:{port}"
        )


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"host": "exa mple"}, "a host is a name"),
        ({"host": ""}, "a host is a name"),
        ({"host": "a" * 64}, "a host is a name"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"port": 65_536}, "less than or equal to 65535"),
        ({"expect": ""}, "at least 1 character"),
    ],
)
def test_mistakes_are_named(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(**{"host": "example.com", "port": 1, **written})


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("Example.COM", "example.com"),
        ("[::1]", "::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("bücher.de", "xn--bcher-kva.de"),
    ],
)
def test_hosts_are_taken_in_their_usual_forms(written: str, host: str) -> None:
    assert Settings(host=written, port=1).host == host
