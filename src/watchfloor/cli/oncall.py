"""``watchfloor oncall`` and ``watchfloor escalations``: how answers are printed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.cli.plain import show_table
from watchfloor.domain.duty_boards import ChainRow, HeldRow, OnCallRow
from watchfloor.domain.severity import Severity
from watchfloor.domain.text import one_line


def show_on_call(rows: Sequence[OnCallRow]) -> None:
    """Who is on call."""
    if not rows:
        print("there is no rota: add one under rotas in the config file")
        return
    lines = [
        (
            one_line(row.rota),
            one_line(row.person) or "nobody",
            _moment(row.until),
            (one_line(row.next_person) or "nobody") if row.until else "",
            f"#{row.override}" if row.override else "",
        )
        for row in rows
    ]
    show_table(("ROTA", "ON CALL", "UNTIL", "THEN", "OVERRIDE"), lines)


def show_chains(rows: Sequence[ChainRow], held: Sequence[HeldRow]) -> None:
    """Chains that run, and what quiet hours hold."""
    if not rows:
        print("no chain runs")
    else:
        lines = [
            (
                f"#{row.alert_id}",
                Severity(row.severity).word,
                one_line(row.chain),
                f"{row.step} of {row.steps}" + (f", round {row.round}" if row.round > 1 else ""),
                "stands still" if row.next_at is None else _moment(row.next_at),
                one_line(row.targets, 60),
                one_line(row.title, 60),
            )
            for row in rows
        ]
        show_table(("ALERT", "SEVERITY", "CHAIN", "NEXT STEP", "DUE", "TELLS", "TITLE"), lines)
    for each in held:
        print(
            f"held: #{each.alert_id} {one_line(each.title, 60)}, for {one_line(each.person)} on "
            f"{one_line(each.channel)} until {_moment(each.until)}"
        )


def _moment(moment: datetime | None) -> str:
    return "always" if moment is None else f"{moment.astimezone():%a %Y-%m-%d %H:%M:%S %Z}"
