"""Peers that are not what a check was told: the place is named, and what to do about it, within the time limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from probe_certificates import Authority
from probe_servers import Run, Servers, says, silent

from watchfloor.config.kinds import probe_kinds
from watchfloor.domain.outcome import Outcome, Status

KINDS = probe_kinds()
SPEAK_FIRST = ("kafka", "mqtt", "rabbitmq", "redis", "grpc", "websocket")
"""Kinds whose client speaks first; the others wait for a greeting."""

Asking = Callable[..., Outcome]


@pytest.fixture
def ask(run: Run) -> Asking:
    """Check a port of this machine with a kind."""

    def ask(kind: str, port: int, **settings: Any) -> Outcome:
        if kind == "websocket":
            tls = settings.pop("tls", False)
            where: dict[str, Any] = {"url": f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/"}
        else:
            where = {"host": "127.0.0.1", "port": port}
        outcome = run(KINDS[kind].run(KINDS[kind].settings(**where, **settings), 5))
        assert isinstance(outcome, Outcome)
        return outcome

    return ask


@pytest.mark.parametrize("kind", SPEAK_FIRST)
def test_a_port_that_wants_tls_and_says_so_is_told_with_the_remedy(
    ask: Asking, servers: Servers, kind: str
) -> None:
    port = servers.start(says(b"\x15\x03\x03\x00\x02\x02\x46"))
    outcome = ask(kind, port)
    assert outcome.status is Status.FAILING
    assert outcome.summary == (
        f"127.0.0.1:{port} speaks TLS, and was spoken to without; turn TLS on, or give its plain port"
    )


@pytest.mark.parametrize("kind", SPEAK_FIRST)
def test_a_server_that_hangs_up_on_plain_speech_may_want_tls(
    ask: Asking, servers: Servers, authority: Authority, kind: str
) -> None:
    port = servers.start(silent, authority.server("127.0.0.1"))  # OpenSSL closes without an alert
    outcome = ask(kind, port)
    assert outcome.status is Status.FAILING
    assert outcome.summary.endswith(
        f"while waiting for an answer from 127.0.0.1:{port}; it may want TLS: check port and TLS"
    )


@pytest.mark.parametrize("kind", SPEAK_FIRST)
def test_tls_to_a_plain_port_is_told_with_the_remedy(ask: Asking, servers: Servers, kind: str) -> None:
    port = servers.start(says(b"hello there, this is no TLS\r\n"))
    outcome = ask(kind, port, tls=True)
    assert outcome.status is Status.FAILING
    assert outcome.summary.endswith(
        f"negotiating TLS with 127.0.0.1:{port}; it does not speak TLS: give its TLS port, or turn TLS off"
    )


@pytest.mark.parametrize("kind", ["kafka", "mqtt", "rabbitmq", "redis", "nats", "mysql"])
def test_another_protocol_is_told_with_the_place(ask: Asking, servers: Servers, kind: str) -> None:
    port = servers.start(says(b"hello there, whoever you are, and welcome to the wrong port\r\n" * 3))
    outcome = ask(kind, port)
    assert outcome.status is Status.FAILING
    assert outcome.summary.startswith((f"127.0.0.1:{port}: ", f"MySQL at 127.0.0.1:{port}: "))
    assert outcome.summary.endswith("; check host and port")


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        (
            "mysql",
            b"\x1e\x00\x00\x00\xff\x15\x04#28000Access denied for you",
            "MySQL at {}: Access denied for you",
        ),
        ("redis", b"-WRONGPASS invalid pair\r\n", "{}: Redis refuses AUTH: WRONGPASS invalid pair"),
        (
            "nats",
            b"INFO {}\r\n-ERR 'Authorization Violation'\r\n",
            "{}: NATS refuses: 'Authorization Violation'",
        ),
        ("mqtt", b"\x20\x02\x00\x05", "the broker at {} refuses: not authorised"),
    ],
)
def test_a_refused_sign_in_says_what_to_check(
    ask: Asking, servers: Servers, kind: str, answer: bytes, words: str
) -> None:
    port = servers.start(says(answer))
    outcome = ask(kind, port, username="watch", password="not the right one")
    assert outcome.status is Status.FAILING
    assert outcome.summary == f"{words.format(f'127.0.0.1:{port}')}; check the credentials"
