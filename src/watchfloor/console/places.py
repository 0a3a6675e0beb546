"""Where the console looks for files that people may add: themes and key maps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def directories(kind: str, environ: Mapping[str, str] = os.environ) -> list[Path]:
    """The directories of this kind of file: in a checkout, with the package, in the user's configuration.

    A later one has precedence.
    """
    package = Path(__file__).resolve().parents[1]
    config = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [package.parents[1] / kind, package / kind, config / "watchfloor" / kind]
