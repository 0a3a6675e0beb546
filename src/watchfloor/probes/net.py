"""Opening connections for checks: a name, its addresses one after the other, a protocol on the first that answers.

No streams: a probe brings its own `asyncio.Protocol`. This module must never leave a socket open when it
fails or is cancelled.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from time import perf_counter
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from watchfloor.probes import resolve
from watchfloor.probes.checking import Check

P = TypeVar("P", bound=asyncio.Protocol)

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


def ascii_host(host: str) -> str:
    """Return ``host`` in the form that goes over the wire; raises `ValueError` when it cannot be a host."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if address := resolve.literal(bare):
        return address[0]
    try:
        name = bare if bare.isascii() else bare.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("the host name is not valid") from None
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            "a host is a name such as db.example.com or an address such as 192.0.2.1 or 2001:db8::1"
        )
    return name.lower()


Host = Annotated[str, AfterValidator(ascii_host)]
"""A host name or a literal address, checked and in ASCII."""
Port = Annotated[int, Field(ge=1, le=65535)]


async def connect(check: Check, host: str, port: int, timeout: float, factory: Callable[[], P]) -> P:
    """Connect to ``host`` and return the protocol made by ``factory``, connected.

    Addresses are tried in order, IPv4 first, each with a fair share of what is left of ``timeout``, the
    seconds the whole check may take. Records the phases connect and, of a name, dns. Raises `Fault`
    when the name has no address, and `OSError` of the last address when none accepts.
    """
    addresses = await lookup(check, host)
    resolved = perf_counter()
    check.doing = f"connecting to {place(host, port)}"
    loop = asyncio.get_running_loop()
    try:
        for position, address in enumerate(addresses[:-1]):
            share = (timeout - (perf_counter() - check.started)) / (len(addresses) - position)
            try:
                async with asyncio.timeout(share):
                    return (await loop.create_connection(factory, address, port))[1]
            except OSError:
                continue  # the last address has the last word
        return (await loop.create_connection(factory, addresses[-1], port))[1]
    finally:
        check.spent("connect", resolved)


async def lookup(check: Check, host: str) -> resolve.Addresses:
    """Return the addresses of ``host``; records the phase dns, which a literal address does not have.

    Raises `Fault` when there are none.
    """
    if address := resolve.literal(host):
        return address
    check.doing = f"resolving {host}"
    began = perf_counter()
    addresses = await resolve.current().addresses(host, check.left)
    check.spent("dns", began)
    return addresses


def place(host: str, port: int | str) -> str:
    """Write host and port the way people do: ``example.com:443``, ``[2001:db8::1]:443``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def ready(descriptor: int, *, writing: bool = False) -> None:
    """Wait until a socket can be read, or written."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    watch, forget = (
        (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    )
    watch(descriptor, wake)
    try:
        await ready
    finally:
        forget(descriptor)
