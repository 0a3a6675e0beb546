"""Carries out what was typed into the command line.

A plan is made while the line is still open, so that a mistake can be told there; what it returns is run when the
line is closed. Nothing that an action asks about is done here without the same question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from watchfloor.config.problems import ConfigError
from watchfloor.console.commands import SECTIONS, Command, Mistake, Order, Value, number, pick
from watchfloor.console.screens.acts import (
    ask_to_acknowledge,
    ask_to_change,
    ask_to_resolve,
    check_now,
    set_paused,
)
from watchfloor.console.screens.alert import AlertRoom
from watchfloor.console.screens.board import BoardRoom
from watchfloor.console.screens.incident import IncidentRoom
from watchfloor.console.screens.job import JobRoom
from watchfloor.console.screens.rule import RuleRoom
from watchfloor.console.screens.run import RunRoom
from watchfloor.console.screens.sectioned import SectionedRoom
from watchfloor.console.screens.service import ServiceRoom
from watchfloor.console.screens.several import Subject
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.views.keymaps import keymap_lines
from watchfloor.domain.boards import AlertDetail, HealthRow, SettingRow
from watchfloor.domain.job_boards import JobRow, RunDetail
from watchfloor.domain.moments import parse_moment
from watchfloor.domain.post_mortem import IncidentReport
from watchfloor.domain.rule_boards import RuleRow

if TYPE_CHECKING:
    from watchfloor.console.screens.room import Room

Plan = Callable[[], object]
R = TypeVar("R")


class Orders:
    """Orders given from one room."""

    def __init__(self, room: Room, news: Callable[[], None]) -> None:
        """`news` hears that more values can be suggested than before."""
        self._room, self._app, self._news = room, room.console_app, news
        self._read: dict[str, list[Value]] = {}

    def plan(self, order: Order) -> Plan:
        """What is to be run when the line is closed. Raises Mistake."""
        command = order.command
        if command.argument is not None and (order.words or command.action is None):
            plan: Plan = getattr(self, f"plan_{command.argument.order}")(order)
            return plan
        action = command.action
        if action is None:
            raise Mistake(f"{command.name} does nothing by itself.")
        scopes = action.scopes & set(self._room.scopes())
        if not scopes:
            where = ", ".join(sorted(scope.value for scope in action.scopes))
            raise Mistake(f"{command.name} is for {where}; there are none on this screen.")
        self._refuse_action(order)
        return lambda: self._room.action_run(action.id)

    def _refuse_action(self, order: Order) -> None:
        action = order.command.action
        reason = action.why_disabled(self._room.context()) if action else None
        if reason is not None:
            raise Mistake(f"Not now: {reason}.")

    # What may stand after a command

    def values(self, command: Command) -> Iterable[Value]:
        """The words that are suggested after this command; those of the database as soon as they are read."""
        kind = command.argument.values if command.argument else ""
        if kind == "themes":
            return [(name, label) for name, label, _ in self._app.theme_list(self._app.theme_in_use.name)]
        if kind == "keymaps":
            return [(name, "in use" if name == self._app.keymap.name else "") for name in self._keymaps]
        if kind == "fields":
            target = self._app.MODES.get(command.name, type(self._room))
            known = target.FIELDS if isinstance(target, type) and issubclass(target, BoardRoom) else ()
            return [(f"{field}:", f"what the field {field} must hold") for field in sorted(known)]
        if kind not in self._read:
            self._read[kind] = []
            self._ask_for(kind)
        return self._read[kind]

    def _ask_for(self, kind: str) -> None:
        reader = self._app.reader
        questions: dict[str, Callable[[], Awaitable[Sequence[Value]]]] = {
            "services": lambda: _values(reader.health(), lambda row: (row.name, row.kind)),
            "settings": lambda: _values(reader.settings(), lambda row: (row.key, row.description)),
            "jobs": lambda: _values(reader.jobs(), lambda row: (row.name, row.kind)),
            "rules": lambda: _values(reader.rules(), lambda row: (row.name, row.words)),
            "alerts": lambda: _values(
                reader.alerts(resolved=False), lambda row: (str(row.id), f"{row.state}: {row.title}")
            ),
        }

        def read(values: Sequence[Value]) -> None:
            self._read[kind] = list(values)
            self._news()

        self._app.ask(questions[kind], read)

    # One for each kind of argument

    def plan_room(self, order: Order) -> Plan:
        return lambda: self._show(order.command.name, order.words)

    def plan_section(self, order: Order) -> Plan:
        room, section = SECTIONS[order.command.name]
        return lambda: self._show(room, order.words, section)

    def _show(self, room: str, words: str, section: str = "") -> None:
        self._app.go(room)
        if len(self._app.screen_stack) > 1:
            self._app.go(room)  # the list is what is filtered, not what was opened from it
        if len(self._app.screen_stack) > 1:
            return  # a form asks first whether what was filled in may be lost
        shown = self._app.room
        if section and isinstance(shown, SectionedRoom):
            shown.show_section(section)
        if shown is not None:
            shown.use_filter(words)

    def plan_filter(self, order: Order) -> Plan:
        return lambda: self._room.use_filter(order.words)

    def plan_help(self, order: Order) -> Plan:
        return lambda: self._room.help_with(order.words)

    def plan_moment(self, order: Order) -> Plan:
        self._refuse_action(order)
        try:
            at = parse_moment(order.words, self._app.present.now, self._app.zone)
        except ValueError as mistake:
            raise Mistake(str(mistake)) from None
        return lambda: self._app.travel(at)

    def plan_theme(self, order: Order) -> Plan:
        name = pick(order.words, self._app.themes.names(), "theme")
        return lambda: self._app.choose_theme(name)

    def plan_keys(self, order: Order) -> Plan:
        if not order.words:
            return self._show_keymaps
        name = pick(order.words, self._keymaps, "key map")
        try:
            self._app.keys.keymaps.get(name)
        except ConfigError as error:
            raise Mistake(str(error.problems[0])) from None
        return lambda: self._app.choose_keys(name)

    @property
    def _keymaps(self) -> tuple[str, ...]:
        return self._app.keys.keymaps.names()

    def _show_keymaps(self) -> None:
        keys, used = self._app.keys.keymaps, self._app.keymap.name
        page = TextRoom("settings", "keys", lambda _, cells: keymap_lines(keys, used, cells))
        self._app.push_screen(page)

    def plan_unlock(self, order: Order) -> Plan:
        if not self._app.locked:
            raise Mistake("This console is not locked.")
        return lambda: self._app.lock(False)

    def plan_alert(self, order: Order) -> Plan:
        word, _, note = order.words.partition(" ")
        alert_id, act = number(word), order.command.action
        if act is None:
            return lambda: self._app.push_screen(AlertRoom(alert_id))
        self._refuse_if_barred()

        def found(detail: AlertDetail | None) -> None:
            if detail is None:
                raise Mistake(f"There is no alert #{alert_id}.")
            reason = act.why_disabled(
                replace(self._room.context(), alert_id=alert_id, alert_state=detail.row.state, marked=False)
            )
            if reason is not None:
                raise Mistake(f"{act.label}: {reason}")
            if act.id == "acknowledge":
                ask_to_acknowledge(self._app, alert_id, detail.row.title, note.strip())
            else:
                ask_to_resolve(self._app, [Subject(alert_id, detail.row.title)], note.strip())

        return lambda: self._app.ask(lambda: self._app.reader.alert(alert_id), found)

    def plan_service(self, order: Order) -> Plan:
        name = order.command.name
        if name != "service":
            self._refuse_if_barred()

        def found(rows: Sequence[HealthRow]) -> None:
            chosen = pick(order.words, [row.name for row in rows], "service")
            row = next(row for row in rows if row.name == chosen)
            if name == "service":
                self._app.push_screen(ServiceRoom(row.id))
            elif name == "check-now":
                if row.paused:
                    raise Mistake(f"{row.name} is paused; resume it first")
                check_now(self._app, row)
            elif row.paused is (name == "pause"):
                raise Mistake(f"{row.name} is {'paused' if row.paused else 'watched'} already")
            else:
                set_paused(self._app, row, name == "pause")

        return lambda: self._app.ask(self._app.reader.health, found)

    def plan_job(self, order: Order) -> Plan:
        def found(rows: Sequence[JobRow]) -> None:
            chosen = pick(order.words, [row.name for row in rows], "job")
            self._app.push_screen(JobRoom(next(row.id for row in rows if row.name == chosen)))

        return lambda: self._app.ask(self._app.reader.jobs, found)

    def plan_rule(self, order: Order) -> Plan:
        def found(rows: Sequence[RuleRow]) -> None:
            chosen = pick(order.words, [row.name for row in rows], "rule")
            self._app.push_screen(RuleRoom(next(row for row in rows if row.name == chosen)))

        return lambda: self._app.ask(self._app.reader.rules, found)

    def plan_run(self, order: Order) -> Plan:
        run_id = number(order.words, "run")

        def found(detail: RunDetail | None) -> None:
            if detail is None:
                raise Mistake(f"There is no run #{run_id}.")
            self._app.push_screen(RunRoom(run_id))

        return lambda: self._app.ask(lambda: self._app.reader.run(run_id), found)

    def plan_incident(self, order: Order) -> Plan:
        incident_id = number(order.words, "incident")

        def found(report: IncidentReport | None) -> None:
            if report is None:
                raise Mistake(f"There is no incident #{incident_id}.")
            self._app.push_screen(IncidentRoom(incident_id))

        return lambda: self._app.ask(lambda: self._app.reader.incident_page(incident_id), found)

    def plan_setting(self, order: Order) -> Plan:
        self._refuse_if_barred()
        key, _, value = order.words.partition(" ")

        def found(rows: Sequence[SettingRow]) -> None:
            chosen = pick(key, [row.key for row in rows], "setting")
            row = next(row for row in rows if row.key == chosen)
            ask_to_change(self._app, row, value.strip() or None)

        return lambda: self._app.ask(self._app.reader.settings, found)

    def _refuse_if_barred(self) -> None:
        reason = self._room.context().barred
        if reason is not None:
            raise Mistake(f"Not now: {reason}.")


async def _values(rows: Awaitable[Sequence[R]], value: Callable[[R], Value]) -> Sequence[Value]:
    return [value(row) for row in await rows]
