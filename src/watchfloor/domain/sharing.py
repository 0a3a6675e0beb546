"""Which node checks which service: rendezvous hashing.

Every node computes the same owner from the same list of nodes, without asking anyone. When a node comes or
goes, only the services it gains or held move. This module must never know whether a node is alive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b


def owner(service_uuid: str, node_ids: Iterable[int]) -> int | None:
    """The node that owns a service, or None where there is no node. The order of ``node_ids`` is irrelevant.

    >>> owner("a", [1, 2, 3]) == owner("a", [3, 1, 2])
    True
    >>> owner("a", []) is None
    True
    """
    return max(node_ids, key=lambda node_id: (_weight(service_uuid, node_id), node_id), default=None)


def watchers(
    service_uuid: str, nodes: Mapping[int, Collection[str]], wanted: Collection[str] = (), quorum: int = 1
) -> tuple[int, ...]:
    """The nodes that check a service, the one that books it first; ``nodes`` are their tags by id.

    Only nodes with all ``wanted`` tags do; without a quorum it is one, with a quorum so many that it is their
    majority, as far as there are.

    >>> watchers("a", {1: ["eu"], 2: [], 3: ["eu", "dmz"]}, ["dmz"])
    (3,)
    >>> len(watchers("a", dict.fromkeys(range(9), ()), quorum=2))
    3
    """
    able = [node_id for node_id, tags in nodes.items() if all(tag in tags for tag in wanted)]
    if quorum == 1:
        first = owner(service_uuid, able)
        return () if first is None else (first,)
    able.sort(key=lambda node_id: (_weight(service_uuid, node_id), node_id), reverse=True)
    return tuple(able[: 2 * quorum - 1])


def shortfall(nodes: Iterable[Collection[str]], wanted: Collection[str], quorum: int) -> str:
    """What the tags of the live ``nodes`` lack for a service, as a sentence for a person; empty: nothing.

    >>> shortfall([["eu"]], ["eu", "dmz"], 1)
    'no live node has the tag dmz: nobody checks it until one does'
    >>> shortfall([["eu"], []], ["eu"], 3)
    'quorum is 3, but only 1 live node may check it: its word alone decides until there are more'
    """
    live = list(nodes)
    able = sum(all(tag in tags for tag in wanted) for tags in live)
    if wanted and not able:
        unknown = [tag for tag in wanted if not any(tag in tags for tags in live)]
        named = ", ".join(unknown or wanted)
        which = "the tag" if len(unknown or wanted) == 1 else "all of the tags"
        return f"no live node has {which} {named}: nobody checks it until one does"
    if able < quorum and quorum > 1:
        nodes_may = "1 live node may" if able == 1 else f"{able} live nodes may"
        word = (
            "its word alone decides" if able == 1 else "all of them must agree" if able else "nobody decides"
        )
        return f"quorum is {quorum}, but only {nodes_may} check it: {word} until there are more"
    return ""


def _weight(service_uuid: str, node_id: int) -> bytes:
    return blake2b(f"{node_id}:{service_uuid}".encode(), digest_size=8).digest()
