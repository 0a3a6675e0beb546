"""The statistics of alerts on the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import show_table
from watchfloor.domain.alert_stats import AlertCounts, AlertStats
from watchfloor.domain.durations import parse_duration, whole_duration
from watchfloor.domain.shape import plain
from watchfloor.operations.actor import Refused

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONGEST_S = 3650 * 86_400.0


def stats(over: str, top: int) -> Callable[[Desk], Awaitable[AlertStats]]:
    """The request for statistics that reach back as far as ``over`` says, with the ``top`` noisiest.

    Raises `Refused` for what is no duration, or none that makes sense here.
    """
    try:
        seconds = parse_duration(over)
    except ValueError as error:
        raise Refused(f"--over: {error}") from None
    if not 0 < seconds <= LONGEST_S:
        raise Refused("--over: give a time from a second to ten years, such as 7d")

    async def request(desk: Desk) -> AlertStats:
        found = await desk.alert_stats(timedelta(seconds=seconds))
        return replace(found, rules=found.rules[:top], services=found.services[:top])

    return request


def as_json(found: AlertStats) -> Any:
    """What is printed as JSON: the week of all, not that of each rule and service."""
    shown: Any = plain(found)
    for each in (shown["all"], *shown["rules"], *shown["services"]):
        del each["week"]
    return shown


def show_stats(found: AlertStats) -> None:
    """Print counts, times, the noisiest, and the week by hour."""
    print(f"{found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M %Z}: {found.all.alerts} alerts\n")
    _show("ALL", [replace(found.all, name="all alerts")])
    _show("RULE", found.rules)
    _show("SERVICE", found.services)
    print("HOUR" + "".join(f"{hour:>3}" for hour in range(24)))
    for day, line in zip(DAYS, found.week, strict=True):
        print(
            f"{day:4}"
            + "".join(f"{count if count < 100 else '99+':>3}" if count else "  ." for count in line)
        )


def _show(what: str, counts: Sequence[AlertCounts]) -> None:
    table = [
        (
            each.name, str(each.alerts), str(each.acknowledged), str(each.resolved), str(each.reopened),
            _time(each.to_acknowledge), _time(each.to_resolve),
        )
        for each in counts
    ]  # fmt: skip
    show_table((what, "ALERTS", "ACKED", "RESOLVED", "REOPENED", "TO ACK", "TO RESOLVE"), table)
    print()


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else whole_duration(seconds)
