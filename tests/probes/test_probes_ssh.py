"""SSH checks: servers that identify themselves, talk first, or are something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from probe_servers import Run, Servers, echo, says

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.ssh import Settings, probe

Probing = Callable[..., Outcome]


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe a port of this machine with some settings."""

    def check(port: int, **settings: Any) -> Outcome:
        outcome = run(probe(Settings(host="127.0.0.1", port=port, **settings), 5))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


def test_a_server_that_identifies_itself_is_ok(check: Probing, servers: Servers) -> None:
    port = servers.start(says(b"Authorised use only\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"))
    outcome = check(port, expect="OpenSSH")
    assert outcome.status is Status.OK
    assert outcome.summary.startswith(f"SSH-2.0-OpenSSH_9.2p1 Debian-2 at 127.0.0.1:{port} answered in")


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (says(b"SSH-1.5-old\r\n"), "it does not speak SSH 2"),
        (says(b"SSH-2.0-dropbear\r\n"), "the identification lacks 'OpenSSH'"),
        (says(b"hello\r\n" * 30), "no identification of an SSH server in 20 lines"),
        (
            says(b"SSH-2.0-" + b"a" * 2000),
            "more than 1 KiB without an end while waiting for the identification",
        ),
        (echo, "only repeats what it is told"),
    ],
)
def test_what_is_wrong_is_told(check: Probing, servers: Servers, handler: Any, words: str) -> None:
    outcome = check(servers.start(handler), expect="OpenSSH")
    assert outcome.status is Status.FAILING
    assert words in outcome.summary
