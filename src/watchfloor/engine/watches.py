"""Services as this node checks them: settings resolved here, thresholds filled in."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from watchfloor.config.base import Settings
from watchfloor.config.kinds import Kind
from watchfloor.config.problems import ConfigError
from watchfloor.config.settings import build_settings, lean
from watchfloor.domain.outcome import Outcome
from watchfloor.domain.slots import phase
from watchfloor.domain.text import one_line
from watchfloor.probes.limits import Limits
from watchfloor.store.services import Service

Probe = Callable[[Settings, float], Awaitable[Outcome]]


@dataclass(slots=True, eq=False)
class Watch:
    """One service that this node checks."""

    service: Service
    probe: Probe | None  # None: this node cannot check it
    settings: Settings | None
    broken: str  # why it cannot
    interval_ns: int
    phase_ns: int
    task: asyncio.Task[None] | None = None
    deadline: float = math.inf  # monotonic time at which its probe must have ended
    left_at: float = math.inf  # monotonic time at which a probe that was cancelled must have ended
    retry_ns: int = 0  # the next retry while a problem is soft; 0: follow the slots
    gone: bool = False
    slot_ns: int = 0  # of its latest check
    asked_ns: int = 0  # another node waits for a check of this slot or a later one; 0: none does
    awaited: bool = False  # somebody waits for what the next check to end finds


def make_watch(service: Service, probe: Probe | None, settings: Settings | None, broken: str = "") -> Watch:
    """A watch for one service, at its own phase."""
    interval_ns = service.every_ms * 1_000_000
    return Watch(service, probe, settings, broken, interval_ns, phase(str(service.uuid), interval_ns))


def watch_of(
    service: Service, probes: Mapping[str, Kind], base_dir: Path, values: Mapping[str, object]
) -> Watch:
    """The watch of a service; one that this node cannot check says why at every slot.

    ``values`` are the product settings in force, whose thresholds apply where the service sets none.
    """
    kind = probes.get(service.kind)
    if kind is None:
        return make_watch(service, None, None, f"this node has no probe of kind {service.kind}")
    try:
        built = settings_of(kind, service.settings, base_dir, values)
    except ConfigError as error:
        return make_watch(service, None, None, one_line(f"this node cannot check it: {error}"))
    return make_watch(service, kind.run, lean(built))


def settings_of(
    kind: Kind, raw: Mapping[str, object], base_dir: Path, values: Mapping[str, object]
) -> Settings:
    """Settings as they are written, ready to probe with on this node. Raises `ConfigError`."""
    return build_settings(kind.settings, {**_thresholds(kind.settings, values), **raw}, os.environ, base_dir)


def _thresholds(model: type[Settings], values: Mapping[str, object]) -> dict[str, object]:
    """Limits for the figures of a kind that the product settings know by the same name."""
    return {
        name: {
            "degraded": values[f"thresholds.{name}.warning"],
            "failing": values[f"thresholds.{name}.critical"],
        }
        for name in _limited(model)
        if f"thresholds.{name}.warning" in values
    }


@cache
def _limited(model: type[Settings]) -> tuple[str, ...]:
    return tuple(name for name, field in model.model_fields.items() if isinstance(field.default, Limits))
