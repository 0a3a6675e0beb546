"""PostgreSQL checks: can we connect, how fast does it answer, how busy is it, how far is a standby behind.

One session per check, read only, with short statement and lock time-outs, closed at once. Names are resolved
here, because the driver would occupy a thread with it. This module must never show the password, nor leave a
session behind when a server falls silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from time import perf_counter
from typing import Annotated

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import AfterValidator, Field, SecretStr

from watchfloor.config.fields import Seconds
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import Duration, Limits, TimedSettings
from watchfloor.probes.net import lookup, place
from watchfloor.probes.postgres_figures import WINDOW_S, Figures, figures_query, replayed_query
from watchfloor.probes.postgres_session import Session
from watchfloor.probes.text import spoken_secrets

_SESSION = (
    "-c statement_timeout=2s -c lock_timeout=100ms -c idle_in_transaction_session_timeout=5s "
    "-c default_transaction_read_only=on"
)

SECOND_LOOK_S = 0.1
"""How long a standby that seems to be behind has until it is looked at again."""


def _is_address(dsn: SecretStr) -> SecretStr:
    try:
        given = conninfo_to_dict(dsn.get_secret_value())
    except psycopg.Error:
        # The library's own words would quote what may be the password.
        raise ValueError(
            "not a PostgreSQL address; it looks like postgresql://user@host:5432/database"
        ) from None
    counts = {len(str(given.get(key) or "").split(",")) for key in ("host", "hostaddr", "port")} - {1}
    if len(counts) > 1:
        raise ValueError("the address must have one port, or one for each of its hosts")
    if "service" in given:
        raise ValueError("service files are not read; write the address itself")
    return dsn


class Settings(TimedSettings):
    """A PostgreSQL server and how busy it may be."""

    dsn: Annotated[SecretStr, AfterValidator(_is_address)] = Field(
        description="The address, as a URL or as keywords: `postgresql://watch@db.example.com/postgres`."
    )
    connections: Limits = Field(
        Limits(degraded=70, failing=90),
        description="Connections in use, in percent of those that ordinary users may open.",
    )
    replica: bool = Field(False, description="Whether it must be a standby that follows its primary.")
    replication_lag: Limits = Field(
        Limits(degraded=5, failing=30), description="How far a standby may be behind, in seconds."
    )
    slow_after: Duration = Field(
        Seconds(10),
        description="Statements that take longer are counted as slow; "
        "only a role that has `pg_monitor` sees those of others.",
    )

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The address taken apart, with what every session of a check has."""
        given = {key: str(value) for key, value in conninfo_to_dict(self.dsn.get_secret_value()).items()}
        return {
            "gssencmode": "disable",  # its negotiation blocks
            "application_name": "watchfloor",
            **given,
            "options": f"{_SESSION} {given.get('options', '')}".strip(),
        }

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        hidden = [self.parameters.get(key, "") for key in ("password", "sslpassword")]
        # The shortest hide nothing, and would blot out ordinary words.
        return spoken_secrets([self.dsn.get_secret_value()]) + tuple(word for word in hidden if len(word) > 3)


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Connect once, ask for the figures, and judge within ``timeout`` seconds."""
    check = Check(settings.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    async with connected(settings.parameters, check, timeout) as session:
        began = perf_counter()
        await session.ask("/* watchfloor */ SELECT 1")
        round_trip = check.spent("first_byte", began) - began
        figures = Figures.of(await session.ask(figures_query(settings.slow_after)))
        if settings.replication_lag.judge(figures.lag_s or 0.0)[0] is not Status.OK:
            figures = await _looked_again(session, figures)
    return _judge(settings, check, round_trip, figures)


async def _looked_again(session: Session, figures: Figures) -> Figures:
    """Correct the lag of a standby that only was in the middle of replaying the first transaction after a pause.

    Until that is replayed, the last one is as old as the pause was long. A standby that soon has replayed what it had
    received then is behind by no more than that moment.
    """
    if not (figures.streaming and figures.received):
        return figures
    began = perf_counter()
    await asyncio.sleep(SECOND_LOOK_S)
    (replayed,) = await session.ask(replayed_query(figures.received))
    return figures._replace(lag_s=perf_counter() - began) if replayed == "t" else figures


@asynccontextmanager
async def connected(given: Mapping[str, str], check: Check, timeout: float) -> AsyncIterator[Session]:
    """Yield a session with the server of an address taken apart; what goes wrong names the server."""
    where, attempts = await _resolved(given, check)
    began = perf_counter()
    check.doing = f"connecting to PostgreSQL at {where}"
    session: Session | None = None
    try:
        session = await _connected(attempts, check, timeout)
        check.spent("connect", began)
        check.doing = f"waiting for an answer from PostgreSQL at {where}"
        yield session
    except Fault as fault:
        raise Fault(f"PostgreSQL at {where}: {fault.summary}", fault.status) from None
    finally:
        if session is not None:
            session.close()


async def _connected(attempts: Sequence[Mapping[str, str]], check: Check, timeout: float) -> Session:
    """Return a session with the first server that lets us in; each gets a fair share of the time left."""
    for position, attempt in enumerate(attempts[:-1]):
        share = (timeout - (perf_counter() - check.started)) / (len(attempts) - position)
        try:
            async with asyncio.timeout(share):
                return await Session.open(make_conninfo("", **attempt))
        except (Fault, TimeoutError):
            continue  # the last one has the last word
    return await Session.open(make_conninfo("", **attempts[-1]))


def _judge(settings: Settings, check: Check, round_trip: float, figures: Figures) -> Outcome:
    percent = 100.0 * figures.used / figures.most
    version = check.clean(figures.version, 40)
    findings = Findings(check)
    findings.limit(settings.connections, percent, "connections {:.0f} % used (limit {:g} %)")
    if settings.replica and not figures.standby:
        findings.add(Status.FAILING, "it is no standby")
    if settings.replica and figures.standby and not figures.streaming:
        findings.add(Status.FAILING, "it receives nothing from its primary")
    metrics = {
        "connections_used": float(figures.used),
        "connections_max": float(figures.most),
        "connections_used_percent": percent,
        "round_trip_seconds": round_trip,
        "uptime_seconds": figures.uptime,
    }
    if figures.lag_s is not None:
        metrics["replication_lag_seconds"] = figures.lag_s
        findings.limit(settings.replication_lag, figures.lag_s, "{:.0f} s behind its primary (limit {:g} s)")
    if figures.slow is not None:
        metrics["slow_queries_per_minute"] = figures.slow * 60 / WINDOW_S
    return findings.outcome(
        f"PostgreSQL {version.partition(' ')[0]} answered, {figures.used} of {figures.most} connections used",
        speed=settings,
        metrics=metrics,
        facts={
            "version": version,
            "standby": figures.standby,
            "sees_slow_queries": figures.slow is not None,
        },
    )


async def _resolved(given: Mapping[str, str], check: Check) -> tuple[str, list[dict[str, str]]]:
    """Return the place to name to people, and the parameters once for every address of every host."""
    hosts, addresses, ports = (given.get(key, "").split(",") for key in ("host", "hostaddr", "port"))
    count = max(len(hosts), len(addresses))
    hosts, addresses, ports = (column * (count // len(column)) for column in (hosts, addresses, ports))
    attempts: list[dict[str, str]] = []
    for host, address, port in zip(hosts, addresses, ports, strict=True):
        found: tuple[str, ...] = (address,)
        if not address and not _is_socket(host):
            found = await lookup(check, host)
        attempts += [{**given, "host": host, "hostaddr": each, "port": port or "5432"} for each in found]
    places = [
        _place(host or address, port) for host, address, port in zip(hosts, addresses, ports, strict=True)
    ]
    return ", ".join(places), attempts


def _is_socket(host: str) -> bool:
    return not host or host[0] in "/@"


def _place(host: str, port: str) -> str:
    return (host or "its local socket") if _is_socket(host) else place(host, port or 5432)
