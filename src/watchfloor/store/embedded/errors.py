"""The one error of the embedded server. Its message names the place and the remedy; it never holds a password."""

from __future__ import annotations


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot be created, started or read; the message is meant for a person."""
