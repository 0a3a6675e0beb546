"""What every command stands on: a database that answers, and the configuration for those who check services.

The only place that decides between the embedded server and one that was named.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from watchfloor.cli.options import Options
from watchfloor.cli.place import Place
from watchfloor.domain.text import one_line
from watchfloor.store.address import shown
from watchfloor.store.embedded import Embedded

if TYPE_CHECKING:
    from watchfloor.config.model import Configuration

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Ground:
    """A database in use. ``label`` names it on screen, without secrets."""

    dsn: str = field(repr=False)
    label: str
    embedded: Embedded | None

    def ensure_database(self) -> None:
        """Revive an embedded server whose keeper is gone; cheap, and nothing for a named database."""
        if self.embedded is not None:
            self.embedded.ensure()

    def leave(self) -> None:
        """Let go of the embedded server; the last one out stops it and waits until it is down."""
        if self.embedded is not None:
            self.embedded.stop(wait=True)


def configuration_for(options: Options) -> Configuration:
    """The configuration that the options lead to. Raises `ConfigError` with every mistake of its file."""
    # Imported here: what only reads or acknowledges needs no configuration.
    from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
    from watchfloor.config.loader import default_configuration, load
    from watchfloor.config.locate import find_config

    probes, channels = probe_kinds().models, channel_kinds().models
    path = find_config(options.config)
    if path is None:
        configuration = default_configuration(probes).required()
    else:
        configuration = load(
            path, probes, channels, os.environ, payload_kinds=payload_kinds().models
        ).required()
    if options.data_dir is not None:
        configuration = replace(configuration, data_dir=options.data_dir.absolute())
    if options.node is not None:
        configuration = replace(configuration, node=replace(configuration.node, name=_name(options.node)))
    return configuration


def _name(given: str) -> str:
    """The name of a node as the command line gives it. Raises `ConfigError` where a file could not hold it."""
    if given and one_line(given, LONGEST_NAME) == given:
        return given
    from watchfloor.config.problems import ConfigError, Problem, quoted

    raise ConfigError(
        [
            Problem(
                "--node", 0, 0, "", "is no name for a node", found=quoted(given),
                allowed=f"text of 1 to {LONGEST_NAME} printable characters",
            )
        ]
    )  # fmt: skip


def stand(place: Place, say: Callable[[str], None]) -> Ground:
    """The database of a place; starts or joins the embedded one unless another is named.

    ``say`` hears what takes time. Raises `EmbeddedError`, or `StoreError` for an address that cannot be read.
    """
    if place.database is not None:
        return Ground(place.database, shown(place.database), None)
    embedded = Embedded.start(place.data_dir, say)
    return Ground(embedded.dsn, f"embedded {embedded.version}", embedded)
