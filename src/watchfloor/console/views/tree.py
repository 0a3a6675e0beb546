"""The dependencies of a service as a tree: what it needs, and what needs it."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.format import number
from watchfloor.console.glyphs import PAUSED, PENDING, STATUS, Mark, mark
from watchfloor.console.line import Line, clean, clip, clip_line, says, width, wrap
from watchfloor.console.views.sections import heading
from watchfloor.domain.tree import Branch, Tree
from watchfloor.domain.words import count

MARKS = {each.word: each for each in (*STATUS.values(), PENDING, PAUSED)}
ROOT = Mark("◆", "root cause", "failing")


def tree_lines(tree: Tree, cells: int) -> list[Line]:
    """Both directions; nothing where a service stands alone."""
    return [*needs_lines(tree, cells), *needed_by_lines(tree, cells)]


def needs_lines(tree: Tree, cells: int) -> list[Line]:
    """What it needs, the root cause named where there is one."""
    if not tree.needs:
        return []
    note: Line = says(f"{ROOT.glyph} {ROOT.word}: {clean(tree.root)}", ROOT.role) if tree.root else ()
    words = f"needs {count(tree.needs, 'service')}"
    return [*heading("DEPENDENCIES", cells, note), *wrap(words, cells, "muted"), *_branches(tree.up, cells)]


def needed_by_lines(tree: Tree, cells: int) -> list[Line]:
    """What needs it."""
    if not tree.needed_by:
        return []
    lost = f"; {number(tree.lost)} out of reach" if tree.lost else ""
    words = f"needed by {count(tree.needed_by, 'service')}{lost}"
    return [*heading("DEPENDANTS", cells), *wrap(words, cells, "muted"), *_branches(tree.down, cells)]


def _branches(branches: Sequence[Branch], cells: int) -> list[Line]:
    return [_line(each, cells) for each in branches]


def _line(branch: Branch, cells: int) -> Line:
    *above, follows = branch.more
    stem = "".join("│ " if more else "  " for more in above) + ("├ " if follows else "└ ")
    if not branch.state:
        return ((stem, "border"), (clip(clean(branch.words), max(4, cells - len(stem))), "muted"))
    state = mark(MARKS, branch.state)
    lead: Line = ((stem, "border"), (f"{state.glyph} {state.word:<8} ", state.role))
    notes = [(f"  {ROOT.glyph} {ROOT.word}", ROOT.role)] if branch.is_root else []
    notes += [(f"  {note}", "muted") for note in branch.notes if note != ROOT.word]
    room = max(4, cells - width(lead) - width(tuple(notes)))
    return clip_line((*lead, (clip(clean(branch.words), room), "text"), *notes), cells)
