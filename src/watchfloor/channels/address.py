"""Where a message may be sent: no channel reaches addresses that its settings do not allow.

A name is resolved here, once, and the connection goes to the address that was judged, so a name that leads elsewhere
a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from watchfloor.channels.message import DeliveryError

_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052
_METADATA = frozenset({ip_address("fd00:ec2::254")})
"""Where clouds keep credentials of their machines; the IPv4 one is link-local and refused with those."""


async def permitted(host: str, port: int, public_only: bool) -> list[str]:
    """The addresses of a host that may be connected to. Raises `DeliveryError` when there are none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DeliveryError("the receiver's name cannot be resolved") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = [address for address in addresses if may_connect(address, public_only)]
    if not allowed:
        kind = "is not on the public internet" if public_only else "belongs to nobody that may be sent to"
        raise DeliveryError(f"the receiver's address {kind}, so nothing was sent")
    return allowed


def may_connect(address: str, public_only: bool) -> bool:
    """Whether an address may be connected to: never link-local, multicast and the like, private ones if allowed.

    >>> [may_connect(address, False) for address in ("10.0.0.8", "169.254.169.254", "93.184.216.34")]
    [True, False, True]
    >>> [may_connect(address, True) for address in ("10.0.0.8", "::ffff:127.0.0.1", "93.184.216.34")]
    [False, False, True]
    """
    ip = _plain(ip_address(address.partition("%")[0]))
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA:
        return False
    if ip.is_reserved and not ip.is_loopback:
        return False
    return ip.is_global or not public_only


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one that stands for it, or the address itself."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else ip)
