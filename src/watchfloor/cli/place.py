"""Where the database is, found with as little reading as possible.

A command or a console needs no more than this to begin, so a mistake in a service never keeps anybody from
acknowledging an alert, and the first picture does not wait for ten thousand services to be validated.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from watchfloor.cli.options import Options
from watchfloor.config.locate import DATABASE_VARIABLE, default_data_dir, find_config

_SPEAKS_OF_IT = re.compile(rb"""^(\s*\{|["']?(database|data_dir)["']?\s*:)""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """A database: the one that is named, or else the embedded one in ``data_dir``."""

    database: str | None = field(repr=False)
    data_dir: Path


def place_for(options: Options) -> Place:
    """The place that the options and the environment lead to.

    The config file is read whole only if it seems to speak of the place. Raises `ConfigError` then.
    """
    named = os.environ.get(DATABASE_VARIABLE)
    path = find_config(options.config)
    if named is None and path is not None and _speaks_of_it(path):
        from watchfloor.cli.ground import configuration_for

        configuration = configuration_for(options)
        return Place(configuration.database, configuration.data_dir)
    data_dir = options.data_dir.absolute() if options.data_dir is not None else default_data_dir(os.environ)
    return Place(named or None, data_dir)


def _speaks_of_it(path: Path) -> bool:
    try:
        return _SPEAKS_OF_IT.search(path.read_bytes()) is not None
    except OSError:
        return True  # reading it whole says what is wrong
