"""How states look: for each a glyph, a word and a role, so that none is told by colour alone.

Every glyph takes exactly one cell in every terminal and is no emoji. This module must never draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.domain.boards import HealthRow
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity


class Mark(NamedTuple):
    """A state as it is shown: glyph, word and the role that colours both."""

    glyph: str
    word: str
    role: str

    @property
    def line(self) -> Line:
        """The state in full, as in ``✘ failing``."""
        return says(f"{self.glyph} {self.word}", self.role)


def tally(number: int, mark: Mark, rank: int) -> list[Piece]:
    """How many are in a state, in a long and a short form; nothing where none is."""
    if not number:
        return []
    return [
        Piece(
            (
                says(f"{mark.glyph} {number} {mark.word}", mark.role),
                says(f"{mark.glyph} {number}", mark.role),
            ),
            rank,
        )
    ]


STATUS: Mapping[Status, Mark] = {
    Status.OK: Mark("●", "ok", "ok"),
    Status.DEGRADED: Mark("▲", "degraded", "degraded"),
    Status.FAILING: Mark("✘", "failing", "failing"),
    Status.UNKNOWN: Mark("?", "unknown", "unknown"),
}
CRUMB = "›"  # noqa: RUF001
TIMES = "×"  # noqa: RUF001
FAILED_CHECK = "╳"  # noqa: RUF001

PENDING = Mark("◌", "pending", "muted")
PAUSED = Mark("○", "paused", "muted")

SEVERITY: Mapping[Severity, Mark] = {
    Severity.INFO: Mark("◇", "info", "info"),
    Severity.WARNING: Mark("▲", "warning", "warning"),
    Severity.CRITICAL: Mark("✘", "critical", "critical"),
    Severity.EMERGENCY: Mark("◆", "emergency", "emergency"),
}

ALERT: Mapping[str, Mark] = {
    "pending": Mark("◌", "pending", "muted"),
    "firing": Mark("●", "firing", "failing"),
    "acknowledged": Mark("✓", "acknowledged", "accent"),
    "resolved": Mark("○", "resolved", "muted"),
}

QUIET = Mark("⊘", "quiet", "muted")
"""An alert of which nobody is told, whatever its state."""

DELIVERY: Mapping[str, Mark] = {
    "delivered": Mark("●", "delivered", "ok"),
    "queued": Mark("◌", "queued", "muted"),
    "leased": Mark("▶", "sending", "accent"),
    "dead": Mark("✘", "dead", "failing"),
    "cancelled": Mark("○", "cancelled", "muted"),
}

SILENCE: Mapping[str, Mark] = {
    "active": Mark("⊘", "active", "accent"),
    "planned": Mark("◌", "pending", "muted"),
    "over": Mark("○", "ended", "muted"),
}

RULE: Mapping[str, Mark] = {
    "firing": Mark("●", "firing", "failing"),
    "fault": Mark("✘", "faulty", "failing"),
    "on": Mark("●", "on", "ok"),
    "off": Mark("○", "off", "muted"),
}

CHANNEL: Mapping[str, Mark] = {
    "failing": Mark("✘", "failing", "failing"),
    "unsure": Mark("▲", "unsure", "degraded"),
    "on": Mark("●", "works", "ok"),
    "new": Mark("◌", "not used", "muted"),
    "off": Mark("○", "off", "muted"),
}

DUTY: Mapping[str, Mark] = {
    "rota": Mark("●", "on call", "ok"),
    "nobody": Mark("✘", "nobody", "failing"),
    "chain": Mark("▲", "escalates", "degraded"),
    "paused": Mark("⊘", "paused", "muted"),
    "held": Mark("◌", "held", "muted"),
}

RUN: Mapping[str, Mark] = {
    "ok": Mark("●", "ok", "ok"),
    "failed": Mark("✘", "failed", "failing"),
    "skipped": Mark("○", "skipped", "muted"),
    "succeeded": Mark("●", "ok", "ok"),
    "dead": Mark("✘", "dead", "failing"),
    "cancelled": Mark("○", "cancelled", "muted"),
    "missed": Mark("▲", "missed", "degraded"),
    "running": Mark("▶", "running", "accent"),
    "ready": Mark("◌", "ready", "muted"),
    "waiting": Mark("◌", "waiting", "muted"),
}

LOOP: Mapping[str, Mark] = {
    "starting": Mark("◌", "starting", "muted"),
    "running": Mark("●", "running", "ok"),
    "restarting": Mark("▲", "restarting", "degraded"),
    "stuck": Mark("✘", "stuck", "failing"),
    "stopping": Mark("▲", "stopping", "degraded"),
    "stopped": Mark("○", "stopped", "muted"),
    "error": Mark("✘", "error", "failing"),
}
"""Nodes and components."""

_LEVELS = (
    (21, Mark("◆", "fatal", "emergency")),
    (17, Mark("✘", "error", "failing")),
    (13, Mark("▲", "warn", "degraded")),
    (9, Mark("·", "info", "text")),
    (5, Mark("·", "debug", "muted")),
    (1, Mark("·", "trace", "muted")),
)


def mark(marks: Mapping[str, Mark], word: str) -> Mark:
    """The mark for `word`; a word this program does not know is shown as it is."""
    return marks.get(word, Mark("?", clean(word), "unknown"))


def level(severity: int) -> Mark:
    """The mark of an OpenTelemetry severity number."""
    return next((mark for least, mark in _LEVELS if severity >= least), _LEVELS[-1][1])


def health(row: HealthRow) -> Mark:
    """The state of a service: paused, not yet checked, or its hard status."""
    if row.paused:
        return PAUSED
    return PENDING if row.hard is None else STATUS[row.hard]
