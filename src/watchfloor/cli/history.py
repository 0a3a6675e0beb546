"""Uptime, objectives and certificates as plain text or JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import show_table
from watchfloor.domain.boards import CertificateRow, ObjectiveRow, StatusLine, UptimeRow
from watchfloor.domain.durations import compact_duration, parse_duration
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Refused

FINGERPRINT = 16


async def uptime(desk: Desk) -> Sequence[UptimeRow]:
    """The uptime board."""
    return await desk.uptime()


async def objectives(desk: Desk) -> Sequence[ObjectiveRow]:
    """How services stand with their objectives."""
    return await desk.objectives()


def certificates(within: str) -> Callable[[Desk], Awaitable[tuple[Sequence[CertificateRow], StatusLine]]]:
    """The question for certificates, and the time they are from. Raises `Refused` for what is no duration."""
    try:
        limit = timedelta(seconds=parse_duration(within)) if within else None
    except (ValueError, OverflowError) as error:
        raise Refused(f"--within: {error}") from None

    async def question(desk: Desk) -> tuple[Sequence[CertificateRow], StatusLine]:
        return await desk.certificates(limit), await desk.status()

    return question


def share(ratio: float | None) -> str:
    """A ratio in percent, never rounded up to a promise that was broken.

    >>> share(0.99999), share(1.0), share(None)
    ('99.999 %', '100 %', '-')
    """
    if ratio is None:
        return "-"
    return "100 %" if ratio == 1 else f"{int(ratio * 100_000) / 1000:.3f} %"


def show_uptime(rows: Sequence[UptimeRow]) -> None:
    """Print the uptime board."""
    windows = list(rows[0].uptime) if rows else []
    table = [(row.service, *(share(row.uptime[window]) for window in windows), row.group) for row in rows]
    show_table(("SERVICE", *(window.upper() for window in windows), "GROUP"), table)


def show_objectives(rows: Sequence[ObjectiveRow]) -> None:
    """Print objectives, those with the least budget left first."""
    table = [
        (
            row.service,
            row.objective,
            row.promise,
            share(row.ratio),
            "-" if row.left is None else f"{row.left * 100:.1f} %",
            *("-" if rate is None else f"{rate:.1f}" for rate in row.burns.values()),
            ("URGENT: " if row.urgent else "") + ", ".join(row.burning) if row.burning else "",
        )
        for row in sorted(rows, key=lambda row: (row.left is None, row.left, row.service))
    ]
    rates = tuple(f"BURN {name.upper()}" for name in rows[0].burns) if rows else ()
    show_table(("SERVICE", "OBJECTIVE", "PROMISE", "CAME TO", "BUDGET LEFT", *rates, "BURNS TOO FAST"), table)


def show_certificates(rows: Sequence[CertificateRow], now: datetime) -> None:
    """Print certificates, the first to expire first."""
    table = [
        (
            row.service,
            _left(row.not_after, now),
            row.not_after.date().isoformat(),
            compact_duration(max(0.0, (now - row.changed_at).total_seconds())),
            row.fingerprint[:FINGERPRINT],
            one_line(row.subject, 60),
            one_line(row.issuer, 60),
        )
        for row in rows
    ]
    show_table(("SERVICE", "EXPIRES IN", "ON", "SHOWN FOR", "FINGERPRINT", "SUBJECT", "ISSUER"), table)


def _left(at: datetime, now: datetime) -> str:
    left = (at - now).total_seconds()
    return compact_duration(left) if left > 0 else f"expired {compact_duration(-left)} ago"
