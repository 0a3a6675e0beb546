"""From a stored service to a watch that this node can run: settings resolved here, thresholds filled in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from watchfloor.config.base import Settings
from watchfloor.config.kinds import Kind
from watchfloor.config.problems import ConfigError
from watchfloor.config.settings import build_settings
from watchfloor.domain.text import one_line
from watchfloor.engine.prober import Watch, make_watch
from watchfloor.probes.limits import Limits
from watchfloor.store.services import Service


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
    return make_watch(service, kind.run, built)


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
        for name, field in model.model_fields.items()
        if isinstance(field.default, Limits) and f"thresholds.{name}.warning" in values
    }
