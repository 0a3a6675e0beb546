"""The copy menu: what can be copied of what is under the cursor, and where it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from watchfloor.console.clipboard import brief_path, into_tmux, sequence, state_directory, write_file
from watchfloor.console.copies import Copy
from watchfloor.console.line import clean
from watchfloor.console.screens.commands import Entry, Picker
from watchfloor.domain.words import count

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp
    from watchfloor.console.screens.room import Room


class CopyMenu(Picker):
    """Lists what can be copied; enter copies it."""

    TITLE: ClassVar[str | None] = "Copy"
    VERB: ClassVar[str] = "copy"
    HEADS: ClassVar[tuple[str, str, str]] = ("WHAT", "", "ITS TEXT")

    def __init__(self, room: Room, copies: Sequence[Copy]) -> None:
        super().__init__(room)
        self._copies = copies

    def entries(self, search: str) -> list[Entry]:
        words = search.casefold().split()
        found = [Entry(each.what, "", each.what, " ".join(each.text.split())) for each in self._copies]
        return [entry for entry in found if all(word in entry.label.casefold() for word in words)]

    def do_run(self) -> None:
        entry = self.table.selected
        if entry is not None:
            chosen = next(each for each in self._copies if each.what == entry.id)
            self.dismiss(None)
            copy(self._room.console_app, chosen)


def copy(app: WatchfloorApp, chosen: Copy) -> None:
    """Copy beside the screen, and say where it went."""
    app.run_worker(_copy(app, chosen), exit_on_error=True)


async def _copy(app: WatchfloorApp, chosen: Copy) -> None:
    """Copy to the terminal's clipboard, or to a file where that cannot be."""
    what = f"{chosen.what}, {count(len(chosen.text), 'character')}"
    sent = sequence(chosen.text)
    if sent is not None and app.outlet is not None:
        if await into_tmux(chosen.text):
            what += ", also for tmux to paste"
        else:
            app.outlet.write(sent)
        app.say(((f"✓ copied {what}: ", "ok"), (clean(" ".join(chosen.text.split())), "text")))
        return
    why = "too big for a terminal's clipboard" if sent is None else "there is no terminal"
    try:
        path = write_file(chosen.text, state_directory())
    except OSError as error:
        app.say(((f"✘ not copied: {why}, and no file could be written: {clean(str(error))}", "failing"),))
    else:
        app.say(((f"✓ written to {clean(brief_path(path))} ({why}): {what}", "ok"),))
