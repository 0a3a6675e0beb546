"""The export menu of a service: what the charts show, in which format, and the file it went to."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from watchfloor.console.clipboard import brief_path, state_directory
from watchfloor.console.feed import sentence
from watchfloor.console.line import clean
from watchfloor.console.screens.commands import Entry, Picker
from watchfloor.domain.export import FORMATS, KINDS, Wanted
from watchfloor.domain.history import Grain, History
from watchfloor.domain.words import count
from watchfloor.operations.actor import Refused

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp
    from watchfloor.console.screens.room import Room

PATIENCE_S = 600.0
_GRAINED = ("results", "metrics")


class ExportMenu(Picker):
    """Lists kinds and formats; enter writes the file beside the screen."""

    TITLE: ClassVar[str | None] = "Export"
    VERB: ClassVar[str] = "export"
    HEADS: ClassVar[tuple[str, str, str]] = ("FILE", "", "WHAT IS IN IT")

    def __init__(self, room: Room, service_id: int, service: str, history: History) -> None:
        super().__init__(room)
        self._service_id, self._service, self._history = service_id, service, history

    def entries(self, search: str) -> list[Entry]:
        words = search.casefold().split()
        found = [
            Entry(f"{kind}.{format_}", "", f"{kind} as {format_}", self._what(kind))
            for kind in KINDS
            for format_ in FORMATS
        ]
        return [entry for entry in found if all(word in entry.label.casefold() for word in words)]

    def _grain(self, kind: str) -> str:
        """As fine as the charts that are on the screen."""
        coarse = self._history.grain in (Grain.MINUTE, Grain.HOUR, Grain.DAY)
        return str(self._history.grain) if coarse and kind in _GRAINED else "raw"

    def _what(self, kind: str) -> str:
        history, grain = self._history, self._grain(kind)
        how = "" if kind not in _GRAINED else " single values," if grain == "raw" else f" by the {grain},"
        zone = self._room.console_app.moment.zone
        start, end = (f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in (history.start, history.end))
        return f"The {kind} of {clean(self._service)},{how} {start} to {end}, into a file."

    def do_run(self) -> None:
        entry = self.table.selected
        if entry is None:
            return
        kind, _, format_ = entry.id.partition(".")
        history = self._history
        wanted = Wanted(
            kind, history.start, history.end, grain=self._grain(kind), service_id=self._service_id
        )
        self.dismiss(None)
        app = self._room.console_app
        app.say(((f"exporting {kind}; this may take a while", "muted"),))
        app.run_worker(_export(app, wanted, format_, history.end), exit_on_error=True)


async def write_post_mortem(app: WatchfloorApp, incident_id: int) -> None:
    """Write the post-mortem of an incident; whatever comes of it is said."""
    directory = state_directory()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with asyncio.timeout(PATIENCE_S):
            path = await app.reader.post_mortem(incident_id, directory)
    except Refused as refusal:
        app.say(((f"✘ {clean(str(refusal))}", "degraded"),))
    except Exception as error:
        # The person must learn that there is no file, whatever the reason was.
        app.say(((f"✘ not written: {clean(sentence(error))}", "failing"),))
    else:
        app.say(((f"✓ written to {clean(brief_path(path))}", "ok"),))


async def _export(app: WatchfloorApp, wanted: Wanted, format_: str, at: datetime) -> None:
    """Write the file; whatever comes of it is said."""
    directory = state_directory()
    path = directory / f"{wanted.kind}-{wanted.service_id}-{at:%Y%m%dT%H%M%SZ}.{format_}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with asyncio.timeout(PATIENCE_S):
            rows = await app.reader.export(wanted, format_, path)
    except Refused as refusal:
        app.say(((f"✘ {clean(str(refusal))}", "degraded"),))
    except TimeoutError:
        app.say(((f"✘ not exported: it took longer than {PATIENCE_S:.0f} s", "failing"),))
    except Exception as error:
        # The person must learn that there is no file, whatever the reason was.
        app.say(((f"✘ not exported: {clean(sentence(error))}", "failing"),))
    else:
        app.say(((f"✓ {count(rows, 'row')} written to {clean(brief_path(path))}", "ok"),))
