"""The banner: one loud line under the rooms, there only while something is wrong with the watch itself."""

from __future__ import annotations

from typing import ClassVar

from watchfloor.console.format import silence
from watchfloor.console.keys import key_of
from watchfloor.console.line import Line, clean, clip_line, fit_line
from watchfloor.console.widgets.lines import Bar
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.words import count


def trouble(status: StatusLine | None, away: str | None) -> tuple[str, str] | None:
    """What is wrong, as words and role; the worst thing alone. None where all is well."""
    if away is not None:
        kept = "; this is the last board" if status else ""
        return f"✘ {away}{kept}. Trying again by itself.", "alarm"
    if status is None:
        return None
    if status.nodes_live == 0:
        since = silence(status)
        remedy = clean(status.trouble) or "Run: watchfloor serve"
        return f"✘ No engine alive{since and ' for ' + since}: nothing is checked. {remedy}", "alarm"
    problems = status.config_problems
    if problems:
        more = f" (and {count(len(problems) - 1, 'more mistake')})" if len(problems) > 1 else ""
        return (
            f"▲ The old configuration stays, see {key_of('settings')}: {clean(problems[0].text)}{more}",
            "caution",
        )
    return None


class Banner(Bar):
    """Appears and disappears with its reason."""

    DEFAULT_CSS: ClassVar[str] = """
    Banner { display: none; }
    Banner.-shown { display: block; }
    """
    ground: ClassVar[str] = "background"

    def renew(self) -> None:
        shown = trouble(self.console_app.status, self.console_app.away) is not None
        if shown != self.has_class("-shown"):
            self.set_class(shown, "-shown")
        super().renew()

    def content(self, cells: int) -> Line:
        found = trouble(self.console_app.status, self.console_app.away)
        if found is None:
            return ()
        words, role = found
        line = fit_line(clip_line(((f" {words}", role),), cells - 1), cells)
        return tuple((text, role) for text, _ in line)
