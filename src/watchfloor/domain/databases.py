"""The watched databases: which services tell of the same one, and how each stands. Pure.

A database is known by its address as it is written: the server, and the name of the database there. A service that
watches a server stands for it; queries belong to the server that they are sent to, else to a database that they need,
else queries to one address are a database of their own. This module must never show what may be a password.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NamedTuple
from urllib.parse import unquote, urlsplit

from watchfloor.domain.boards import HealthRow
from watchfloor.domain.grouping import state_word
from watchfloor.domain.outcome import Status

SERVERS = ("postgres", "mysql", "sqlserver", "oracle", "redis")
"""The kinds of checks that ask a database server how it is."""
QUERY = "query"
KINDS = (*SERVERS, QUERY)
BAD = ("failing", "degraded", "unknown")
"""The states that are not as they should be, the worst first."""
PORTS = {"postgres": 5432, "mysql": 3306, "sqlserver": 1433, "oracle": 1521, "redis": 6379}
_PRODUCTS = {"postgresql": "postgres", "mariadb": "mysql"}
_URGENCY = (Status.FAILING, Status.DEGRADED, Status.UNKNOWN, None, Status.OK)
_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_WORD = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|\S+)")


class Address(NamedTuple):
    """Where a database is: the kind of its server, the server, the name there; nothing of who signs in."""

    product: str
    server: str
    name: str = ""

    @property
    def words(self) -> str:
        """As people write it."""
        return f"{self.server}/{self.name}" if self.name else self.server


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a service that watches a database, beside its state."""

    settings: Mapping[str, object]  # as written, references unresolved
    needs: Sequence[str] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    succeeded: int = 0  # checks of the last 7 days that were ok
    judged: int = 0  # of so many that found something out


@dataclass(frozen=True, slots=True)
class WatchedQuery:
    """A query that is sent to a database again and again."""

    id: int
    name: str
    state: str
    summary: str

    @property
    def over(self) -> bool:
        """Whether what it yields is not as it should be."""
        return self.state in BAD


@dataclass(frozen=True, slots=True)
class DatabaseRow:
    """One watched database; its key is ``id``, the least number of the services that stand for it."""

    ALSO: ClassVar[tuple[str, ...]] = ("state", "over")

    id: int
    name: str
    kind: str
    environment: str
    address: str
    summary: str
    checked_at: datetime | None  # end of the latest check
    latency: float | None
    success_7d: float | None  # 0..1 of the checks that found something out; None: none did
    checks_7d: int
    connections_used: float | None
    connections_max: float | None
    replication_lag: float | None
    queries: tuple[WatchedQuery, ...]
    service: HealthRow  # the one that stands for it: the most urgent of several

    @property
    def state(self) -> str:
        """The state of the database in one word."""
        return state_word(self.service)

    @property
    def fault(self) -> bool:
        """Whether it, or a query of it, is not as it should be; what is paused is not expected to be."""
        return bool(self.over) or self.state in BAD

    @property
    def over(self) -> tuple[str, ...]:
        """The names of its queries that are not as they should be, the worst first."""
        bad = [each for each in self.queries if each.over]
        return tuple(each.name for each in sorted(bad, key=lambda each: (BAD.index(each.state), each.name)))


def address_of(kind: str, settings: Mapping[str, object]) -> Address:
    """Where the database of a service is, as far as its settings say."""
    if "dsn" not in settings:
        product = _PRODUCTS.get(kind, kind)
        return _address(product, _text(settings, "host"), settings.get("port"), _text(settings, "database"))
    written = _text(settings, "dsn").strip()
    found: list[str] = []

    def mask(match: re.Match[str]) -> str:
        found.append(match[0])
        return f"reference{len(found) - 1}x"

    # A reference may hold what ends a part of an address, a slash say.
    masked = _REFERENCE.sub(mask, written)
    address = _of_url(masked) if "://" in masked else _of_words(masked)
    if found and masked == "reference0x":
        address = Address(kind if kind != QUERY else "", masked)
    for at, reference in enumerate(found):
        address = Address(*(part.replace(f"reference{at}x", reference) for part in address))
    return address


