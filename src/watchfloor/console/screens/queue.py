"""One queue of runs: how deep it was and how late its runs began, in charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from watchfloor.console.action import Scope
from watchfloor.console.draw.chart import chart
from watchfloor.console.format import Moment, latency, number
from watchfloor.console.line import Line, clean
from watchfloor.console.screens.charts import ChartRoom
from watchfloor.console.views.sections import heading
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.history import RANGES, Sample
from watchfloor.domain.job_boards import QueuePoint

ROWS = 9


class QueueRoom(ChartRoom, inherit_bindings=False):
    """The course of a queue over the stretch that all charts show."""

    ROOM: ClassVar[str] = "jobs"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT, Scope.CHARTS)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"jobs"})

    def __init__(self, queue: str) -> None:
        super().__init__()
        self._queue = queue
        self._points: Sequence[QueuePoint] = ()

    def place(self) -> None:
        """A queue has a name only."""

    @property
    def _length(self) -> timedelta:
        return RANGES[self.console_app.stretch]

    async def load(self) -> None:
        app = self.console_app
        since = app.present.now - self._length
        self._points = await app.reader.queue_course(self._queue, since)

    def show(self) -> None:
        points, moment, length = self._points, self.console_app.moment, self._length
        name = self.console_app.stretch
        self.pane.show(lambda cells: queue_lines(points, moment, length, name, cells))
        super().show()

    def summary(self) -> Summary:
        return [self.way()], self.conditions()

    def names(self) -> Sequence[str]:
        return (clean(self._queue),)


def queue_lines(
    points: Sequence[QueuePoint], moment: Moment, length: timedelta, name: str, cells: int
) -> list[Line]:
    """The charts of a queue."""
    if not points:
        return [(("Nothing is known of this time yet; queues are looked at each minute.", "muted"),)]
    begin, end = moment.now - length, moment.now
    parts = (
        ("RUNS THAT WAIT", [Sample(each.at, float(each.depth)) for each in points], number),
        ("RUNS THAT GO ON", [Sample(each.at, float(each.running)) for each in points], number),
        (
            "LATENESS OF STARTS",
            [Sample(each.at, each.lag_p50, peak=each.lag_p99) for each in points],
            latency,
        ),
    )
    lines: list[Line] = []
    for title, samples, label in parts:
        drawn = chart(samples, begin, end, cells, ROWS, label, moment.zone)
        if drawn:
            lines += [*heading(f"{title} · {name}", cells), *drawn]
    return lines[1:]
