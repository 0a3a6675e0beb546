"""The Health room: every service with its state, the most urgent first, in groups if wanted; then what watches them.

Other sections hold maintenance windows, the nodes and their components. On wide screens what is under the cursor is
shown in full beside the list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.draw.uptime import proportions
from watchfloor.console.filters import Fields
from watchfloor.console.glyphs import PAUSED, PENDING, STATUS, Mark, health, tally
from watchfloor.console.line import EMPTY, Line, Piece, clean, says
from watchfloor.console.screens.acts import AlertActs, ServiceActs
from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.database_section import DATABASES, database_order
from watchfloor.console.screens.health_columns import URGENCY, Shown, columns
from watchfloor.console.screens.health_sections import SECTIONS, SERVICES
from watchfloor.console.screens.listing import Grade
from watchfloor.console.screens.node import NodeRoom, about_node
from watchfloor.console.screens.sectioned import Part, SectionedRoom
from watchfloor.console.screens.sections import Section
from watchfloor.console.screens.service import ServiceRoom, problem_began
from watchfloor.console.screens.settings import row_lines
from watchfloor.console.screens.several import Subject
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.screens.travel import Travels
from watchfloor.console.views.database import database_lines
from watchfloor.console.views.group import group_lines
from watchfloor.console.views.node import AboutNode, component_lines, node_lines
from watchfloor.console.views.service import service_lines
from watchfloor.console.widgets.pane import Maker
from watchfloor.console.widgets.table import Table
from watchfloor.domain.boards import ComponentRow, HealthRow, NodeRow, ServiceDetail
from watchfloor.domain.databases import DatabaseRow
from watchfloor.domain.grouping import By, Group, groups
from watchfloor.domain.history import RANGES, History
from watchfloor.domain.outcome import Status
from watchfloor.domain.words import count


def fleet(rows: Sequence[HealthRow]) -> list[tuple[int, Mark]]:
    """How many services are in each state, the most urgent state first."""
    marks = [STATUS[status] for status in (Status.FAILING, Status.DEGRADED, Status.UNKNOWN)]
    numbers = Counter(health(row) for row in rows)
    return [(numbers[mark], mark) for mark in (*marks, PENDING, STATUS[Status.OK], PAUSED)]


class HealthRoom(ServiceActs, AlertActs, Travels, BesideRoom[Any], SectionedRoom, inherit_bindings=False):
    """The board of services, and beside it what watches them."""

    ROOM: ClassVar[str] = "health"
    SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS, Scope.SERVICE, Scope.ALERT),
        *(Scope.PAST, Scope.SECTIONS, Scope.GROUPS),
    )
    OTHER_SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS, Scope.SECTIONS),
    )
    DATABASE_SCOPES: ClassVar[tuple[Scope, ...]] = (
        *(Scope.ROOM, Scope.LIST, Scope.ACROSS, Scope.OPENS, Scope.SERVICE, Scope.ALERT, Scope.SECTIONS),
    )
    TRAVELS: ClassVar[bool] = True
    TOPICS: ClassVar[frozenset[str]] = frozenset({"health", "services", "alerts", "checks", "nodes"})
    FROZEN: ClassVar[int] = 2
    FIELDS: ClassVar[frozenset[str]] = frozenset(
        {"name", "state", "kind", "group", "tag", "environment", "owner", "is", "says"}
        | {"node", "machine", "component", "query", "address"}
    )

    def __init__(self) -> None:
        self._by = By.NOTHING
        self._folded: set[str] = set()
        super().__init__()
        self._detail: ServiceDetail | None = None
        self._history: History | None = None
        self._detail_of: HealthRow | None = None
        self._node: AboutNode | None = None
        self._fleet: list[tuple[int, Mark]] = []

    # Sections

    def make_parts(self) -> Sequence[Part]:
        return (SERVICES, *SECTIONS)

    def make_tables(self) -> Sequence[Table[Any]]:
        services: Table[Any] = Table(
            columns(self.is_folded), self.key, order=_order, frozen=self.FROZEN, id="body"
        )
        services.add_class("section")
        return [services, *super().make_tables()[1:]]

    def make_table(self, place: int) -> Table[Any]:
        part = self.parts[place]
        order = database_order if part is DATABASES else None
        return Table(part.columns, part.key, order=order, id=f"section-{place}")

    @property
    def on_services(self) -> bool:
        """Whether the services are on the screen."""
        return self.part is SERVICES

    @property
    def on_databases(self) -> bool:
        """Whether the databases are on the screen."""
        return self.part is DATABASES

    def scopes(self) -> Sequence[Scope]:
        found = super().scopes()
        if found != self.SCOPES or self.on_services:
            grouped = found == self.SCOPES and isinstance(self.selected, Group)
            return [scope for scope in found if scope is not Scope.ALERT] if grouped else found
        return self.DATABASE_SCOPES if self.on_databases else self.OTHER_SCOPES

    def go_on(self, step: int) -> None:
        if self.console_app.wanted is not None:
            self.console_app.say(says("only services show the past; return to the present first", "muted"))
        else:
            super().go_on(step)

    def do_travel(self) -> None:
        if not self.on_services:
            self.go_on(-self.parts.index(self.part))
        super().do_travel()

    # Rows

    async def read_rows(self) -> Sequence[Any]:
        part = self.part
        if isinstance(part, Section):
            return await part.read(self.console_app.reader)
        return await self.read(lambda boards: boards.health())

    def take(self, rows: Sequence[Any]) -> None:
        if self.on_services:
            self._fleet = fleet(rows)

    def key(self, row: Any) -> Hashable:
        if isinstance(row, Group):
            return ("group", row.name)
        return row.id if isinstance(row, HealthRow) else super().key(row)

    def fields(self, row: Any) -> Fields:
        return service_fields(row) if isinstance(row, HealthRow) else super().fields(row)

    def is_fault(self, row: Any) -> bool:
        if isinstance(row, Group):
            return False
        if not isinstance(row, HealthRow):
            return super().is_fault(row)
        return not row.paused and (row.hard not in (Status.OK, None) or row.status not in (Status.OK, None))

    def is_hit(self, row: Any) -> bool:
        return not isinstance(row, Group) and super().is_hit(row)

    def grade(self, row: Any) -> Grade:
        if not isinstance(row, HealthRow):
            return super().grade(row)
        if not self.is_fault(row):
            return Grade.FINE
        return Grade.ERROR if row.hard is Status.FAILING else Grade.WARNING

    def empty(self) -> Line:
        if not self.on_services:
            return super().empty()
        if self.journey is not None:
            return (("No service was watched then.", "muted"),)
        return (
            ("No services yet. ", "muted"),
            ("+", "key"),
            (" defines one here; write others under ", "muted"),
            ("services:", "key"),
            (" in config.yaml.", "muted"),
        )

    # Groups

    def is_folded(self, group: Group) -> bool:
        """Whether of this group only the head is shown."""
        return group.name in self._folded

    def _weave(self, rows: Sequence[Shown]) -> Sequence[Shown]:
        found: list[Shown] = []
        for group in groups((row for row in rows if isinstance(row, HealthRow)), self._by):
            found.append(group)
            if not self.is_folded(group):
                found += group.rows
        return found

    def _regroup(self) -> None:
        self.tables[0].set_weave(None if self._by is By.NOTHING else self._weave)
        self.renew_bars()
        self.selected_changed()

    def do_group_by(self) -> None:
        kinds = list(By)
        self._by = kinds[(kinds.index(self._by) + 1) % len(kinds)]
        self._folded.clear()
        self._regroup()

    def do_fold_all(self) -> None:
        every = {row.name for row in self.tables[0].rows.shown if isinstance(row, Group)}
        self._folded = set() if every <= self._folded else every
        self._regroup()

    def keep(self) -> dict[str, object]:
        return {**super().keep(), "by": str(self._by), "folded": sorted(self._folded)[:200]}

    def restore(self, kept: Mapping[str, object]) -> None:
        match kept:
            case {"by": str(by), "folded": [*folded]} if by in list(By):
                self._by, self._folded = By(by), {str(each) for each in folded}
                self._regroup()
        super().restore(kept)

    # What is said

    def pieces(self) -> Sequence[Piece]:
        found = list(super().pieces())
        if not self.on_services:
            return found
        total = sum(number for number, _ in self._fleet)
        found.append(Piece((says(count(total, "service"), "title"),), rank=1))  # the status bar has it, too
        for rank, (number, mark) in enumerate(self._fleet):
            found += tally(number, mark, rank=8 - rank)
        if self._by is not By.NOTHING:
            found.append(Piece((says(f"by {self._by}", "accent"),), rank=5))
        return found

    def rule(self, cells: int) -> Line:
        return proportions(
            [(number, "border" if mark in (PAUSED, PENDING) else mark.role) for number, mark in self._fleet],
            cells,
        )

    def context(self) -> Context:
        selected = self.selected
        row = service_of(selected)
        state = "" if row is None else _alert_state(row)
        subjects = self.marked_subjects()
        verb = ""
        if isinstance(selected, Group):
            verb = "unfold" if self.is_folded(selected) else "fold"
        elif row is not None and not row.paused and row.hard not in (Status.OK, None):
            verb = "see why"  # its detail begins with that
        return replace(
            super().context(),
            service=row,
            alert_id=row.alert_id if row else None,
            alert_state=state,
            began=problem_began(row) if row else None,
            marked_firing=sum(each.state == "firing" for each in subjects),
            marked_open=len(subjects),
            verb=verb,
            grouped="" if self._by is By.NOTHING else str(self._by),
            group=isinstance(selected, Group),
        )

    def marked_subjects(self) -> Sequence[Subject]:
        return [
            Subject(row.alert_id, f"{row.name} is {health(row).word}", health(row).word, _alert_state(row))
            for row in map(service_of, self.table.rows.marked)
            if row is not None and row.alert_id is not None
        ]

    def marks_used(self) -> None:
        self.do_clear_marks()

    def alert_title(self) -> str:
        row = service_of(self.selected)
        return "" if row is None else f"{row.name} is {health(row).word}"

    # Opening

    def do_open(self) -> None:
        row, service = self.selected, service_of(self.selected)
        if isinstance(row, Group):
            self._folded ^= {row.name}
            self._regroup()
        elif service is not None:
            self.app.push_screen(ServiceRoom(service.id))
        elif isinstance(row, NodeRow):
            self.app.push_screen(NodeRoom(row.id, row.name))
        elif isinstance(row, ComponentRow):
            name = clean(row.component)
            self.app.push_screen(TextRoom("health", name, lambda m, cells: component_lines(row, m, cells)))
        elif row is not None:
            name = clean(str(getattr(row, "component", "") or row.name))
            self.app.push_screen(TextRoom("health", name, lambda m, cells: row_lines(row, m, cells)))

    def do_edit_service(self) -> None:
        """Of a group its score in full, of a service its definition."""
        group = self.selected
        if isinstance(group, Group):
            name = clean(group.title)
            self.app.push_screen(TextRoom("health", name, lambda m, cells: group_lines(group, m, cells)))
        else:
            super().do_edit_service()

    # Beside the list

    async def read_beside(self) -> None:
        row, service = self.selected, service_of(self.selected)
        if service is not None and service == self._detail_of:
            return
        self._detail = self._history = self._node = None
        if isinstance(row, NodeRow):
            self._node = await about_node(self.console_app.reader, row.id)
        if service is not None:
            self._detail = await self.read(lambda boards: boards.service(service.id))
            self._history = await self._read_history(service.id)
        self._detail_of = service

    async def _read_history(self, service_id: int) -> History:
        app = self.console_app
        end = app.moment.now
        return await app.reader.history(service_id, end - RANGES[app.stretch], end)

    def beside(self) -> Maker:
        row, detail, history, moment = self.selected, self._detail, self._history, self.console_app.moment
        if isinstance(row, Group):
            return lambda cells: group_lines(row, moment, cells)
        node = self._node
        if isinstance(row, NodeRow) and node is not None and node.row.id == row.id:
            return lambda cells: node_lines(node, None, moment, cells)
        if isinstance(row, ComponentRow):
            return lambda cells: component_lines(row, moment, cells)
        if isinstance(row, DatabaseRow):
            return lambda cells: [
                *database_lines(row, moment, cells),
                *(
                    []
                    if detail is None
                    else [EMPTY, *service_lines(detail, history, moment, cells, titled=True)]
                ),
            ]
        if row is not None and service_of(row) is None:
            return lambda cells: row_lines(row, moment, cells)
        if detail is None or row is None:
            return lambda cells: []
        return lambda cells: service_lines(detail, history, moment, cells, titled=True)


def service_of(row: Any) -> HealthRow | None:
    """The service that a row is, or that stands for the database that it is."""
    if isinstance(row, DatabaseRow):
        return row.service
    return row if isinstance(row, HealthRow) else None


def _order(row: HealthRow) -> tuple[Any, ...]:
    return (URGENCY[health(row).word], row.acknowledged, row.name.casefold(), row.id)


def _alert_state(row: HealthRow) -> str:
    return "acknowledged" if row.acknowledged else "firing"


def service_fields(row: HealthRow) -> Fields:
    """What can be searched in a service; ``is`` holds what lies over its state."""
    lost = bool(row.root) and row.hard is Status.FAILING
    over = {"planned": row.planned, "flapping": row.flapping, "unreachable": lost}
    return {
        "name": row.name.casefold(),
        "state": health(row).word,
        "kind": row.kind.casefold(),
        "group": row.group.casefold(),
        "tag": " ".join(row.tags).casefold(),
        "environment": row.environment.casefold(),
        "owner": row.owner,
        "is": " ".join(word for word, holds in over.items() if holds),
        "says": row.summary.casefold(),
    }
