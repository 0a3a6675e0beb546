"""Ping checks: does a machine answer ICMP echo requests, how fast, how many are lost.

Sent through a datagram socket where the system allows that to us, else through a raw one, which needs a
privilege. This module must never wait for an answer in a thread, nor start the program ping.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from time import perf_counter
from typing import Annotated

from pydantic import Field

from watchfloor.config.fields import DurationField, Seconds
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import resolve
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import Limits, TimedSettings
from watchfloor.probes.net import Host, ready
from watchfloor.probes.text import seconds

_SHARE = 0.9
"""The part of the time limit that may be spent on waiting for answers."""
_READ = 4096
_REFUSED = (
    "this process may not ping: let it with sysctl net.ipv4.ping_group_range='0 2147483647', or give it "
    "CAP_NET_RAW"
)


class Settings(TimedSettings):
    """A machine that must answer pings; the time it takes is the average of those answered."""

    host: Host = Field(description="The host name or address.")
    count: int = Field(3, ge=1, le=20, description="How many pings one check sends.")
    interval: Annotated[float, DurationField("10ms", "5s")] = Field(
        Seconds(0.2), description="The time between two of them, at least."
    )
    loss: Limits = Field(Limits(degraded=30, failing=100), description="Pings not answered, in percent.")


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Send the pings and judge what comes back within ``timeout`` seconds."""
    check = Check()
    return await conduct(check, timeout, _ping(settings, check, timeout))


async def _ping(settings: Settings, check: Check, timeout: float) -> Outcome:
    check.doing = f"resolving {settings.host}"
    address = (await resolve.current().addresses(settings.host, check.left))[0]
    check.doing = f"pinging {settings.host}"
    took: list[float] = []
    with Echo(address) as echo:
        for number in range(settings.count):
            left = timeout * _SHARE - (perf_counter() - check.started)
            sent = perf_counter()
            answered = await echo.ask(number, max(0.001, left / (settings.count - number)))
            if answered is not None:
                took.append(answered)
            pause = settings.interval - (perf_counter() - sent)
            if number + 1 < settings.count and pause > 0:
                await asyncio.sleep(min(pause, max(0.0, left / 2)))
    return _judge(settings, check, address, took)


def _judge(settings: Settings, check: Check, address: str, took: list[float]) -> Outcome:
    findings = Findings(check, heard=False)
    lost = 100.0 * (settings.count - len(took)) / settings.count
    findings.limit(settings.loss, lost, "{:.0f} % of the pings were lost (limit {:g} %)")
    metrics, facts = {"loss_percent": lost}, {"address": address}
    if not took:
        return findings.outcome(f"{settings.host} does not answer", metrics=metrics, facts=facts)
    average = sum(took) / len(took)
    check.phases["first_byte"] = average
    metrics |= {"round_trip_seconds": average, "round_trip_max_seconds": max(took)}
    jitter = f", at most {seconds(max(took))}" if len(took) > 1 else ""
    return findings.outcome(
        f"{settings.host} answered {len(took)} of {settings.count} pings{jitter},", speed=settings, metrics=metrics,
        facts=facts,
    )  # fmt: skip


class Echo:
    """A socket for echo requests to one address; close it in any case (RFC 792, RFC 4443)."""

    def __init__(self, address: str) -> None:
        """Raises `Fault` when this process may not ping."""
        self._six = ":" in address
        self._socket, self._raw = _open(self._six)
        self._socket.setblocking(False)
        self._id = int.from_bytes(os.urandom(2), "big")
        self._token = os.urandom(16)
        try:
            self._socket.connect((address, 0))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def ask(self, number: int, patience: float) -> float | None:
        """Send one request and return the seconds until its answer; None when ``patience`` seconds pass."""
        kind = 128 if self._six else 8
        body = struct.pack(">HH", self._id, number) + self._token
        sent = perf_counter()
        self._socket.send(
            struct.pack(">BBH", kind, 0, _checksum(struct.pack(">BBH", kind, 0, 0) + body)) + body
        )
        try:
            async with asyncio.timeout(patience):
                while True:
                    await ready(self._socket.fileno())
                    try:
                        if self._answers(self._socket.recv(_READ), number):
                            return perf_counter() - sent
                    except BlockingIOError:
                        continue
        except TimeoutError:
            return None

    def _answers(self, packet: bytes, number: int) -> bool:
        """Whether a packet answers the request of this number; a raw socket hears everybody's."""
        if self._raw and not self._six:
            packet = packet[(packet[0] & 15) * 4 :] if packet else b""
        if len(packet) < 8 or packet[0] != (129 if self._six else 0):
            return False
        # Behind a datagram socket the system has put an id of its own, and sorts answers by it.
        own = not self._raw or packet[4:6] == struct.pack(">H", self._id)
        return own and packet[6:8] == struct.pack(">H", number) and packet[8:24] == self._token


def _open(six: bool) -> tuple[socket.socket, bool]:
    """Return a socket for ICMP and whether it is a raw one. Raises `Fault` when neither is permitted."""
    family = socket.AF_INET6 if six else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol), kind == socket.SOCK_RAW
        except PermissionError:
            continue
    raise Fault(_REFUSED, Status.UNKNOWN)


def _checksum(data: bytes) -> int:
    """The Internet checksum of data of even length (RFC 1071); of ICMPv6 the system computes it anew."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
