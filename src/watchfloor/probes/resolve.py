"""From a host name to addresses, without ever blocking a thread.

The system's own lookup (getaddrinfo) cannot be cancelled and occupies a thread for as long as a name server
is silent; a handful of dead names would stall every other check. So names are looked up here: a literal
address needs nothing, then the hosts file, then the name servers of resolv.conf through dnspython, with
answers kept for their time to live. This module must never call getaddrinfo.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from watchfloor.domain.outcome import Status
from watchfloor.domain.text import one_line
from watchfloor.probes.checking import Fault

if TYPE_CHECKING:
    import dns.asyncresolver

Addresses = tuple[str, ...]

ALIVE_S = 2.0
"""How long a name server may take to say anything at all."""
ALIVE_KNOWN_S = 1.0
"""How long the answer to that holds: whoever waits for a name in vain has waited for longer."""

CACHE_LIMIT = 10_000
"""How many names are remembered at most."""
LONGEST_TTL = 3600.0
"""Answers are kept for their time to live, but never longer than this, in seconds."""
SECOND_FAMILY_GRACE = 0.25
"""How long IPv6 is waited for once IPv4 has answered, in seconds."""
IPV4_GRACE = 2.5
"""The other way round: many a node has IPv4 only, and a lost question is asked again after 2 s."""
HALF_KNOWN = 60.0
"""IPv4 addresses are kept for so many seconds at most where nothing was heard of IPv6."""
ADDRESS_LIMIT = 8
"""How many addresses of one name are used at most, of each family."""


@lru_cache(maxsize=CACHE_LIMIT)
def literal(host: str) -> Addresses:
    """Return ``host`` as the only address if it is one already, otherwise nothing.

    Addresses with a zone (``fe80::1%eth0``) are not taken: event loops hand them to a blocking lookup.
    """
    try:
        return () if "%" in host else (str(ipaddress.ip_address(host)),)
    except ValueError:
        return ()


class Resolver:
    """Looks names up, and remembers.

    ``nameservers`` and ``port`` replace those of ``resolv_conf``; ``hosts`` is the hosts file. Both files
    are read again when they change.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        port: int = 53,
        hosts: str = "/etc/hosts",
        resolv_conf: str = "/etc/resolv.conf",
    ) -> None:
        self._nameservers = list(nameservers)
        self._port = port
        self._hosts = hosts
        self._resolv_conf = resolv_conf
        self._hosts_stamp = 0
        self._names_in_hosts: dict[str, Addresses] = {}
        self._servers_stamp = -1
        self._servers: dns.asyncresolver.Resolver | None = None
        self._cache: dict[str, tuple[float, Addresses]] = {}
        self._alive = (float("-inf"), True)  # when that was asked, and what came of it
        self._silent_until = float(
            "-inf"
        )  # when name servers were last known to be silent, or seen to be back

    async def addresses(self, host: str, left: float = inf) -> Addresses:
        """Return the addresses of ``host``, IPv4 first; at least one. Raises `Fault` when there are none.

        ``left`` is how many seconds the caller has: no more than half of these are spent on waiting for IPv4
        when there is IPv6 already.
        """
        if found := literal(host):
            return found
        name = host.lower().rstrip(".")
        if found := self._from_hosts(name):
            return found
        if name == "localhost" or name.endswith(".localhost"):
            return ("127.0.0.1", "::1")
        expires, found = self._cache.get(name, (0.0, ()))
        if found and monotonic() < expires:
            return found
        found, ttl = await self._ask(host, monotonic() + left)
        if ttl > 0:
            self._cache.pop(name, None)
            while len(self._cache) >= CACHE_LIMIT:
                del self._cache[next(iter(self._cache))]
            self._cache[name] = (monotonic() + min(ttl, LONGEST_TTL), found)
        return found

    def nameserver(self) -> tuple[str, int]:
        """Return address and port of the first name server. Raises `Fault` when none is configured."""
        servers = self._configured()
        return str(servers.nameservers[0]), servers.port

    def _from_hosts(self, name: str) -> Addresses:
        stamp = _stamp(self._hosts)
        if stamp != self._hosts_stamp:
            self._names_in_hosts = _read_hosts(self._hosts) if stamp else {}
            self._hosts_stamp = stamp
        return self._names_in_hosts.get(name, ())

    async def _ask(self, host: str, until: float) -> tuple[Addresses, float]:
        """Ask the name servers for both families at once; the second may be late, but not for long.

        Where IPv4 remains unknown nothing is to be kept, since it may be all that this node can use; without IPv6 not
        for long.
        """
        servers = self._configured()
        tasks = [asyncio.ensure_future(_lookup(servers, host, kind)) for kind in ("A", "AAAA")]
        waits = _waits.get()
        if waits is not None:
            waits.asked = True
            waits.for_name = True  # until there is an answer, of whatever kind
        try:
            done, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if late and any(task.exception() is None for task in done):
                has_ipv4 = tasks[0] in done
                grace = SECOND_FAMILY_GRACE if has_ipv4 else min(IPV4_GRACE, (until - monotonic()) / 2)
                await asyncio.wait(late, timeout=max(0.0, grace))
            elif late:
                await asyncio.wait(late)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        answers = [result for result in results if isinstance(result, tuple)]
        concluded = [_is_conclusion(result) for result in results]
        if waits is not None and any(concluded):
            waits.for_name = False
        if not answers:
            raise _why(host, results)
        addresses = tuple(address for found, _ in answers for address in found)
        ttl = min(ttl for _, ttl in answers)
        if all(concluded):
            return addresses, ttl
        return addresses, min(ttl, HALF_KNOWN) if isinstance(results[0], tuple) else 0.0

    async def alive(self) -> bool:
        """Whether any name server says anything at all, be it a refusal."""
        asked_at, alive = self._alive
        if monotonic() - asked_at > ALIVE_KNOWN_S:
            alive = await self._ask_whether_alive()
            if not (alive and self._alive[1]):
                self._silent_until = monotonic()
            self._alive = (monotonic(), alive)
        return alive

    async def failed(self, waits: Waits) -> bool:
        """Whether a check that ended badly may have done so because all name servers were silent.

        It still waits for a name and none of them says anything; or it asked for one before they were seen to be back.
        """
        if not waits.asked:
            return False
        alive = await self.alive()
        return (waits.for_name and not alive) or waits.began < self._silent_until

    async def _ask_whether_alive(self) -> bool:
        import dns.asyncquery
        import dns.exception
        import dns.message

        try:
            servers = self._configured()
        except Fault:
            return False
        query = dns.message.make_query(".", "NS")

        async def answers(address: str) -> bool:
            try:
                await dns.asyncquery.udp(query, address, timeout=ALIVE_S, port=servers.port)
            except (dns.exception.Timeout, OSError):
                return False
            except dns.exception.DNSException:
                return True  # something strange, but something
            return True

        return any(await asyncio.gather(*(answers(str(each)) for each in servers.nameservers)))

    def _configured(self) -> dns.asyncresolver.Resolver:
        """Return dnspython's resolver for the servers of the moment; imported late, it takes a while."""
        import dns.asyncresolver
        import dns.resolver

        stamp = 0 if self._nameservers else _stamp(self._resolv_conf)
        if self._servers is None or stamp != self._servers_stamp:
            try:
                servers = dns.asyncresolver.Resolver(self._resolv_conf, configure=not self._nameservers)
            except (dns.resolver.NoResolverConfiguration, OSError):
                raise Fault(f"no name server is configured in {self._resolv_conf}", Status.UNKNOWN) from None
            if self._nameservers:
                servers.nameservers, servers.port = self._nameservers, self._port
            self._servers, self._servers_stamp = servers, stamp
        return self._servers


