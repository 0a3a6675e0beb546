"""A second, naive cron: it lives through every minute, as the daemon does, and asks of each whether anything is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
SMALL = timedelta(hours=3)
NAMES = {name: at for at, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
MONTHS = {
    name: at + 1
    for at, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    )
}


def matches(field: str, value: int, low: int, high: int, names: dict[str, int] | None = None) -> bool:
    """Whether a field of an expression holds for a value, part by part."""
    for part in field.lower().split(","):
        body, _, step = part.partition("/")
        first, _, last = body.partition("-")
        if body == "*":
            bounds = (low, high)
        else:
            number = [(names or {}).get(word, None) for word in (first, last or first)]
            bounds = tuple(
                int(word) if found is None else found
                for word, found in zip((first, last or first), number, strict=True)
            )  # type: ignore[assignment]
        if bounds[0] <= value <= bounds[1] and (value - bounds[0]) % int(step or 1) == 0:
            return True
    return False


def due(expression: str, wall: datetime) -> bool:
    """Whether an expression of five fields names the minute of a wall clock."""
    minute, hour, day, month, weekday = expression.split()
    if not (
        matches(minute, wall.minute, 0, 59)
        and matches(hour, wall.hour, 0, 23)
        and matches(month, wall.month, 1, 12, MONTHS)
    ):
        return False
    number = (wall.weekday() + 1) % 7
    by_date = matches(day, wall.day, 1, 31)
    by_week = matches(weekday, number, 0, 7, NAMES) or (number == 0 and matches(weekday, 7, 0, 7, NAMES))
    if day.startswith("*") or weekday.startswith("*"):
        return by_date and by_week
    return by_date or by_week


def debian(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Every fire from ``start`` to before ``end`` (UTC, whole minutes), by Debian cron's rule, minute by minute."""
    minute, hour, *_ = expression.split()
    wildcard = minute.startswith("*") or hour.startswith("*")
    tz = ZoneInfo(zone)
    found: list[datetime] = []
    seen_until: datetime | None = None  # walls before this were dealt with in the first pass
    at = start - timedelta(days=1)
    before = at.astimezone(tz).replace(tzinfo=None) - MINUTE
    while at < end:
        wall = at.astimezone(tz).replace(tzinfo=None)
        step = wall - before - MINUTE
        if timedelta(0) < -step < SMALL:
            seen_until = before + MINUTE
        fires = due(expression, wall)
        if not wildcard:
            if seen_until is not None and wall < seen_until:
                fires = False
            if timedelta(0) < step < SMALL:
                skipped = (before + MINUTE * n for n in range(1, step // MINUTE + 1))
                fires = fires or any(due(expression, each) for each in skipped)
        if fires and at >= start:
            found.append(at)
        before, at = wall, at + MINUTE
    return found


def skip_and_repeat(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Every minute whose wall clock an expression names, as it comes."""
    tz = ZoneInfo(zone)
    minutes = (start + MINUTE * n for n in range((end - start) // MINUTE))
    return [at.astimezone(UTC) for at in minutes if due(expression, at.astimezone(tz).replace(tzinfo=None))]
