"""What every measurement needs: a ground of its own, figures with their budgets, and a report of them.

A measurement never fails because the machine is slow: it reports. It uses loopback only, leaves nothing behind,
and says on what machine and under which load its figures came about.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure: a value per repeat, of which the median counts.

    ``budget`` and ``peer`` are in the same unit; None where there is none. Smaller is better for all of them.
    """

    name: str
    unit: str
    values: Sequence[float]
    budget: float | None = None
    peer: float | None = None

    @property
    def value(self) -> float:
        """The median of the repeats."""
        return median(self.values)


@dataclass(slots=True)
class Report:
    """The figures of one script, with what a reader must know to judge them."""

    title: str
    peer: str = ""
    notes: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    load_before: tuple[float, float, float] = field(default_factory=os.getloadavg)

    def add(
        self,
        name: str,
        unit: str,
        values: Sequence[float],
        budget: float | None = None,
        peer: float | None = None,
    ) -> None:
        """Add a figure; see `Figure`."""
        self.figures.append(Figure(name, unit, values, budget, peer))

    def note(self, text: str) -> None:
        """Add a sentence that belongs to the figures."""
        self.notes.append(text)

    def show(self, as_json: bool) -> None:
        """Print the report, for people or as JSON."""
        if as_json:
            print(json.dumps(self._document(), indent=2))
            return
        print(self.title)
        print(f"  {machine()}; load {self.load_before[0]:.2f} before, {os.getloadavg()[0]:.2f} after")
        for note in self.notes:
            print(f"  {note}")
        print()
        width = max((len(figure.name) for figure in self.figures), default=0)
        for figure in self.figures:
            print("  " + self._line(figure, width))

    def _line(self, figure: Figure, width: int) -> str:
        parts = [f"{figure.name:<{width}}  {shown(figure.value):>9} {figure.unit:<4}"]
        if len(set(figure.values)) > 1:
            parts.append(f"({shown(min(figure.values))} to {shown(max(figure.values))})")
        if figure.budget is not None:
            verdict = "within" if figure.value <= figure.budget else "OVER"
            share = f", {figure.value / figure.budget:.2f} of it" if figure.budget else ""
            parts.append(f"{verdict} the budget of {shown(figure.budget)}{share}")
        if figure.peer:
            parts.append(f"{self.peer}: {shown(figure.peer)}, ratio {figure.value / figure.peer:.2f}")
        return "  ".join(parts).rstrip()

    def _document(self) -> dict[str, object]:
        return {
            "title": self.title,
            "machine": machine(),
            "cores": os.cpu_count(),
            "load": {"before": self.load_before, "after": os.getloadavg()},
            "notes": self.notes,
            "figures": [
                {
                    "name": f.name,
                    "unit": f.unit,
                    "value": f.value,
                    "values": list(f.values),
                    "budget": f.budget,
                    "peer": self.peer if f.peer is not None else None,
                    "peer_value": f.peer,
                    "ratio": f.value / f.peer if f.peer else None,
                }
                for f in self.figures
            ],
        }


def shown(value: float) -> str:
    """A figure with three digits that mean something.

    >>> [shown(value) for value in (0.12345, 12.345, 1234.5, 0)]
    ['0.123', '12.3', '1,234', '0']
    """
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def machine() -> str:
    """The machine in a few words."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def arguments(about: str | None) -> argparse.Namespace:
    """The command line that every script has: ``quick`` and ``json``. ``about`` is the script's docstring."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--quick", action="store_true", help="a short run that shows that it works; coarse figures"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser.parse_args()


@contextmanager
def temporary_ground() -> Iterator[Path]:
    """A new directory that also the account of the embedded server may pass; removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="wf-bench-", dir="/tmp"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TooSlow(Exception):
    """Something did not come about within its patience; the message says what."""


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition. Raises `TooSlow`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TooSlow(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.02)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below or at which ``share`` of the values lie; 0 of none.

    >>> percentile([5, 1, 4, 2, 3], 0.5), percentile([1, 2], 0.99)
    (3, 2)
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def run(measure: Callable[[Report, bool], None], title: str, about: str | None) -> None:
    """Run one measurement as a program: what it could not measure becomes a note, never a traceback."""
    options = arguments(about)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave nothing behind either way
    report = Report(title)
    try:
        measure(report, options.quick)
    except TooSlow as error:
        report.note(f"stopped early: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if options.quick:
        report.note("a quick run: coarse figures")
    report.show(options.json)
