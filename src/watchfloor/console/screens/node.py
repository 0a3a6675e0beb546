"""One node in full: who it is, its components, and its figures over the stretch that all charts show."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import ClassVar

from watchfloor.console.action import Scope
from watchfloor.console.line import Line, Piece, clean, says
from watchfloor.console.reader import Reader
from watchfloor.console.screens.charts import ChartRoom
from watchfloor.console.screens.sections import node_mark
from watchfloor.console.views.node import AboutNode, node_lines
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.history import RANGES
from watchfloor.domain.node import NodeCourse

PACE_S = 2.0
"""Nodes beat this often; more often there is nothing new."""

COURSE_S = 15.0
"""Figures are kept by the minute."""


async def about_node(reader: Reader, node_id: int) -> AboutNode | None:
    """What is known of a node now; None where it is not known any more."""
    row = next((row for row in await reader.nodes() if row.id == node_id), None)
    if row is None:
        return None
    worker = next((each for each in await reader.workers() if each.node == row.name), None)
    components = [each for each in await reader.components() if each.node_id == node_id]
    return AboutNode(row, worker, await reader.config_files(), components)


class NodeRoom(ChartRoom, inherit_bindings=False):
    """Identity, work, configuration, figures over time and components of a node."""

    ROOM: ClassVar[str] = "health"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.TEXT, Scope.CHARTS)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"nodes"})

    def __init__(self, node_id: int, name: str) -> None:
        super().__init__()
        self._node_id, self._node = node_id, name
        self._about: AboutNode | None = None
        self._course: NodeCourse | None = None
        self._shown_stretch = ""
        self._read_at = self._course_at = 0.0
        self._gone = False

    def place(self) -> None:
        """It is opened from the list of nodes only."""

    async def load(self) -> None:
        app, reader = self.console_app, self.console_app.reader
        self._about = await about_node(reader, self._node_id)
        self._gone = self._about is None
        stretch = app.stretch
        if self._shown_stretch != stretch or monotonic() - self._course_at >= COURSE_S:
            self._course = await reader.node_course(self._node_id, RANGES[stretch])
            self._shown_stretch, self._course_at = stretch, monotonic()
        self._read_at = monotonic()

    def wants(self, topics: frozenset[str]) -> bool:
        """Pulses about nodes come more often than anything on this screen changes."""
        urgent = topics - self.TOPICS
        return super().wants(urgent) or (super().wants(topics) and monotonic() - self._read_at >= PACE_S)

    def show(self) -> None:
        about, course, moment = self._about, self._course, self.console_app.moment
        if about is not None:
            self.pane.show(lambda cells: node_lines(about, course, moment, cells))
        elif self._gone:
            self.pane.show(lambda _: [says("This node is not known any more.", "muted")])
        super().show()

    def summary(self) -> Summary:
        if self._about is None:
            return [self.way()], self.conditions()
        row = self._about.row
        labels = " · ".join(clean(word) for word in (row.machine, row.environment, *row.tags) if word)
        left = [self.way(), Piece((node_mark(row).line,), 8)]
        return left, [*self.conditions(), Piece((says(labels, "muted"),), 2)]

    def names(self) -> Sequence[str]:
        return (clean(self._node),)

    def rule(self, cells: int) -> Line:
        role = node_mark(self._about.row).role if self._about else "border"
        return (("━" * cells, "border" if role == "muted" else role),)