async def _lookup(servers: dns.asyncresolver.Resolver, host: str, kind: str) -> tuple[list[str], float]:
    """Return the addresses of one family and their time to live in seconds."""
    answer = await servers.resolve(host, kind, search=True, lifetime=LONGEST_TTL)
    addresses = [record.address for record in list(answer)[:ADDRESS_LIMIT]]
    return addresses, answer.chaining_result.minimum_ttl


def _why(host: str, results: Sequence[object]) -> Fault:
    """Return the most telling of the two families' failures in words."""
    import dns.exception
    import dns.resolver

    kinds = [type(result) for result in results]
    if dns.resolver.NXDOMAIN in kinds:
        return Fault(f"no such host: {host}")
    if dns.resolver.NoAnswer in kinds:
        return Fault(f"the name {host} has no address")
    if dns.resolver.NoNameservers in kinds:
        return Fault(f"the name servers failed to look up {host}")
    detail = next((str(result) for result in results if str(result)), "no usable answer")
    return Fault(f"cannot look up {host}: {one_line(detail, 80)}")


def _is_conclusion(result: object) -> bool:
    """Whether a name server said what the addresses are, or that there is no such name or no such address."""
    import dns.resolver

    return isinstance(result, tuple | dns.resolver.NXDOMAIN | dns.resolver.NoAnswer)


def _stamp(path: str) -> int:
    """Return a number that changes when the file does; 0 when there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _read_hosts(path: str) -> dict[str, Addresses]:
    """Return the names of a hosts file with their addresses, IPv4 first; unusable lines are skipped."""
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read(1024 * 1024).splitlines()
    names: dict[str, list[str]] = {}
    for line in lines:
        address, *aliases = line.partition("#")[0].split() or [""]
        for found in literal(address):
            for alias in aliases:
                names.setdefault(alias.lower(), []).append(found)
    return {name: tuple(sorted(set(found), key=lambda a: (":" in a, a))) for name, found in names.items()}


_current: ContextVar[Resolver] = ContextVar("resolver", default=Resolver())  # noqa: B039


def current() -> Resolver:
    """Return the resolver that checks of this context use."""
    return _current.get()


@contextmanager
def use_resolver(resolver: Resolver) -> Iterator[Resolver]:
    """Have every check started inside the block look names up through ``resolver``."""
    token = _current.set(resolver)
    try:
        yield resolver
    finally:
        _current.reset(token)


class Waits:
    """What a check waits for, or waited for when it ended, and whether it asked a name server at all."""

    __slots__ = ("asked", "began", "for_name")

    def __init__(self) -> None:
        self.began = monotonic()
        self.asked = False
        self.for_name = False


_waits: ContextVar[Waits | None] = ContextVar("waits", default=None)


def note_waits() -> Waits:
    """Have lookups of this context note here what they wait for."""
    waits = Waits()
    _waits.set(waits)
    return waits
