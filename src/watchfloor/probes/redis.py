"""Redis checks (and Valkey, KeyDB): does it answer, is it short of memory, does replication work.

Speaks the protocol itself (RESP 2, redis.io/docs/latest/develop/reference/protocol-spec): AUTH, PING, INFO.
This module must never send a command that changes anything.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import SIGN_IN, Check, Fault, OtherProtocol, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import Limits
from watchfloor.probes.net import Port
from watchfloor.probes.peer import LoginSettings, Peer
from watchfloor.probes.talk import Talk
from watchfloor.probes.text import size

INFO_LIMIT = 256 * 1024
"""The longest answer to INFO that is read, in bytes."""

_METRICS = {
    "clients": "connected_clients",
    "blocked_clients": "blocked_clients",
    "memory_used_bytes": "used_memory",
    "memory_fragmentation": "mem_fragmentation_ratio",
    "operations_per_second": "instantaneous_ops_per_sec",
    "keys_evicted": "evicted_keys",
    "keys_expired": "expired_keys",
    "replicas": "connected_slaves",
    "uptime_seconds": "uptime_in_seconds",
}
"""Our names for figures of INFO."""


class Settings(LoginSettings):
    """A Redis server and how full it may be."""

    port: Port = Field(6379, description="The port.")
    role: Literal["master", "replica"] | None = Field(None, description="The role it must have.")
    memory: Limits = Field(
        Limits(degraded=80, failing=95), description="Used memory, in percent of maxmemory if that is set."
    )
    clients: Limits = Field(
        Limits(degraded=80, failing=95), description="Connected clients, in percent of maxclients."
    )
    replica_silence: Limits = Field(
        Limits(degraded=30, failing=120), description="Seconds since a replica last heard of its master."
    )


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Connect once, ask for the figures, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    peer = Peer.of(check, settings, timeout)
    async with peer.talk() as talk:
        if settings.secret:
            login = [settings.username, settings.secret] if settings.username else [settings.secret]
            await _command(check, talk, "AUTH", *login)
        if await _command(check, talk, "PING") != b"PONG":
            raise OtherProtocol(f"something answered at {peer.where}, but not as Redis would")
        info = _read_info(await _command(check, talk, "INFO"))
    return _judge(settings, check, peer, info)


async def _command(check: Check, talk: Talk, *words: str) -> bytes:
    """Send one command and return its answer, a short line or a text. Raises `Fault` for an error."""
    parts = [word.encode("utf-8", "replace") for word in words]
    talk.say(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    line = await talk.line()
    if line[:1] == b"+":
        return line[1:]
    if line[:1] == b"$" and line[1:].isdigit() and len(line) < 10 and int(line[1:]) <= INFO_LIMIT:
        return (await talk.exactly(int(line[1:]) + 2))[:-2]
    if line[:1] == b"-":
        remedy = SIGN_IN if line.startswith((b"-WRONGPASS", b"-NOAUTH", b"-ERR AUTH", b"-NOPERM")) else ""
        raise Fault(f"Redis refuses {words[0]}: {check.clean(line[1:], 90)}{remedy}")
    raise OtherProtocol(
        f"not an answer of Redis to {words[0]} of at most {size(INFO_LIMIT)}: {check.clean(line, 60)}"
    )


def _read_info(text: bytes) -> dict[str, str]:
    """Take the lines ``name:value`` apart."""
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def _number(info: dict[str, str], name: str) -> float | None:
    """Return a figure of INFO; None when it is missing or no plain number."""
    text = info.get(name, "")
    if len(text) > 30 or not text.replace(".", "", 1).isdigit() or not text.isascii():
        return None
    return float(text)


def _judge(settings: Settings, check: Check, peer: Peer, info: dict[str, str]) -> Outcome:
    findings = Findings(check)
    metrics = {ours: value for ours, name in _METRICS.items() if (value := _number(info, name)) is not None}
    role = "replica" if info.get("role") == "slave" else "master"
    if settings.role is not None and role != settings.role:
        findings.add(Status.FAILING, f"it is a {role}, expected a {settings.role}")
    used, most = _number(info, "used_memory"), _number(info, "maxmemory")
    if used is not None and most:
        metrics["memory_used_percent"] = percent = 100 * used / most
        findings.limit(settings.memory, percent, "memory {:.0f} % used (limit {:g} %)")
    clients, most_clients = _number(info, "connected_clients"), _number(info, "maxclients")
    if clients is not None and most_clients:
        metrics["clients_max"] = most_clients
        metrics["clients_percent"] = percent = 100 * clients / most_clients
        findings.limit(settings.clients, percent, "clients {:.0f} % of the most possible (limit {:g} %)")
    hits, misses = _number(info, "keyspace_hits"), _number(info, "keyspace_misses")
    if hits is not None and misses is not None and hits + misses:
        metrics["hit_percent"] = 100 * hits / (hits + misses)
    _judge_state(settings, findings, info, metrics)
    version = check.clean(info.get("redis_version", "?"), 20)
    return findings.outcome(
        f"Redis {version} ({role}) answered",
        speed=settings,
        metrics=metrics,
        facts={
            **peer.facts,
            "version": version,
            "role": role,
            "eviction_policy": check.clean(info.get("maxmemory_policy", ""), 40),
        },
    )


def _judge_state(
    settings: Settings, findings: Findings, info: dict[str, str], metrics: dict[str, float]
) -> None:
    """Note what the server says is wrong with itself: replication, loading, saving."""
    if info.get("role") == "slave":
        if info.get("master_link_status") != "up":
            findings.add(Status.FAILING, "the replica has lost its master")
        elif (silence := _number(info, "master_last_io_seconds_ago")) is not None:
            metrics["replica_silence_seconds"] = silence
            findings.limit(
                settings.replica_silence, silence, "nothing from its master for {:.0f} s (limit {:g} s)"
            )
    if info.get("loading") == "1":
        findings.add(Status.DEGRADED, "it is still loading its data")
    for name, what in (("rdb_last_bgsave_status", "snapshot"), ("aof_last_write_status", "append-only file")):
        if info.get(name, "ok") != "ok":
            findings.add(Status.DEGRADED, f"the last write of its {what} failed")
