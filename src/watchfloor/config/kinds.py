"""Kinds of things that a person can configure, found through entry points.

A kind is a module that declares a ``Settings`` model and one coroutine. Finding kinds imports nothing; a module
is imported when its kind is first asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from watchfloor.config.base import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its name, the model of its settings, the coroutine that does its work.

    ``render`` is what some channels declare as well: it makes what is sent (`watchfloor.channels`).
    """

    name: str
    settings: type[Settings]
    run: Callable[..., Awaitable[Any]]
    render: Callable[..., bytes] | None = None


class Kinds(Mapping[str, Kind]):
    """The kinds of an entry-point group. A kind that cannot be imported is logged and left out."""

    def __init__(self, group: str, coroutine: str) -> None:
        """``coroutine`` is the name of the coroutine that every module of the group declares."""
        self._coroutine = coroutine
        self._points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}
        self._loaded: dict[str, Kind] = {}

    def __getitem__(self, name: str) -> Kind:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._points))

    def __len__(self) -> int:
        return len(self._points)

    @property
    def models(self) -> Mapping[str, type[Settings]]:
        """The settings models by kind, as lazy as the kinds themselves."""
        return _Models(self)

    def _load(self, name: str) -> Kind:
        point = self._points[name]
        try:
            module = point.load()
            work = getattr(module, self._coroutine)
            return Kind(name, module.Settings, work, getattr(module, "render", None))
        except Exception:
            log.exception("kind %s of %s cannot be used", name, point.group)
            del self._points[name]
            raise KeyError(name) from None


class _Models(Mapping[str, type[Settings]]):
    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds

    def __getitem__(self, name: str) -> type[Settings]:
        return self._kinds[name].settings

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def probe_kinds() -> Kinds:
    """Kinds of checks."""
    return Kinds("watchfloor.probes", "probe")


def payload_kinds() -> Kinds:
    """Kinds of work that jobs do."""
    return Kinds("watchfloor.payloads", "run")


def channel_kinds() -> Kinds:
    """Kinds of notification channels."""
    return Kinds("watchfloor.channels", "deliver")
