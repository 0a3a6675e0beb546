"""The dependencies around one service, as far as its tree draws them: level by level, so that nothing reads all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchfloor.domain.reach import Needs
from watchfloor.domain.tree import DEEPEST, MOST, WIDEST, Children, Leaf, Tree, tree
from watchfloor.store.database import Connection, fetch_all

_LEVELS_DOWN = 2

_WORD = (
    "CASE WHEN s.paused THEN 'paused' WHEN t.hard IS NULL THEN 'pending' "
    "ELSE (ARRAY['ok', 'degraded', 'failing', 'unknown'])[t.hard + 1] END"
)
_FROM = (
    "FROM services s JOIN service_state t ON t.service_id = s.id "
    "LEFT JOIN service_reach r ON r.service_id = s.id AND r.root_id IS NOT NULL"
)
_LEAF = f"SELECT s.id, s.name, {_WORD} AS state, r.root_id, s.depends_on, s.depends_on_any {_FROM}"
_URGENCY = f"array_position(ARRAY['failing', 'degraded', 'unknown', 'pending', 'ok', 'paused'], {_WORD})"
_NEEDS = "(s.depends_on @> ARRAY[p.name] OR s.depends_on_any @> jsonb_build_array(jsonb_build_array(p.name)))"


async def service_tree(connection: Connection, service_id: int) -> Tree:
    """What a service needs and what needs it; an empty tree where it is gone."""
    rows = await fetch_all(
        connection, f"{_LEAF} WHERE s.id = %(id)s AND s.retired_at IS NULL", {"id": service_id}
    )
    if not rows:
        return Tree()
    above = await _above(connection, rows[0])
    ids = {row.name: row.id for row in above}
    leaves = {row.id: _leaf(row, ids) for row in above}
    return tree(leaves[service_id], leaves, await _below(connection, rows[0]))


def _names(row: Any) -> list[str]:
    return [*row.depends_on, *(name for group in row.depends_on_any for name in group)]


def _leaf(row: Any, ids: dict[str, int]) -> Leaf:
    groups = (tuple(ids[name] for name in group if name in ids) for group in row.depends_on_any)
    needs = Needs(
        tuple(ids[name] for name in row.depends_on if name in ids), tuple(group for group in groups if group)
    )
    return Leaf(row.id, row.name, row.state, row.root_id, needs)


async def _above(connection: Connection, service: Any) -> list[Any]:
    """The service and what it needs, as many levels and as much as is drawn."""
    found = {service.name: service}
    line = [service]
    for _ in range(DEEPEST + 1):
        names = {name for row in line for name in _names(row)} - found.keys()
        if not names or len(found) > MOST:
            break
        line = await fetch_all(
            connection,
            f"{_LEAF} WHERE s.name = ANY(%(names)s) AND s.retired_at IS NULL ORDER BY s.id LIMIT %(most)s",
            {"names": sorted(names), "most": 2 * MOST},
        )
        found |= {row.name: row for row in line}
    return list(found.values())


async def _below(connection: Connection, service: Any) -> dict[int, Children]:
    """Those that need the service, and those that need the ones of them that are named, by parent."""
    found: dict[int, Children] = {}
    parents: Sequence[tuple[int, str]] = [(service.id, service.name)]
    for _ in range(_LEVELS_DOWN):
        if not parents:
            break
        level = await _children(connection, parents)
        found |= level
        seen = {leaf.id: leaf.name for each in level.values() for leaf in each.named}
        parents = [(each, name) for each, name in seen.items() if each not in found]
    return found


async def _children(connection: Connection, parents: Sequence[tuple[int, str]]) -> dict[int, Children]:
    values = {"ids": [each for each, _ in parents], "names": [name for _, name in parents], "most": WIDEST}
    given = "unnest(%(ids)s::int[], %(names)s::text[]) AS p(id, name)"
    counted = await fetch_all(
        connection,
        f"SELECT p.id AS parent, c.* FROM {given} CROSS JOIN LATERAL (SELECT {_WORD} AS state, count(*) AS n, "
        f"count(r.root_id) FILTER (WHERE t.hard = 2) AS lost {_FROM} WHERE {_NEEDS} "
        "AND s.retired_at IS NULL GROUP BY 1) c",
        values,
    )
    named = await fetch_all(
        connection,
        f"SELECT p.id AS parent, c.* FROM {given} CROSS JOIN LATERAL ({_LEAF} WHERE {_NEEDS} "
        f"AND s.retired_at IS NULL ORDER BY {_URGENCY}, s.name LIMIT %(most)s) c",
        values,
    )
    leaves: dict[int, list[Leaf]] = {}
    states: dict[int, dict[str, int]] = {}
    lost: dict[int, int] = {}
    for row in named:
        leaves.setdefault(row.parent, []).append(Leaf(row.id, row.name, row.state, row.root_id))
    for row in counted:
        states.setdefault(row.parent, {})[row.state] = row.n
        lost[row.parent] = lost.get(row.parent, 0) + row.lost
    return {each: Children(tuple(leaves.get(each, ())), of, lost[each]) for each, of in states.items()}