def _of_url(url: str) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Several hosts have several ports, and a port may be a reference.
        scheme, _, rest = url.partition("://")
        server, _, name = rest.partition("?")[0].rpartition("@")[2].partition("/")
        return Address(_PRODUCTS.get(scheme.lower(), scheme.lower()), server.lower(), name)
    product = _PRODUCTS.get(parts.scheme.lower(), parts.scheme.lower())
    host = parts.netloc.rpartition("@")[2]
    host = parts.hostname or "" if parts.port is not None or host.startswith("[") else host
    return _address(product, host, port, unquote(parts.path.removeprefix("/")))


def _of_words(text: str) -> Address:
    """An address of PostgreSQL as keywords."""
    given = {name: value.strip("'") for name, value in _WORD.findall(text)}
    host = given.get("host") or given.get("hostaddr") or "localhost"
    return _address("postgres", host, given.get("port"), given.get("dbname", ""))


def _address(product: str, host: str, port: object, name: str) -> Address:
    host = host.lower().strip("[]")
    place = f"[{host}]" if ":" in host else host
    return Address(product, f"{place}:{port or PORTS.get(product, '')}".rstrip(":"), name)


def _text(settings: Mapping[str, object], name: str) -> str:
    return str(settings.get(name) or "")


def databases(rows: Iterable[HealthRow], known: Mapping[int, Known]) -> list[DatabaseRow]:
    """The watched databases among the services, by name; a service of which nothing is known is left out."""
    watching = [row for row in rows if row.kind in KINDS and row.id in known]
    addresses = {row.id: address_of(row.kind, known[row.id].settings) for row in watching}
    servers = {row.id: row for row in watching if row.kind != QUERY}
    asked: dict[int, list[HealthRow]] = defaultdict(list)
    alone: dict[Address, list[HealthRow]] = defaultdict(list)
    finder = _Finder(servers.values(), addresses)
    for row in watching:
        if row.kind == QUERY:
            server = finder.server(addresses[row.id], known[row.id].needs)
            (alone[addresses[row.id]] if server is None else asked[server]).append(row)
    found = [_row((server,), asked[server.id], addresses[server.id], known) for server in servers.values()]
    found += [_row(queries, queries, address, known) for address, queries in alone.items()]
    return sorted(found, key=lambda row: (row.name.casefold(), row.id))


class _Finder:
    """Finds the server that a query is sent to."""

    def __init__(self, servers: Iterable[HealthRow], addresses: Mapping[int, Address]) -> None:
        self._by_address: dict[tuple[str, ...], int] = {}
        self._by_name: dict[str, int] = {}
        for row in sorted(servers, key=lambda row: row.id):
            address = addresses[row.id]
            self._by_name[row.name] = row.id
            for key in (address, address[:2], address[1:2]):
                self._by_address.setdefault(tuple(key), row.id)

    def server(self, address: Address, needs: Sequence[str]) -> int | None:
        """The server at this address, best the one watched by this very name; else one that is needed."""
        # An address that is one reference does not say what it leads to.
        keys = [address, address[:2]] if address.product else [address[1:2]]
        for key in keys:
            if address.server and (found := self._by_address.get(tuple(key))) is not None:
                return found
        return next((self._by_name[name] for name in needs if name in self._by_name), None)


def _row(
    standing: Sequence[HealthRow], queries: Sequence[HealthRow], address: Address, known: Mapping[int, Known]
) -> DatabaseRow:
    """The row of a database for which these services stand."""
    lead = min(standing, key=lambda row: (row.paused, _URGENCY.index(row.hard), row.id))
    metrics, judged = known[lead.id].metrics, sum(known[row.id].judged for row in standing)
    latest = max(standing, key=lambda row: (row.checked_at is not None, row.checked_at))
    return DatabaseRow(
        id=min(row.id for row in standing),
        name=lead.name if len(standing) == 1 else address.words,
        kind=lead.kind,
        environment=lead.environment,
        address=address.words,
        summary=lead.summary,
        checked_at=latest.checked_at,
        latency=lead.latency,
        success_7d=sum(known[row.id].succeeded for row in standing) / judged if judged else None,
        checks_7d=judged,
        connections_used=metrics.get("connections_used", metrics.get("clients")),
        connections_max=metrics.get("connections_max", metrics.get("clients_max")),
        replication_lag=metrics.get("replication_lag_seconds"),
        queries=tuple(
            WatchedQuery(row.id, row.name, state_word(row), row.summary)
            for row in sorted(queries, key=lambda row: row.name.casefold())
        ),
        service=lead,
    )
