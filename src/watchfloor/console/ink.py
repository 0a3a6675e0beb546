"""Ink: the styles of a theme, one for each role on each ground.

Drawing code names roles, never colours. Some roles are derived from those of the theme file, such as a
title or the cell of an active tab; `DERIVED` is the list of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.style import Style

from watchfloor.console.themes import GROUNDS, ROLES, Theme


@dataclass(frozen=True, slots=True)
class Derived:
    """A role made from others: its colour, and what else makes it stand out.

    ``solid`` swaps text and ground: words in the colour of the background on a block of the role's colour.
    """

    role: str
    bold: bool = False
    solid: bool = False
    underline: bool = False


DERIVED: Mapping[str, Derived] = {
    "title": Derived("text", bold=True),
    "header": Derived("muted", bold=True),
    "key": Derived("accent", bold=True),
    "cursor": Derived("accent", bold=True),
    "tab": Derived("accent", bold=True, solid=True),
    "choice": Derived("accent", bold=True, solid=True),
    "found": Derived("warning", solid=True),
    "alarm": Derived("failing", bold=True, solid=True),
    "caution": Derived("degraded", bold=True, solid=True),
    "emergency": Derived("emergency", bold=True),
}


class Inks:
    """The Rich style of every role on every ground of one theme."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._styles: dict[tuple[str, str], Style] = {}

    def style(self, role: str, ground: str = "background") -> Style:
        """The style of text in `role` on `ground`. Raises KeyError for a role that no theme has."""
        key = (role, ground)
        found = self._styles.get(key)
        if found is None:
            found = self._styles[key] = (
                self._ansi(role, ground) if self._theme.ansi else self._rgb(role, ground)
            )
        return found

    def _rgb(self, role: str, ground: str) -> Style:
        colours = self._theme.colours
        derived = DERIVED.get(role) or Derived(role)
        front, back = colours[derived.role], colours[ground]
        if derived.solid:
            front, back = colours["background"], front
        return Style(
            color=front, bgcolor=back, bold=derived.bold or None, underline=derived.underline or None
        )

    def _ansi(self, role: str, ground: str) -> Style:
        """With colours nobody knows only reverse video is sure to be readable, so it marks what is chosen."""
        derived = DERIVED.get(role) or Derived(role)
        bold = derived.bold or None
        if ground == "selection":
            return Style(reverse=True, bold=bold)
        colours = self._theme.colours
        return Style(
            color=colours[derived.role],
            bgcolor=colours[ground],
            bold=bold,
            dim=derived.role == "muted" or None,
            reverse=derived.solid or None,
        )


def known_roles() -> frozenset[str]:
    """Every role that may be drawn with."""
    return frozenset(ROLES) - frozenset(GROUNDS) | frozenset(DERIVED)
