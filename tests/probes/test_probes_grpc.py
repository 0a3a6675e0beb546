"""gRPC checks against a health service over HTTP/2, healthy and not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from probe_certificates import Authority
from probe_servers import Handler, Run, Servers, silent

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.grpc import Settings, probe

Probing = Callable[..., Outcome]
Trailers = dict[str, str | bytes]
OK: Trailers = {"grpc-status": "0"}


def health(
    message: bytes, trailers: Trailers = OK, status: str = "200", asked: list[bytes] | None = None
) -> Handler:
    """A server that answers every call with a message and trailers."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived) and asked is not None:
                    asked.append(event.data)
                if isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(1, [(":status", status), ("content-type", "application/grpc")])
                    connection.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message)
                    connection.send_headers(1, list(trailers.items()), end_stream=True)
            writer.write(connection.data_to_send())

    return handler


@pytest.fixture
def check(run: Run) -> Probing:
    """Probe a port of this machine with some settings."""

    def check(port: int, **settings: Any) -> Outcome:
        outcome = run(probe(Settings(host="127.0.0.1", port=port, **settings), 5))
        assert isinstance(outcome, Outcome)
        return outcome

    return check


@pytest.mark.parametrize(
    ("handler", "status", "words"),
    [
        (health(b"\x08\x01"), Status.OK, "is SERVING in "),
        (health(b"\x08\x02"), Status.FAILING, "is NOT_SERVING in"),
        (health(b""), Status.FAILING, "is UNKNOWN in"),
        (health(b"\x08\x09"), Status.FAILING, "is UNKNOWN in"),
        (health(b"", {"grpc-status": "5"}), Status.FAILING, "does not know this service"),
        (health(b"", {"grpc-status": "12"}), Status.FAILING, "has no health service"),
        (
            health(b"", {"grpc-status": "14", "grpc-message": "over\x1b[31mloaded"}),
            Status.FAILING,
            "the call failed with status 14",
        ),
        (
            health(b"", {"grpc-status": "13", "grpc-message": b"gar\xe7on"}),
            Status.FAILING,
            "the call failed with status 13: gar",
        ),
        (health(b"\x08\x01", OK | {"x-served-by": b"\xff"}), Status.OK, "is SERVING in "),
        (health(b"\x08\x01", status="503"), Status.FAILING, "the server answers 503, expected 200"),
        (health(b"\x08\x01" * 200_000), Status.FAILING, ""),
    ],
)
def test_the_state_of_a_service_is_judged(
    check: Probing, servers: Servers, handler: Handler, status: Status, words: str
) -> None:
    outcome = check(servers.start(handler))
    assert outcome.status is status, outcome.summary
    assert words in outcome.summary


@pytest.mark.parametrize("name", ["shop.Cart", "s" * 200])
def test_a_service_is_asked_for_by_name(check: Probing, servers: Servers, name: str) -> None:
    asked: list[bytes] = []
    outcome = check(servers.start(health(b"\x08\x01", asked=asked)), service=name)
    assert outcome.status is Status.OK
    assert asked[0].endswith(name.encode())
    length = bytes((len(name),)) if len(name) < 128 else b"\xc8\x01"
    assert asked[0][5:] == b"\x0a" + length + name.encode()


def test_tls_agrees_on_http_2(check: Probing, servers: Servers, authority: Authority) -> None:
    context = authority.server("127.0.0.1", days=3)
    context.set_alpn_protocols(["h2"])
    outcome = check(servers.start(health(b"\x08\x01"), context), tls=True, ca_file=authority.ca_file)
    assert outcome.status is Status.DEGRADED
    assert "certificate expires in 2 days" in outcome.summary


def test_a_missing_library_is_told_with_its_remedy(
    check: Probing, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "h2"]:
        monkeypatch.setitem(sys.modules, name, None)
    outcome = check(servers.start(silent))
    assert (outcome.status, outcome.summary) == (
        Status.UNKNOWN,
        "gRPC needs the library h2; install watchfloor[grpc]",
    )
