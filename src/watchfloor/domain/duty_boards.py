"""What screens and commands show of who is on call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OnCallRow:
    """A rota: who is on call (empty: nobody), until when (None: without an end), and who is next."""

    rota: str
    person: str
    until: datetime | None
    next_person: str
    next_until: datetime | None
    override: int  # the number of the override in force that a person made; 0: none


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody who can be told: the rotas in which they are on call now, and whether they are away."""

    name: str
    on_call: tuple[str, ...]
    away: bool


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A chain that runs: its next step and when that is due; ``next_at`` None: it stands still."""

    alert_id: int
    title: str
    severity: int
    chain: str
    step: int
    steps: int
    round: int
    next_at: datetime | None
    targets: str


@dataclass(frozen=True, slots=True)
class HeldRow:
    """What quiet hours keep from a person until they end."""

    alert_id: int
    title: str
    person: str
    channel: str
    until: datetime


@dataclass(frozen=True, slots=True)
class DutyRow:
    """A line of the section about who is on call: a rota, a chain that runs, or what quiet hours hold.

    ``until`` is when the shift ends, the next step is due or the quiet hours end; ``then`` is what follows.
    """

    kind: str  # rota, chain, paused or held
    name: str
    who: str
    until: datetime | None
    then: str
    alert_id: int | None = None  # whose chain it is, or about which somebody will be told; None for a rota


def duty_rows(
    rotas: Sequence[OnCallRow], chains: Sequence[ChainRow], held: Sequence[HeldRow]
) -> list[DutyRow]:
    """Everything about who is on call and who is being called, as one list: rotas first."""
    found = [
        DutyRow(
            "rota",
            row.rota,
            row.person or "nobody",
            row.until,
            (row.next_person or "nobody") if row.until else "",
        )
        for row in rotas
    ]
    found += [
        DutyRow(
            "paused" if row.next_at is None else "chain",
            f"#{row.alert_id} {row.title}",
            row.targets,
            row.next_at,
            f"step {row.step} of {row.steps}" + (f", round {row.round}" if row.round > 1 else ""),
            row.alert_id,
        )
        for row in chains
    ]
    found += [
        DutyRow(
            "held", f"#{row.alert_id} {row.title}", row.person, row.until, f"on {row.channel}", row.alert_id
        )
        for row in held
    ]
    return found
