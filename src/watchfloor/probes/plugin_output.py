"""What a Nagios plugin prints: a line for people, and performance data.

As the Monitoring Plugins Development Guidelines say (monitoring-plugins.org/doc/guidelines.html, 2.2 and 2.6):
``text | 'label'=value[unit];[warn];[crit];[min];[max] …``, further lines of text, and after another ``|``
further data. Pure; this module must never raise for what a plugin prints.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

FIGURE_LIMIT = 50
"""How many figures of one output are kept."""

_FIGURE = re.compile(
    r"""\s*(?:'(?P<quoted>(?:[^']|'')*)'|(?P<plain>[^\s='|][^\s=']*))=
    (?P<value>-?\d{1,30}(?:[.,]\d{1,30})?(?:[eE][-+]?\d{1,3})?|U)(?P<unit>[a-zA-Z%µ]*)
    (?P<limits>(?:;[^\s;]*)*)""",
    re.VERBOSE | re.ASCII,
)
_UNITS = {
    "s": ("seconds", 1.0), "ms": ("seconds", 1e-3), "us": ("seconds", 1e-6), "µs": ("seconds", 1e-6),
    "ns": ("seconds", 1e-9), "%": ("percent", 1.0), "B": ("bytes", 1.0), "KB": ("bytes", 1024.0),
    "MB": ("bytes", 1024.0**2), "GB": ("bytes", 1024.0**3), "TB": ("bytes", 1024.0**4), "c": ("total", 1.0),
}  # fmt: skip


class Figure(NamedTuple):
    """One figure: its label, its value in seconds, bytes or percent where its unit says so, and that unit."""

    label: str
    value: float
    unit: str


class Said(NamedTuple):
    """A plugin's output taken apart: its first line, the lines after it, its figures."""

    summary: str
    details: str
    figures: tuple[Figure, ...]


def parse(output: str) -> Said:
    """Take the output of a plugin apart.

    >>> parse("DISK OK | /=2643MB;5948;5958;0;5968 time=12ms")[2]
    (Figure(label='/', value=2771386368.0, unit='bytes'), Figure(label='time', value=0.012, unit='seconds'))
    """
    first, _, rest = output.lstrip("\n").partition("\n")
    summary, _, data = first.partition("|")
    details, _, more = rest.partition("|")
    return Said(summary.strip(), details.strip(), tuple(_figures(f"{data} {more}")))


def _figures(data: str) -> list[Figure]:
    """Read figures until one is malformed; what is left out by the plugin ("U") is left out here."""
    found: list[Figure] = []
    position = 0
    while len(found) < FIGURE_LIMIT and (match := _FIGURE.match(data, position)):
        position = match.end()
        if match["value"] == "U":
            continue
        name = match["plain"] if match["quoted"] is None else match["quoted"].replace("''", "'")
        unit, factor = _UNITS.get(match["unit"], ("", 1.0))
        value = float(match["value"].replace(",", ".")) * factor
        if math.isfinite(value):
            found.append(Figure(name, value, unit))
    return found
