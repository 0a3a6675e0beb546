"""Colours on the wire: none with NO_COLOR, only the sixteen with the terminal's theme."""

from __future__ import annotations

import re

from console_pty import started, terminal

SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
TOUR = (b"2", b"3", b"a", b"\x1b", b"4", b"\r", b"5", b"\t\t\t\t", b"?", b"\x1b", b"1", b"\r", b"j")


def colours(output: bytes) -> set[int]:
    """Every parameter of an SGR sequence that sets a foreground or background colour."""
    found: set[int] = set()
    for match in SGR.finditer(output):
        numbers = [int(part) for part in re.split(rb"[;:]", match[1]) if part]
        found.update(n for n in numbers if 30 <= n <= 49 or 90 <= n <= 107)
    return found


def tour(**options: object) -> bytes:
    with terminal(**options) as seen:  # type: ignore[arg-type]
        seen.until(started)
        for keys in TOUR:
            seen.type(keys)
            seen.still(0.15)
        return bytes(seen.output)


def test_with_no_color_no_colour_of_any_kind_is_sent_on_any_screen() -> None:
    output = tour(environ={"NO_COLOR": "1"})
    assert colours(output) == set()
    assert b"\x1b[7m" in output or b";7m" in output or b"\x1b[1;7m" in output  # the cursor is reverse video
    assert "✘ failing".encode() in output


def test_the_terminals_own_theme_uses_its_sixteen_colours_alone() -> None:
    output = tour(setup="world, options = World(), {'theme': 'terminal'}")
    assert colours(output)
    assert colours(output).isdisjoint({38, 48})


def test_an_empty_no_color_counts_as_not_set() -> None:
    with terminal(environ={"NO_COLOR": ""}) as seen:
        assert colours(seen.until(started))
