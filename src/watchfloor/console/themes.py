"""Themes: files of named colours, found, read, judged, and turned into styles.

A theme is a file of YAML that names a colour for every role of `ROLES`. Themes come with the program and
from ``themes/`` in the user's configuration directory, where a file may replace one of ours by its name.
A file with a mistake is reported with line and remedy and never half used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.theme import Theme as TextualTheme

from watchfloor.config.document import Node, read_document
from watchfloor.config.problems import ConfigError, Mistakes, quoted, suggest
from watchfloor.config.watch import ConfigWatch
from watchfloor.console.places import directories

GROUNDS = ("background", "surface", "panel", "selection")
TEXTS = (
    *("text", "muted", "accent"),
    *("ok", "degraded", "failing", "unknown"),
    *("info", "warning", "critical", "emergency"),
)
ROLES = (*GROUNDS, *TEXTS, "border")
"""What a theme colours: four grounds, the texts that must be readable on each of them, and thin rules."""

ANSI = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
TERMINAL_COLOURS = ("default", *ANSI, *(f"bright_{name}" for name in ANSI))

DEFAULT = "night"
COLOURLESS = "terminal"
"""The theme that needs no colours of its own, used where NO_COLOR is set."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_KEYS = ("label", "dark", "ansi", "colours")


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme as its file says it. With ``ansi`` the colours are names of the terminal's own sixteen."""

    name: str
    label: str
    dark: bool
    ansi: bool
    colours: Mapping[str, str]


class Themes:
    """All themes of the given directories; a later directory replaces themes of earlier ones by name.

    Nothing is remembered: a file that is added, changed or removed is so at the next look.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        self._directories = tuple(directories)

    def _files(self) -> dict[str, Path]:
        return {path.stem: path for folder in self._directories for path in sorted(folder.glob("*.yaml"))}

    def names(self) -> tuple[str, ...]:
        """The names of the themes, the default first."""
        return tuple(sorted(self._files(), key=lambda name: (name != DEFAULT, name == COLOURLESS, name)))

    def get(self, name: str) -> Theme:
        """The theme called `name`, as its file is now. Raises ConfigError where it is missing or has mistakes."""
        path = self._files().get(name)
        if path is None:
            mistakes = Mistakes(f"{name}.yaml")
            known = ", ".join(self.names()) or "none: the program's themes are not installed"
            mistakes.add((0, 0), (), f"there is no theme {quoted(name)}", allowed=known)
            raise ConfigError(mistakes.all())
        return read_theme(path)

    def watch(self, name: str) -> ConfigWatch | None:
        """Tells when the file of this theme changes; None where there is none."""
        path = self._files().get(name)
        return None if path is None else ConfigWatch(path)


def theme_directories(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Where themes are looked for."""
    return directories("themes", environ)


def read_theme(path: Path) -> Theme:
    """Read and judge one file. Raises ConfigError with every mistake in it."""
    mistakes = Mistakes(f"{path.parent.name}/{path.name}")
    try:
        data = path.read_bytes()
    except OSError as error:
        mistakes.add((0, 0), (), f"the file cannot be read ({error.strerror})", hint="Check its permissions.")
        raise ConfigError(mistakes.all()) from error
    node = read_document(data, mistakes)
    theme = None if node is None else _theme(path.stem, node, mistakes)
    if mistakes or theme is None:
        raise ConfigError(mistakes.all())
    return theme


def _theme(name: str, node: Node, mistakes: Mistakes) -> Theme | None:
    if not isinstance(node.value, dict):
        mistakes.add(node.mark, (), "a theme is a mapping", allowed=", ".join(_KEYS))
        return None
    _check_keys(node, (), _KEYS, ("colours",), mistakes)
    ansi = _flag(node, "ansi", False, mistakes)
    colours = node.children.get("colours")
    if colours is None or not isinstance(colours.value, dict):
        mark = node.mark if colours is None else colours.mark
        mistakes.add(mark, ("colours",), "colours are missing", allowed="a colour for each role")
        return None
    _check_keys(colours, ("colours",), ROLES, ROLES, mistakes)
    for role, child in colours.children.items():
        if isinstance(role, str) and role in ROLES:
            _check_colour(role, child, ansi, mistakes)
    label = node.value.get("label", name)
    return Theme(name, str(label), _flag(node, "dark", True, mistakes), ansi, dict(colours.value))


def _check_keys(
    node: Node, path: tuple[str, ...], known: tuple[str, ...], needed: tuple[str, ...], mistakes: Mistakes
) -> None:
    for key, mark in node.keys.items():
        if key not in known:
            mistakes.add(mark, (*path, key), "unknown key", hint=suggest(key, known))
    for key in needed:
        if key not in node.keys:
            mistakes.add(node.mark, (*path, key), "this is missing", hint="Add it.")


def _flag(node: Node, key: str, default: bool, mistakes: Mistakes) -> bool:
    value = node.value.get(key, default)
    if isinstance(value, bool):
        return value
    mistakes.add(
        node.mark_of((key,)), (key,), "not a yes or no", found=quoted(str(value)), allowed="true, false"
    )
    return default


def _check_colour(role: str, node: Node, ansi: bool, mistakes: Mistakes) -> None:
    value = node.value
    if ansi and value not in TERMINAL_COLOURS:
        allowed = ", ".join(TERMINAL_COLOURS)
    elif not ansi and not (isinstance(value, str) and _HEX.fullmatch(value)):
        allowed = 'six hexadecimal digits between quotes, as in "#7ab8ff"'
    else:
        return
    mistakes.add(node.mark, ("colours", role), "not a colour", found=quoted(str(value)), allowed=allowed)


def textual_theme(theme: Theme) -> TextualTheme:
    """The theme for Textual's own widgets (inputs and scroll bars), with our roles as CSS variables."""
    prefix = "ansi_" if theme.ansi else ""
    colour = {role: prefix + value for role, value in theme.colours.items()}
    return TextualTheme(
        name=theme.name,
        primary=colour["accent"],
        secondary=colour["muted"],
        accent=colour["accent"],
        warning=colour["degraded"],
        error=colour["failing"],
        success=colour["ok"],
        foreground=colour["text"],
        background=colour["background"],
        surface=colour["surface"],
        panel=colour["panel"],
        dark=theme.dark,
        ansi=theme.ansi,
        variables={
            **{f"wf-{role}": value for role, value in colour.items()},
            **({"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"} if theme.ansi else {}),
            "scrollbar": colour["border"],
            "scrollbar-hover": colour["muted"],
            "scrollbar-active": colour["accent"],
            "scrollbar-background": colour["background"],
            "scrollbar-background-hover": colour["background"],
            "scrollbar-background-active": colour["background"],
            "scrollbar-corner-color": colour["background"],
            "input-cursor-background": colour["accent"],
            "input-cursor-foreground": colour["background"],
            "input-cursor-text-style": "reverse" if theme.ansi else "none",
            "input-selection-background": colour["selection"],
            "input-selection-foreground": colour["text"],
        },
    )
