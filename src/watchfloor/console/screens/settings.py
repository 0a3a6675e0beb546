"""The Settings room: what is configured and where that comes from, who runs, how the console looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from watchfloor.console.action import Context, Scope
from watchfloor.console.format import Moment, clock, latency, value
from watchfloor.console.line import Line, clean
from watchfloor.console.screens.acts import ask_to_change
from watchfloor.console.screens.channels import ChannelActs, ChannelRoom
from watchfloor.console.screens.dialogs import ConfirmDialog, shown_setting
from watchfloor.console.screens.sectioned import SectionedRoom
from watchfloor.console.screens.sections import (
    CHANNELS,
    COMPONENTS,
    CONFIGURATION,
    FILES,
    NODES,
    Named,
    Section,
    about,
    named_section,
)
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.themes import theme_directories
from watchfloor.console.views.sections import paragraphs
from watchfloor.domain.boards import SettingRow
from watchfloor.domain.channel_boards import ChannelRow

THEMES = "Themes"


class SettingsRoom(ChannelActs, SectionedRoom, inherit_bindings=False):
    """Seven tables, one at a time."""

    ROOM: ClassVar[str] = "settings"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ROOM, Scope.LIST, Scope.SETTINGS)
    TOPICS: ClassVar[frozenset[str]] = frozenset({"settings", "nodes", "outbox"})
    FIELDS: ClassVar[frozenset[str]] = frozenset(
        {
            "key",
            "category",
            "source",
            "text",
            "node",
            "name",
            "machine",
            "state",
            "component",
            "value",
            "kind",
        }
    )

    def __init__(self) -> None:
        self._kept_theme = ""
        super().__init__()

    def make_parts(self) -> Sequence[Section]:
        return (
            CONFIGURATION,
            FILES,
            CHANNELS,
            NODES,
            COMPONENTS,
            named_section(THEMES, "theme", self._themes),
            named_section("About", "line", self._about),
        )

    def _themes(self) -> Sequence[Named]:
        app = self.console_app
        return [Named(name, label, note) for name, label, note in app.theme_list(self._kept_theme)]

    def _about(self) -> Sequence[Named]:
        status = self.console_app.status
        return about(status.database if status else "", [str(path) for path in theme_directories()])

    @property
    def section(self) -> Section:
        """The section on the screen."""
        part = self.part
        assert isinstance(part, Section)
        return part

    @classmethod
    def places(cls) -> Iterable[tuple[Scope, ...]]:
        return [cls.SCOPES, (*cls.SCOPES, Scope.CHANNELS)]

    def own_scopes(self) -> Sequence[Scope]:
        return (Scope.CHANNELS,) if self.section is CHANNELS else ()

    async def read_rows(self) -> Sequence[Any]:
        return await self.section.read(self.console_app.reader)

    async def load(self) -> None:
        self._kept_theme = self._kept_theme or self.console_app.theme_in_use.name
        first = not self.table.rows.all
        await super().load()
        if first and self.section.name == THEMES:
            self.table.select(self._kept_theme)  # a preview of another one begins only when somebody moves

    def context(self) -> Context:
        row = self.selected
        setting = row if isinstance(row, SettingRow) else None
        verb = "use" if self.section.name == THEMES else "change" if setting else "open"
        channel = row if isinstance(row, ChannelRow) else None
        return replace(super().context(), setting=setting, channel=channel, verb=verb)

    def section_left(self) -> None:
        self._drop_preview()

    # Changing

    def do_change(self) -> None:
        row = self.selected
        if isinstance(row, SettingRow):
            self._change(row)
        elif self.section.name == THEMES and isinstance(row, Named):
            self._kept_theme = row.name
            self.console_app.choose_theme(row.name)
            self.look_again()
        elif isinstance(row, ChannelRow):
            self.app.push_screen(ChannelRoom(row))
        elif row is not None:
            name = clean(str(getattr(row, "name", self.section.noun)))
            self.app.push_screen(TextRoom("settings", name, lambda m, cells: row_lines(row, m, cells)))

    def _change(self, row: SettingRow) -> None:
        reason = self.context().barred
        if reason is not None:
            self.console_app.say(((f"change: {reason}", "degraded"),))
        else:
            ask_to_change(self.console_app, row)

    def do_reset(self) -> None:
        row = self.selected
        if not isinstance(row, SettingRow):
            return
        app, operator = self.console_app, self.console_app.operator
        default = shown_setting(row, row.default)

        def done(sure: bool | None) -> None:
            if sure:
                app.operate(lambda: operator.reset_setting(row.key), f"{row.key} is {default} again")

        title: Line = (("Reset ", "muted"), (clean(row.key), "title"))
        words = [f"from {shown_setting(row, row.value)} to its default {default}. One setting changes."]
        app.push_screen(ConfirmDialog(title, words), done)

    # The theme under the cursor is shown at once, and kept only by enter

    def selected_changed(self) -> None:
        row = self.selected
        if self.section.name == THEMES and isinstance(row, Named):
            self.console_app.use_theme(row.name)

    def _drop_preview(self) -> None:
        if self.section.name == THEMES and self._kept_theme:
            self.console_app.use_theme(self._kept_theme)

    def on_screen_suspend(self) -> None:
        self._drop_preview()


def row_lines(row: object, moment: Moment, cells: int) -> list[Line]:
    """Every field of a row, for rows whose table has not room for all."""
    if not is_dataclass(row):
        return []
    items = [
        (field.name.replace("_", " "), _words(field.name, getattr(row, field.name), moment))
        for field in dataclass_fields(row)
    ]
    return paragraphs([(name, words) for name, words in items if words], cells)


def _words(name: str, thing: object, moment: Moment) -> str:
    if name == "duration" and isinstance(thing, float):
        return latency(thing)
    if isinstance(thing, datetime):
        return clock(thing, moment.now, moment.zone)
    if is_dataclass(thing):
        return ""
    return clean(value(thing))
