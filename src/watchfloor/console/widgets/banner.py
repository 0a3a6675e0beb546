"""The banner: one loud line under the rooms, there only while something is wrong with the watch itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len

from watchfloor.console.format import silence
from watchfloor.console.journey import banner_words, cannot_travel
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, clean, clip_line, fit_line
from watchfloor.console.widgets.lines import Bar
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.words import count

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp


def trouble(status: StatusLine | None, away: str | None) -> tuple[list[str], str] | None:
    """What is wrong, as words and role; the worst thing alone. None where all is well."""
    if away is not None:
        kept = "; this is the last board" if status else ""
        return [f"✘ {away}{kept}. Trying again by itself."], "alarm"
    if status is None:
        return None
    if status.nodes_live == 0:
        since = silence(status)
        remedy = clean(status.trouble) or "Run: watchfloor serve"
        return [f"✘ No engine alive{since and ' for ' + since}: nothing is checked. {remedy}"], "alarm"
    problems = status.config_problems
    if problems:
        more = f" (and {count(len(problems) - 1, 'more mistake')})" if len(problems) > 1 else ""
        return (
            [f"▲ The old configuration stays, see {key_of('settings')}: {clean(problems[0].text)}{more}"],
            "caution",
        )
    return None


def past(app: WatchfloorApp) -> tuple[list[str], str] | None:
    """What has to be said in forms from long to short, because this is the past; None where it is not."""
    room = app.room
    if room is None or (room.journey is None and (app.wanted is None or room.TRAVELS)):
        return None
    back = key_of("back")
    if room.journey is None:
        long, short = cannot_travel(room.tab()), f"{room.tab().capitalize()} shows only the present"
        return [f"◷ {long}. {back} returns to now", f"◷ {short}. {back} returns to now"], "caution"
    way_back = f"{back} returns to now" if room.leaves_past else f"{back} goes back"
    return banner_words(room.journey, app.present.now, app.zone, way_back), "caution"


class Banner(Bar):
    """Appears and disappears with its reason."""

    DEFAULT_CSS: ClassVar[str] = """
    Banner { display: none; }
    Banner.-shown { display: block; }
    """
    ground: ClassVar[str] = "background"

    def renew(self) -> None:
        shown = self._found() is not None
        if shown != self.has_class("-shown"):
            self.set_class(shown, "-shown")
        super().renew()

    def _found(self) -> tuple[list[str], str] | None:
        """A board of the past must never pass for the present: that is said before anything else."""
        return past(self.console_app) or trouble(self.console_app.status, self.console_app.away)

    def content(self, cells: int) -> Line:
        found = self._found()
        if found is None:
            return ()
        forms, role = found
        words = next((form for form in forms if cell_len(form) <= cells - 2), forms[-1])
        line = fit_line(clip_line(((f" {words}", role),), cells - 1), cells)
        return tuple((text, role) for text, _ in line)
