"""The embedded PostgreSQL server: our own supervisor over the binaries of a wheel.

`Embedded.start(data_dir)` gives a running server, shared with every other process of that directory; the last one
to leave stops it. Whatever is killed, the next start needs no manual step.
"""

from watchfloor.store.embedded.binaries import Binaries, find_binaries
from watchfloor.store.embedded.errors import EmbeddedError
from watchfloor.store.embedded.server import Embedded
from watchfloor.store.embedded.status import EmbeddedStatus, status

__all__ = ["Binaries", "Embedded", "EmbeddedError", "EmbeddedStatus", "find_binaries", "status"]
