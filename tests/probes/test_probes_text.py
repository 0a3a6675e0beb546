"""Words of checks: safe, secretless, with units; and errors of the system in plain words."""

from __future__ import annotations

import asyncio
import errno
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.text import one_line
from watchfloor.probes.checking import Check, Fault, blame, conduct, reason
from watchfloor.probes.text import days, safe_line, seconds, size, spoken_secrets


@given(st.text(), st.text(min_size=6, max_size=20), st.text(), st.integers(min_value=20, max_value=300))
def test_no_secret_survives(before: str, secret: str, after: str, limit: int) -> None:
    hidden = spoken_secrets([secret])
    line = safe_line(before + secret + after, hidden, limit)
    assert len(line) <= limit
    assert all(each not in line for each in hidden if "*" not in each)


def test_a_secret_with_control_characters_strewn_in_is_found() -> None:
    assert safe_line("token hun\x00ter\x1b[1m22!", ["hunter22"]) == "token ***!"
    assert safe_line(b"token hunter22", ["hunter22"]) == "token ***"


def test_a_secret_is_never_cut_in_two() -> None:
    for padding in range(180, 210):
        assert "hunter" not in safe_line("x" * padding + "hunter22-hunter22", ["hunter22-hunter22"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0004, "0.4 ms"),
        (0.0123, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1.2345, "1.23 s"),
        (300, "300 s"),
    ],
)
def test_seconds(value: float, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (1023, "1023 bytes"), (65_536, "64 KiB"), (1_572_864, "1.5 MiB")]
)
def test_size(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(20.9, "20 days"), (1.5, "1 day"), (0.5, "12 hours"), (0.05, "1 hour"), (0.01, "under an hour")],
)
def test_days(value: float, words: str) -> None:
    assert days(value) == words


@pytest.mark.parametrize(
    ("error", "words", "status"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused", Status.FAILING),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to the host", Status.FAILING),
        (OSError(errno.ENOTCONN, "x"), "transport endpoint is not connected", Status.FAILING),
        (
            OSError(errno.EMFILE, "x"),
            "this node has too many open files; raise its limit (ulimit -n)",
            Status.UNKNOWN,
        ),
        (OSError(errno.EADDRNOTAVAIL, "x"), "this node has no free local address or port", Status.UNKNOWN),
        (ConnectionResetError("Connection lost"), "connection lost", Status.FAILING),
        (TimeoutError(), "TimeoutError", Status.FAILING),
    ],
)
def test_errors_of_the_system_in_words(error: OSError, words: str, status: Status) -> None:
    assert (reason(error), blame(error)) == (words, status)


def test_errors_of_tls_in_words() -> None:
    with pytest.raises(ssl.SSLError) as caught:
        _refuse_a_hello()
    assert reason(caught.value) == "TLS error: wrong version number"


def _refuse_a_hello() -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(b"220 this is no TLS\r\n")
    ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="x.test").do_handshake()


def test_an_error_of_the_system_says_what_was_being_done() -> None:
    check = Check()

    async def work() -> Outcome:
        check.doing = "connecting to example.com:80"
        raise OSError(errno.ETIMEDOUT, "the kernel's, not ours")

    outcome = asyncio.run(conduct(check, 5, work()))
    assert outcome.summary == "connection timed out while connecting to example.com:80"


def test_a_fault_keeps_its_status_and_facts() -> None:
    async def work() -> Outcome:
        raise Fault("no \x1b[31mway", Status.UNKNOWN, {"a": 1})

    outcome = asyncio.run(conduct(Check(), 5, work()))
    assert (outcome.status, outcome.summary, outcome.facts) == (Status.UNKNOWN, "no way", {"a": 1})


def test_phases_of_several_hops_add_up() -> None:
    check = Check()
    for _ in range(2):
        check.spent("connect", check.started)
    check.received(check.started + 10, check.started)  # it spoke before it was asked
    assert check.phases["first_byte"] == 0
    assert check.latency == sum(check.phases.values())


@given(st.text())
def test_summaries_are_one_safe_line(text: str) -> None:
    summary = Check().outcome(Status.OK, text).summary
    assert summary == one_line(text)
