"""Ping checks: this machine answers, and what is said where pinging is not permitted."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_servers import Run

from watchfloor.domain.outcome import Status
from watchfloor.probes import ping
from watchfloor.probes.checking import Fault
from watchfloor.probes.ping import Settings, probe


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_answers(run: Run, address: str) -> None:
    try:
        ping.Echo(address).__exit__()
    except (Fault, OSError) as why:
        pytest.skip(f"cannot ping {address} here: {why}")
    outcome = run(probe(Settings(host=address, count=3, interval="10ms"), 5))
    assert outcome.status is Status.OK
    assert outcome.summary.startswith(f"{address} answered 3 of 3 pings")
    assert outcome.metrics["loss_percent"] == 0
    assert outcome.latency == outcome.metrics["round_trip_seconds"] < 1


def test_half_of_them_lost_is_degraded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(self: ping.Echo, number: int, patience: float) -> float | None:
        return None if number % 2 else 0.25

    monkeypatch.setattr(ping.Echo, "__init__", lambda self, address: None)
    monkeypatch.setattr(ping.Echo, "__exit__", lambda *_: None)
    monkeypatch.setattr(ping.Echo, "ask", ask)
    settings = Settings(host="127.0.0.1", count=4, interval="10ms", failing_after="200ms")
    outcome = run(probe(settings, 5))
    assert outcome.status is Status.FAILING
    assert "50 % of the pings were lost (limit 30 %); took 250 ms, limit 200 ms" in outcome.summary


def test_where_pinging_is_not_permitted_the_remedy_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def refusing(family: int = -1, kind: int = -1, protocol: int = -1, *more: Any) -> socket.socket:
        if protocol == socket.IPPROTO_ICMP:
            raise PermissionError(1, "Operation not permitted")
        return real(family, kind, protocol, *more)

    monkeypatch.setattr(ping.socket, "socket", refusing)
    outcome = run(probe(Settings(host="127.0.0.1"), 5))
    assert outcome.status is Status.UNKNOWN
    assert "may not ping: let it with sysctl net.ipv4.ping_group_range" in outcome.summary
    assert "CAP_NET_RAW" in outcome.summary


@given(st.binary(min_size=2, max_size=40).filter(lambda data: len(data) % 2 == 0))
def test_with_its_checksum_a_packet_sums_up_to_nothing(data: bytes) -> None:
    packet = data + ping._checksum(data).to_bytes(2, "big")
    assert ping._checksum(packet) == 0


@given(st.binary(max_size=80), st.booleans(), st.booleans())
def test_a_strangers_packet_is_no_answer(packet: bytes, raw: bool, six: bool) -> None:
    echo = ping.Echo.__new__(ping.Echo)
    echo._raw, echo._six, echo._id, echo._token = raw, six, 7, b"a-token-of-ours!"
    assert not echo._answers(packet, 3)
