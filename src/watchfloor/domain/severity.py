"""How much an alert matters."""

from __future__ import annotations

from enum import IntEnum

from watchfloor.domain.outcome import Status


class Severity(IntEnum):
    """Severity of an alert, ordered; stored as this small integer."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2
    EMERGENCY = 3

    @property
    def word(self) -> str:
        """The word shown to people, as in ``critical``."""
        return self.name.lower()


def severity_of(status: Status) -> Severity:
    """The severity the built-in rule gives to a service in this state."""
    return Severity.CRITICAL if status is Status.FAILING else Severity.WARNING
