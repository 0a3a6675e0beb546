"""Says where the configuration file and the data directory are. It looks, and never creates anything.

The working directory is not searched: ``config.yaml`` is too common a name to take the first one found.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

CONFIG_VARIABLE = "WATCHFLOOR_CONFIG"
DATA_VARIABLE = "WATCHFLOOR_DATA"
DATABASE_VARIABLE = "WATCHFLOOR_DATABASE"

SYSTEM_CONFIG = Path("/etc/watchfloor/config.yaml")
SYSTEM_DATA = Path("/var/lib/watchfloor")


def find_config(explicit: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration file to read, or None where there is none and the built-in one applies.

    In this order: ``explicit``, ``$WATCHFLOOR_CONFIG`` (both even if the file is missing, so that the mistake
    is reported), ``$XDG_CONFIG_HOME/watchfloor/config.yaml``, ``/etc/watchfloor/config.yaml``.
    """
    if explicit is not None:
        return explicit
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    own = _home_directory(environ, "XDG_CONFIG_HOME", ".config") / "watchfloor" / "config.yaml"
    return next((path for path in (own, SYSTEM_CONFIG) if os.path.lexists(path)), None)


def default_data_dir(environ: Mapping[str, str] = os.environ, user_id: int | None = None) -> Path:
    """Where data lives unless the file says otherwise; ``user_id`` is by default that of this process.

    ``$WATCHFLOOR_DATA``, else ``/var/lib/watchfloor`` for root, else ``$XDG_DATA_HOME/watchfloor``.
    """
    if named := environ.get(DATA_VARIABLE):
        return expanded(named, environ, Path.cwd())
    if (os.geteuid() if user_id is None else user_id) == 0:
        return SYSTEM_DATA
    return _home_directory(environ, "XDG_DATA_HOME", ".local/share") / "watchfloor"


def expanded(written: str, environ: Mapping[str, str], base_dir: Path) -> Path:
    """An absolute path: ``~/`` is the home directory, a relative path starts at ``base_dir``."""
    if written == "~" or written.startswith("~/"):
        return _home(environ) / written[2:]
    return (base_dir / written).absolute()


def _home_directory(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = Path(environ.get(variable, ""))
    return named if named.is_absolute() else _home(environ) / below_home


def _home(environ: Mapping[str, str]) -> Path:
    if home := environ.get("HOME"):
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:  # a container may run as a user that has no entry
        return Path("/")
