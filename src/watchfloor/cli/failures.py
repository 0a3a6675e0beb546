"""Which failures are the user's to mend, and how they are told."""

from __future__ import annotations

from watchfloor.config.problems import ConfigError, render
from watchfloor.operations.actor import Refused
from watchfloor.store.backup import BackupError
from watchfloor.store.embedded import EmbeddedError
from watchfloor.store.errors import StoreError, explain, is_away


def told(error: Exception) -> list[str] | None:
    """The lines that tell ``error``; None for a mistake of this program."""
    if isinstance(error, ConfigError):
        return render(error.problems)
    if isinstance(error, Refused | StoreError | EmbeddedError | BackupError):
        return [str(error)]
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return [str(error)]  # the driver has errors of its own: this is a file, or where the output goes
    if is_away(error) or type(error).__module__.startswith("psycopg"):
        return [explain(error)]
    return None
