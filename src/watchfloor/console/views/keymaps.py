"""The page about key maps: which there are, which is in use, and every mistake in one that cannot be used. Pure."""

from __future__ import annotations

from watchfloor.config.problems import ConfigError
from watchfloor.console.keymaps import Keymaps
from watchfloor.console.line import Line, clean, wrap
from watchfloor.console.places import directories
from watchfloor.console.views.sections import heading


def keymap_lines(keymaps: Keymaps, used: str, cells: int) -> list[Line]:
    """Each key map with its label; under one with mistakes, what they are and how to mend them."""
    lines: list[Line] = []
    for name in keymaps.names():
        lines += heading(clean(name).upper(), cells)
        try:
            label = clean(keymaps.get(name).label)
            lines.append(((label, "text"), ("   in use" if name == used else "", "ok")))
        except ConfigError as error:
            for problem in error.problems:
                lines += wrap(f"▲ {problem}", cells, "degraded", limit=20)
    own = directories("keymaps")[-1]
    lines += heading("YOUR OWN", cells)
    lines += wrap(f"Files of YAML in {own}; docs/keys.md shows one. :keys NAME uses it.", cells, "muted")
    return lines
