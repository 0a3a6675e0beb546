"""MySQL and MariaDB checks: can we sign in, how fast does it answer, how many connections are in use.

One session per check, read only, with short time-outs. This module must never show the password, nor change
anything on the server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

from pydantic import Field

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import Check, Fault, OtherProtocol, conduct
from watchfloor.probes.comparison import as_number
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import Limits
from watchfloor.probes.mysql_session import Session
from watchfloor.probes.net import Port
from watchfloor.probes.peer import LoginSettings, Peer

_FIGURES = {
    "connections_used": "threads_connected",
    "connections_max": "max_connections",
    "running": "threads_running",
    "slow_queries": "slow_queries",
    "questions": "questions",
    "uptime_seconds": "uptime",
}
"""Our names for the server's figures."""


class AccountSettings(LoginSettings):
    """A MySQL or MariaDB server, and who signs in."""

    port: Port = Field(3306, description="The port.")
    username: str = Field("watchfloor", max_length=80, description="The name to sign in with.")
    database: str = Field("", max_length=64, description="The database to use; none if left out.")


class Settings(AccountSettings):
    """A MySQL or MariaDB server and how busy it may be."""

    connections: Limits = Field(
        Limits(degraded=70, failing=90), description="Connections in use, in percent of max_connections."
    )
    replica: bool = Field(False, description="Whether it must be a replica that follows its source.")
    replication_lag: Limits = Field(
        Limits(degraded=5, failing=30), description="How far a replica may be behind, in seconds."
    )


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Sign in once, ask for the figures, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


@asynccontextmanager
async def signed_in(
    settings: AccountSettings, check: Check, timeout: float
) -> AsyncIterator[tuple[Session, Peer]]:
    """Yield a session that cannot write; what goes wrong names the server."""
    # The server greets in the clear, and TLS begins after that.
    peer = Peer(check, settings, settings.host, settings.port, timeout, tls=False)
    async with peer.talk() as talk:
        session = Session(check, talk)

        async def start_tls() -> None:
            await peer.start_tls(talk)

        try:
            await session.sign_in(
                settings.username, settings.secret, settings.database, start_tls if settings.tls else None
            )
            await session.ask("SET SESSION TRANSACTION READ ONLY")
            yield session, peer
        except Fault as fault:
            raise type(fault)(f"MySQL at {peer.where}: {fault.summary}", fault.status) from None
        session.say_goodbye()


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    async with signed_in(settings, check, timeout) as (session, peer):
        began = perf_counter()
        await session.ask("SELECT 1")
        round_trip = perf_counter() - began
        shown = await session.ask(
            "SHOW GLOBAL STATUS WHERE Variable_name IN "
            "('Threads_connected', 'Threads_running', 'Slow_queries', 'Questions', 'Uptime')"
        )
        limits = await session.ask("SHOW GLOBAL VARIABLES WHERE Variable_name = 'max_connections'")
        rows = [row for row in (*shown.rows, *limits.rows) if len(row) == 2]
        figures = {(name or "").lower(): as_number(value) for name, value in rows}
        findings = Findings(check)
        metrics = {ours: value for ours, name in _FIGURES.items() if (value := figures.get(name)) is not None}
        metrics["round_trip_seconds"] = round_trip
        if settings.replica:
            await _judge_replica(settings, session, findings, metrics)
    return _judge(settings, check, peer, session.version, findings, metrics)


async def _judge_replica(
    settings: Settings, session: Session, findings: Findings, metrics: dict[str, float]
) -> None:
    shown = await session.ask("SHOW REPLICA STATUS")
    if not shown.rows:
        findings.add(Status.FAILING, "it is no replica")
        return
    names = (name.lower().replace("master", "source").replace("slave", "replica") for name in shown.columns)
    row = dict(zip(names, shown.rows[0], strict=True))
    stopped = [part for part in ("replica_io_running", "replica_sql_running") if row.get(part) != "Yes"]
    if stopped:
        findings.add(Status.FAILING, "replication has stopped")
    elif (lag := as_number(row.get("seconds_behind_source"))) is not None:
        metrics["replication_lag_seconds"] = lag
        findings.limit(settings.replication_lag, lag, "{:.0f} s behind its source (limit {:g} s)")


def _judge(
    settings: Settings, check: Check, peer: Peer, version: str, findings: Findings, metrics: dict[str, float]
) -> Outcome:
    if "connections_used" not in metrics or metrics.get("connections_max", 0) < 1:
        raise OtherProtocol("something answered, but not as MySQL would")
    used, most = metrics["connections_used"], metrics["connections_max"]
    metrics["connections_used_percent"] = percent = 100 * used / most
    findings.limit(settings.connections, percent, "connections {:.0f} % used (limit {:g} %)")
    metrics |= peer.judge_certificate(findings, 0)
    version = check.clean(version, 60)
    product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    number = version.removeprefix("5.5.5-").partition("-")[0]
    return findings.outcome(
        f"{product} {number} answered, {used:.0f} of {most:.0f} connections used",
        speed=settings,
        metrics=metrics,
        facts={**peer.facts, "version": version},
    )
