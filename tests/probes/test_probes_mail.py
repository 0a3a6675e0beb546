"""Mail server checks: three protocols, in the clear, over TLS and going over to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from probe_certificates import Authority
from probe_servers import Handler, Run, Servers, floods, says
from pydantic import ValidationError

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.mail import SHOWN, Settings, probe

Probing = Callable[..., Outcome]

GREETINGS = {
    "smtp": b"220-mail.example.com\r\n220 ESMTP ready\r\n",
    "imap": b"* OK IMAP4rev2 ready\r\n",
    "pop3": b"+OK POP3 ready\r\n",
}
ANSWERS = {
    b"EHLO": b"250-mail.example.com\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n",
    b"STARTTLS": b"220 go ahead\r\n",
    b"w1": b"* CAPABILITY IMAP4rev2 STARTTLS IDLE AUTH=PLAIN\r\nw1 OK done\r\n",
    b"w2": b"w2 OK go ahead\r\n",
    b"CAPA": b"+OK\r\nTOP\r\nUIDL\r\nSTLS\r\n.\r\n",
    b"STLS": b"+OK go ahead\r\n",
}


def mail_server(protocol: str, upgrade: ssl.SSLContext | None = None, also: bytes = b"") -> Handler:
    """A server of one protocol that goes over to TLS with ``upgrade``, having said ``also`` in the clear."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETINGS[protocol])
        while line := await reader.readline():
            word = line.split()[0]
            if word in (b"QUIT", b"w3"):
                return
            starts = word in (b"STARTTLS", b"w2", b"STLS")
            writer.write(ANSWERS[word] + (also if starts else b""))
            await writer.drain()
            if starts and upgrade is not None:
                await writer.start_tls(upgrade)

    return handler


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe a port of this machine with some settings."""

    def check(port: int, timeout: float = 5, **settings: Any) -> Outcome:
        outcome = run(probe(Settings(**{"host": "127.0.0.1", "port": port, **settings}), timeout))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


@pytest.mark.parametrize("protocol", GREETINGS)
def test_a_server_that_greets_is_ok(check: Probing, servers: Servers, protocol: str) -> None:
    port = servers.start(mail_server(protocol))
    outcome = check(port, protocol=protocol)
    assert outcome.status is Status.OK, outcome.summary
    assert outcome.summary.startswith(f"{protocol.upper()} server at 127.0.0.1:{port} answered in ")
    assert outcome.facts["banner"]
    assert set(outcome.phases) == {"connect", "first_byte", "transfer"}


@pytest.mark.parametrize("protocol", GREETINGS)
def test_a_server_goes_over_to_tls(
    check: Probing, servers: Servers, authority: Authority, protocol: str
) -> None:
    port = servers.start(mail_server(protocol, authority.server("127.0.0.1", days=100)))
    outcome = check(port, protocol=protocol, starttls=True, ca_file=authority.ca_file)
    assert outcome.status is Status.OK, outcome.summary
    assert "answered over TLS in" in outcome.summary
    assert outcome.metrics["certificate_days_left"] == pytest.approx(100, abs=1)
    assert set(outcome.phases) == {"connect", "tls", "first_byte", "transfer"}


@pytest.mark.parametrize("protocol", GREETINGS)
def test_a_connection_may_begin_with_tls(
    check: Probing, servers: Servers, authority: Authority, protocol: str
) -> None:
    port = servers.start(mail_server(protocol), authority.server("127.0.0.1", days=5))
    outcome = check(port, protocol=protocol, tls=True, ca_file=authority.ca_file)
    assert outcome.status is Status.DEGRADED
    assert "certificate expires in 4 days" in outcome.summary


@pytest.mark.parametrize("protocol", GREETINGS)
def test_a_certificate_that_is_not_trusted_fails(
    check: Probing, servers: Servers, authority: Authority, protocol: str
) -> None:
    port = servers.start(mail_server(protocol, authority.server("127.0.0.1")))
    outcome = check(port, protocol=protocol, starttls=True)
    assert outcome.status is Status.FAILING
    assert outcome.summary.startswith(f"127.0.0.1:{port}: certificate not trusted: ")


@pytest.mark.parametrize("protocol", GREETINGS)
def test_words_said_before_tls_are_not_believed(
    check: Probing, servers: Servers, authority: Authority, protocol: str
) -> None:
    server = mail_server(protocol, authority.server("127.0.0.1"), also=b"250 injected\r\n")
    outcome = check(servers.start(server), protocol=protocol, starttls=True, ca_file=authority.ca_file)
    assert outcome.status is Status.FAILING
    assert "spoke on before TLS began" in outcome.summary


def test_abilities_that_are_missing_are_named(check: Probing, servers: Servers) -> None:
    port = servers.start(mail_server("imap"))
    assert check(port, protocol="imap", expect=["idle", "AUTH", "PLAIN"]).status is Status.OK
    outcome = check(port, protocol="imap", expect=["IDLE", "QUOTA", "SORT"])
    assert outcome.summary == f"127.0.0.1:{port} does not list QUOTA, SORT"


def test_a_long_line_is_judged_to_its_end_and_its_beginning_is_shown(
    check: Probing, servers: Servers
) -> None:
    many = [f"X-ABILITY-{number}" for number in range(300)]
    wordy = "w" * 1000
    listed = f"* CAPABILITY {wordy} {' '.join(many)} QUOTA\r\nw1 OK done\r\n"
    port = servers.start(says(f"* OK {wordy}\r\n{listed}".encode()))
    outcome = check(port, protocol="imap", expect=["QUOTA", many[-1]])
    assert outcome.status is Status.OK, outcome.summary
    assert outcome.facts["banner"] == f"* OK {wordy}"[: SHOWN - 1] + "…"
    assert outcome.facts["abilities"] == [wordy[: SHOWN - 1] + "…", *many[:49]]
    assert "does not list SORT" in check(port, protocol="imap", expect=["SORT"]).summary


def test_a_pop_server_without_capa_is_ok(check: Probing, servers: Servers) -> None:
    outcome = check(servers.start(says(b"+OK hi\r\n-ERR what\r\n")), protocol="pop3")
    assert outcome.status is Status.OK, outcome.summary


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (says(b"554 no \x1b[31mmail here\r\n"), "the server refuses the connection: 554 no mail here"),
        (says(b"220 hi\r\n250-a\r\n421 too busy\r\n"), "the server refuses EHLO: 421 too busy"),
        (floods(b"", b"220-on and on\r\n"), "more than 100 lines while waiting for the greeting of"),
        (floods(b"", b"a" * 65536), "more than 8 KiB without an end while waiting for the greeting of"),
    ],
)
def test_what_comes_instead_is_told(check: Probing, servers: Servers, handler: Any, words: str) -> None:
    outcome = check(servers.start(handler), protocol="smtp")
    assert outcome.status is Status.FAILING
    assert words in outcome.summary


def test_tls_and_starttls_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="not both"):
        Settings(host="a", protocol="smtp", tls=True, starttls=True)
