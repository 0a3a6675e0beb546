"""Routes: to which channels an alert is told, by itself or together with others, and how soon.

A tree. Of the routes beside each other the first that matches wins, and further ones only where it says ``continue``;
inside it, its own routes are asked the same way. What a route does not say it has from the one around it; what none
says is the rule's. An alert that no route takes is told by the root: at once, by itself, on the channels of its rule.

Why by itself: at three in the morning one message about one thing, with a thread and a recovery of its own, is what
can be acted upon, and nothing is gained by waiting. Storms are the exception: more than `STORM` messages to a channel
within a minute are gathered (`watchfloor.domain.telling`). Services that depend on others wait for the verdict on those
as a reason for silence, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, cast

from watchfloor.domain.matchers import Matchers, match, parse_all
from watchfloor.domain.zones import zone

GROUP_WAIT_S = 30.0
GROUP_INTERVAL_S = 300.0
REPEAT_S = 4 * 3600.0
STORM = 10
STORM_WAIT_S = 10.0
STORM_INTERVAL_S = 60.0
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class MuteTime:
    """A part of the week in which a route tells nothing: ``[begin, end)`` on ``days``, as clocks in ``zone`` show it.

    One that ends before it begins goes on into the next day.
    """

    days: frozenset[int]
    begin: time
    end: time
    zone: str

    def holds(self, now: datetime) -> bool:
        """Whether ``now`` lies in it."""
        local = now.astimezone(zone(self.zone))
        at = local.time()
        if self.begin < self.end:
            return local.weekday() in self.days and self.begin <= at < self.end
        yesterday = (local - timedelta(days=1)).weekday()
        return (local.weekday() in self.days and at >= self.begin) or (
            yesterday in self.days and at < self.end
        )


@dataclass(frozen=True, slots=True)
class Route:
    """One route with everything it inherited. ``key`` is its place in the tree.

    ``channels`` None: those of the alert's rule. ``group_by`` None: every alert by itself; empty: all in one group.
    """

    key: str
    matchers: Matchers = ()
    channels: tuple[str, ...] | None = None
    group_by: tuple[str, ...] | None = None
    group_wait_s: float = GROUP_WAIT_S
    group_interval_s: float = GROUP_INTERVAL_S
    repeat_s: float = REPEAT_S
    send_resolved: bool = True
    storm: int = STORM
    mute_times: tuple[MuteTime, ...] = ()
    goes_on: bool = False
    routes: tuple[Route, ...] = ()

    @property
    def gathers(self) -> bool:
        """Whether it tells of alerts together."""
        return self.group_by is not None

    def muted(self, now: datetime) -> bool:
        """Whether it tells nothing now."""
        return any(each.holds(now) for each in self.mute_times)

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """What the alerts of one group have in common; a label that is missing is empty."""
        return {name: labels.get(name, "") for name in self.group_by or ()}


ROOT = Route("")


@dataclass(frozen=True, slots=True)
class Target:
    """A channel that an alert is told on, and by which route."""

    route: Route
    channel: str


def matching(root: Route, labels: Mapping[str, str]) -> list[Route]:
    """The routes that take an alert: the innermost ones, at least one."""
    return list(_matching(root, labels))


def _matching(route: Route, labels: Mapping[str, str]) -> Iterator[Route]:
    taken = False
    for inner in route.routes:
        if match(inner.matchers, labels):
            taken = True
            yield from _matching(inner, labels)
            if not inner.goes_on:
                return
    if not taken:
        yield route


def targets(root: Route, labels: Mapping[str, str], channels: Sequence[str]) -> list[Target]:
    """Where an alert is told; ``channels`` are those of its rule. Each channel once, by the first route that has it."""
    found: dict[str, Target] = {}
    for route in matching(root, labels):
        for channel in channels if route.channels is None else route.channels:
            found.setdefault(channel, Target(route, channel))
    return list(found.values())


def name_channels(route: Route) -> bool:
    """Whether a route, or one inside it, tells channels whatever the rule of an alert says.

    >>> name_channels(ROOT), name_channels(Route("", routes=(Route("night", channels=("pager",)),)))
    (False, True)
    """
    return bool(route.channels) or any(map(name_channels, route.routes))


def tree(specs: Iterable[Mapping[str, Any]]) -> Route:
    """The tree of routes as it is stored."""
    return _inside(ROOT, specs)


def _inside(outer: Route, specs: Iterable[Mapping[str, Any]]) -> Route:
    inner = tuple(_route(outer, f"{outer.key}/{at}", spec) for at, spec in enumerate(specs))
    return Route(**{**_values(outer), "routes": inner})


def _route(outer: Route, key: str, spec: Mapping[str, Any]) -> Route:
    said = {name: value for name, value in spec.items() if value is not None}
    values = {**_values(outer), "key": str(said.get("name") or key), "routes": ()}
    values["matchers"] = parse_all(cast(Sequence[str], said.get("match", ())))
    values["goes_on"] = bool(said.get("continue", False))
    for name in ("channels", "group_by"):
        if name in said:
            values[name] = tuple(said[name])
    for name in ("group_wait_s", "group_interval_s", "repeat_s", "send_resolved", "storm"):
        values[name] = said.get(name, values[name])
    if "mute_times" in said:
        values["mute_times"] = tuple(mute_time(each) for each in said["mute_times"])
    return _inside(Route(**values), said.get("routes", ()))


def _values(route: Route) -> dict[str, Any]:
    return {name: getattr(route, name) for name in Route.__slots__}


def mute_time(spec: Mapping[str, Any]) -> MuteTime:
    """A part of the week as it is stored."""
    days = frozenset(DAYS.index(day) for day in spec.get("days") or DAYS)
    begin, end = (time.fromisoformat(spec[name]) for name in ("from", "to"))
    return MuteTime(days, begin, end, str(spec.get("time_zone") or "UTC"))
