"""Which node checks which service: rendezvous hashing.

Every node computes the same owner from the same list of nodes, without asking anyone. When a node comes or
goes, only the services it gains or held move. This module must never know whether a node is alive.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def owner(service_uuid: str, node_ids: Iterable[int]) -> int | None:
    """The node that owns a service, or None where there is no node. The order of ``node_ids`` is irrelevant.

    >>> owner("a", [1, 2, 3]) == owner("a", [3, 1, 2])
    True
    >>> owner("a", []) is None
    True
    """
    return max(node_ids, key=lambda node_id: (_weight(service_uuid, node_id), node_id), default=None)


def _weight(service_uuid: str, node_id: int) -> bytes:
    return blake2b(f"{node_id}:{service_uuid}".encode(), digest_size=8).digest()
