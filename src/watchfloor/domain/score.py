"""The health score of a group of services: 0 to 100, with nothing hidden.

score = 100 × (1 - costs / services that count), rounded down, so that only a group without any fault has 100.

A service costs what is wrong with it: failing 1, out of reach 1, flapping 0.5, degraded 0.5, ok 0. The greatest of what
holds counts once. Not counted, in neither number: what is inside a maintenance window (planned), paused, was never
checked (pending), or of which the monitor could not tell (unknown). A group in which nothing counts has no score.
"""  # noqa: RUF002

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor

from watchfloor.domain.boards import HealthRow
from watchfloor.domain.outcome import Status

COSTS: Mapping[str, float] = {
    "failing": 1.0,
    "out of reach": 1.0,
    "flapping": 0.5,
    "degraded": 0.5,
    "ok": 0.0,
}
"""What a service that counts costs, by how it stands; the most costly first."""

LEFT_OUT = ("planned", "paused", "pending", "unknown")
"""How services stand that do not count."""


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` is None where nothing counts; ``standings`` says how many services stand how."""

    value: int | None
    standings: Mapping[str, int]

    @property
    def counted(self) -> int:
        """How many services count."""
        return sum(self.standings.get(word, 0) for word in COSTS)

    @property
    def cost(self) -> float:
        """What they cost together."""
        return sum(self.standings.get(word, 0) * cost for word, cost in COSTS.items())

    @property
    def formula(self) -> str:
        """The formula with the numbers of this group.

        >>> Score(62, {"failing": 1, "degraded": 1, "ok": 2}).formula
        '100 × (1 - (1 failing × 1 + 1 degraded × 0.5) / 4) = 62'
        """  # noqa: RUF002
        if self.value is None:
            return "no score: nothing in it counts"
        terms = [
            f"{self.standings[word]} {word} × {cost:g}"  # noqa: RUF001
            for word, cost in COSTS.items()
            if cost and self.standings.get(word)
        ]
        costs = f"({' + '.join(terms)})" if terms else "0"
        return f"100 × (1 - {costs} / {self.counted}) = {self.value}"  # noqa: RUF001

    @property
    def left_out(self) -> str:
        """What does not count, in words; empty where everything does.

        >>> Score(100, {"ok": 3, "planned": 1, "paused": 2}).left_out
        '1 planned, 2 paused'
        """
        return ", ".join(f"{self.standings[word]} {word}" for word in LEFT_OUT if self.standings.get(word))


def standing(row: HealthRow) -> str:
    """How a service stands when the score is made."""
    if row.paused:
        return "paused"
    if row.hard is None:
        return "pending"
    if row.planned:
        return "planned"
    if row.status is Status.UNKNOWN or row.hard is Status.UNKNOWN:
        return "unknown"
    if row.hard is Status.FAILING:
        return "out of reach" if row.root else "failing"
    return "flapping" if row.flapping else row.hard.word


def score(rows: Iterable[HealthRow]) -> Score:
    """The score of these services."""
    standings = Counter(standing(row) for row in rows)
    found = Score(None, standings)
    if not found.counted:
        return found
    return Score(floor(100 * (1 - found.cost / found.counted) + 1e-9), standings)
