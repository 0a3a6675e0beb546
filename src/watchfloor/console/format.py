"""Numbers, durations and moments as people read them. Pure: whoever calls passes the time.

Nothing here flickers: an age below a minute moves in steps of five seconds, in a list not at all, so that a quiet
screen stays still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, tzinfo

from watchfloor.domain.boards import StatusLine

NOTHING = "—"


def latency(seconds: float | None) -> str:
    """A measured time with three significant figures at most.

    >>> [latency(s) for s in (None, 0.00042, 0.0123, 0.212, 1.236, 75)]
    ['—', '0.42 ms', '12.3 ms', '212 ms', '1.24 s', '1m 15s']
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    milliseconds = seconds * 1000
    if milliseconds < 9.995:
        return f"{milliseconds:.2f} ms"
    if milliseconds < 99.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    return span(seconds)


def span(seconds: float) -> str:
    """A duration in its two largest units.

    >>> [span(s) for s in (0.2, 42, 75, 3 * 3600 + 300, 2 * 86400 + 7200, 400 * 86400)]
    ['0s', '42s', '1m 15s', '3h 05m', '2d 2h', '1y 35d']
    """
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 60:
        return f"{whole}s"
    if hours < 1:
        return f"{minutes}m {whole % 60:02d}s"
    if days < 1:
        return f"{hours}h {minutes % 60:02d}m"
    if days < 365:
        return f"{days}d {hours % 24}h"
    return f"{days // 365}y {days % 365}d"


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago `moment` was, coarse enough to stand still; a moment to come counts as now.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 8, 1, 12, tzinfo=UTC)
    >>> [age(now - timedelta(seconds=s), now) for s in (3, 44, 125, 9000, 190000)]
    ['now', '40s', '2m', '2h 30m', '2d 4h']
    """
    if moment is None:
        return NOTHING
    seconds = int((now - moment).total_seconds())
    if seconds < 5:
        return "now"
    if seconds < 60:
        return f"{seconds // 5 * 5}s"
    return f"{seconds // 60}m" if seconds < 3600 else span(seconds)


def brief(moment: datetime | None, now: datetime) -> str:
    """An age in its largest unit alone, for narrow columns: at most four characters, and no seconds.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 8, 1, 12, tzinfo=UTC)
    >>> [brief(now - timedelta(seconds=s), now) for s in (44, 125, 9000, 190000, 4e7)]
    ['<1m', '2m', '2h', '2d', '1y']
    """
    if moment is not None and (now - moment).total_seconds() < 60:
        return "<1m"
    return age(moment, now).split()[0]


def date(moment: datetime | None, now: datetime, zone: tzinfo | None) -> str:
    """A moment in local time in at most six characters: the time if it was today, else the day."""
    if moment is None:
        return NOTHING
    local, today = moment.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return local.strftime("%H:%M")
    return f"{local.day} {local:%b}" if local.year == today.year else f"{local:%Y}"


def until(moment: datetime | None, now: datetime) -> str:
    """How long until `moment`, in whole minutes; ``soon`` within one, ``due`` once it has passed."""
    if moment is None:
        return NOTHING
    if moment <= now:
        return "due"
    return "soon" if (moment - now).total_seconds() < 60 else f"in {age(now, moment)}"


def clock(moment: datetime | None, now: datetime, zone: tzinfo | None, *, seconds: bool = True) -> str:
    """A moment in local time, with as much of the date as it needs.

    `zone` is where the reader is; None means the zone of this machine.
    """
    if moment is None:
        return NOTHING
    local, today = moment.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return local.strftime("%H:%M:%S" if seconds else "%H:%M")
    if local.year == today.year:
        return f"{local.day:>2} {local:%b %H:%M}"
    return f"{local:%Y-%m-%d %H:%M}"


def share(part: float | None) -> str:
    """A part of one as a percentage, cut and never rounded up: only all is ``100 %``.

    >>> [share(p) for p in (None, 1.0, 0.99999, 0.9821, 0.0)]
    ['—', '100 %', '99.99 %', '98.21 %', '0 %']
    """
    if part is None or not math.isfinite(part):
        return NOTHING
    hundredths = math.floor(round(min(max(part, 0.0), 1.0) * 10_000, 6))
    if hundredths % 100 == 0:
        return f"{hundredths // 100} %"
    return f"{hundredths / 100:.2f} %"


def number(value: float) -> str:
    """A metric: whole numbers whole, others with up to two decimals, large ones in groups of three."""
    if not math.isfinite(value):
        return NOTHING
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.2f}".rstrip("0").rstrip(".")


def amount(value: float, unit: str) -> str:
    """A large quantity with three significant figures and a decimal prefix.

    >>> [amount(n, "B/s") for n in (0, 999, 12_345, 3.4e6, 2.5e9)]
    ['0 B/s', '999 B/s', '12.3 kB/s', '3.4 MB/s', '2.5 GB/s']
    """
    if not math.isfinite(value):
        return NOTHING
    prefixes = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
    size, prefix = next((each for each in prefixes if abs(value) >= 0.9995 * each[0]), (1.0, ""))
    return f"{float(f'{value / size:.3g}'):g} {prefix}{unit}".rstrip()


def value(thing: object) -> str:
    """A setting's value in words: ``on``, ``off``, ``none``, lists joined by commas."""
    if thing is None:
        return "none"
    if isinstance(thing, bool):
        return "on" if thing else "off"
    if isinstance(thing, float):
        return number(thing)
    if isinstance(thing, (list, tuple)):
        return ", ".join(value(item) for item in thing) or "none"
    if isinstance(thing, dict):
        return ", ".join(f"{key}: {value(item)}" for key, item in thing.items()) or "none"
    return str(thing)


def silence(status: StatusLine) -> str:
    """How long no engine has given a sign of life, in whole minutes; empty while that is less than one."""
    minutes = int(status.newest_beat_age or 0) // 60
    return "" if not minutes else f"{minutes}m" if minutes < 60 else span(minutes * 60)


@dataclass(frozen=True, slots=True)
class Moment:
    """When and how a screen is looked at: the time, the reader's zone, and whether ages or times are shown."""

    now: datetime
    zone: tzinfo | None = None
    absolute: bool = False

    def when(self, moment: datetime | None) -> str:
        """A moment of the past as an age or as a time."""
        return clock(moment, self.now, self.zone) if self.absolute else age(moment, self.now)

    def brief(self, moment: datetime | None) -> str:
        """As `when`, in at most six characters."""
        return date(moment, self.now, self.zone) if self.absolute else brief(moment, self.now)

    def ahead(self, moment: datetime | None) -> str:
        """A moment to come as a distance or as a time."""
        return clock(moment, self.now, self.zone) if self.absolute else until(moment, self.now)
