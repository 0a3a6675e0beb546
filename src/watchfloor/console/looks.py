"""What the console looks like: the theme in use, followed in its file, and no colour at all where none is wanted.

A theme with mistakes is said and never half worn; what was in use stays.
"""

from __future__ import annotations

import os
from pathlib import Path

from textual.filter import LineFilter, Monochrome, NoColor

from watchfloor.config.problems import ConfigError
from watchfloor.config.watch import ConfigWatch
from watchfloor.console.colourless import Colourless
from watchfloor.console.doings import Doings
from watchfloor.console.ink import Inks
from watchfloor.console.themes import COLOURLESS, DEFAULT, Theme, Themes, textual_theme
from watchfloor.console.widgets.lines import Lines


class Looks(Doings, inherit_bindings=False):
    """The part that wears a theme."""

    themes: Themes
    theme_in_use: Theme
    inks: Inks
    _theme_file: ConfigWatch | None = None

    def _start_theme(self, name: str) -> None:
        self._filters: list[LineFilter] = [
            each for each in self._filters if not isinstance(each, Monochrome | NoColor)
        ]
        self.no_color = bool(os.environ.get("NO_COLOR"))
        if self.no_color:
            self._filters.append(Colourless())
            name = COLOURLESS
        try:
            self._wear(self.themes.get(name))
        except ConfigError as error:
            self._wear(self.themes.get(DEFAULT))
            self.notice = ((f"▲ {error.problems[0]}", "degraded"),)

    def _wear(self, theme: Theme) -> None:
        self.theme_in_use = theme
        self.inks = Inks(theme)
        self._theme_file = self.themes.watch(theme.name)
        self.follow_files()
        self.register_theme(textual_theme(theme))
        self.theme = theme.name

    def followed(self) -> tuple[Path, ...]:
        return (*super().followed(), *(() if self._theme_file is None else (self._theme_file.path,)))

    def use_theme(self, name: str) -> None:
        """Change the theme at once; one with mistakes is reported and not used."""
        if not self.no_color and name != self.theme_in_use.name:
            self._change_theme(name)

    def _change_theme(self, name: str) -> bool:
        """Show the theme of this name as its file is now; False where that has mistakes."""
        try:
            self._wear(self.themes.get(name))
        except ConfigError as error:
            self.say(((f"▲ {error.problems[0]}", "degraded"),))
            return False
        for stack in self._screen_stacks.values():
            for screen in stack:
                for widget in screen.query(Lines):
                    widget.refresh()
        return True

    def _look_at_theme(self) -> None:
        """Whoever saves the file of the theme in use sees it here within a second."""
        if self._theme_file is None or not self._theme_file.changed():
            return
        if self._change_theme(self.theme_in_use.name):
            self.refresh_css(animate=False)  # Textual does so only where the name is another
            self.say(((f"✓ theme {self.theme_in_use.label}, as saved just now", "ok"),))

    def choose_theme(self, name: str) -> None:
        """Use a theme and remember it."""
        if self.no_color:
            self.say((("NO_COLOR is set: no theme has colours", "degraded"),))
            return
        self.use_theme(name)
        if self.theme_in_use.name == name:
            self.remember("theme", name)
            self.say(((f"✓ theme {self.theme_in_use.label}", "ok"),))

    def theme_list(self, kept: str) -> list[tuple[str, str, str]]:
        """Name, label and note of every theme; of one with mistakes, the first mistake."""
        found = []
        for name in self.themes.names():
            try:
                label, note = self.themes.get(name).label, "in use" if name == kept else ""
            except ConfigError as error:
                label, note = "cannot be used", str(error.problems[0])
            found.append((name, label, note))
        return found
