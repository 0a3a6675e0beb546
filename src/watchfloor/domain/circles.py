"""Circles in what refers to one another: services that depend on services, jobs that start jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def cycles(edges: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """One cycle for each edge that closes one, without recursion: chains may be as long as a file.

    >>> list(cycles({"a": ["b"], "b": ["a", "c"], "c": []}))
    [['a', 'b', 'a']]
    """
    done: set[str] = set()
    for start in edges:
        trail: dict[str, int] = {}
        stack = [(start, iter(edges[start]))] if start not in done else []
        trail.update({start: 0} if stack else {})
        while stack:
            name, onward = stack[-1]
            following = next(onward, None)
            if following is None:
                stack.pop()
                del trail[name]
                done.add(name)
            elif following in trail:
                yield [*list(trail)[trail[following] :], following]
            elif following in edges and following not in done:
                trail[following] = len(trail)
                stack.append((following, iter(edges[following])))
