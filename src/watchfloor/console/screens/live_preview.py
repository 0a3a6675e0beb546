"""A form with what it would come to below it, looked up anew while somebody fills it in.

What is shown was computed beside the screen, for what is filled in now: an answer that comes too late is dropped, and
what cannot be told yet is said in one quiet line. It must never keep a key waiting.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.timer import Timer
from textual.worker import Worker

from watchfloor.console import feed
from watchfloor.console.format import Moment
from watchfloor.console.line import Line, clean, clip, says
from watchfloor.console.screens.draft import DraftRoom
from watchfloor.console.widgets.pane import Pane
from watchfloor.operations.actor import Refused
from watchfloor.operations.editing import Invalid

Found = TypeVar("Found")

REST_S = 0.3
"""Whoever types or chooses on within this time is not shown what came before."""
TALL_ROWS, ROWS = 10, 2


class LivePreview(DraftRoom, Generic[Found], inherit_bindings=False):
    """The fields, and a preview. Subclasses say what it hangs on, how it is found and how it looks."""

    DEFAULT_CSS: ClassVar[str] = """
    LivePreview #preview { height: 2; }
    LivePreview.-low #preview { display: none; }
    LivePreview.-tall #preview { height: 11; border-top: solid $wf-border; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-roomy"), (34, "-tall")]

    def __init__(self, *form: Any, **options: Any) -> None:
        """What the kind of form beside this one takes."""
        super().__init__(*form, **options)
        self.preview_pane = Pane(id="preview")
        self.preview_pane.can_focus = False
        self.previewed: Found | None = None
        self.why = "what it comes to is looked up …"
        self._tried: object = None  # what is shown, or about to be
        self._rest: Timer | None = None
        self._looking: Worker[None] | None = None

    # For subclasses

    def hangs_on(self) -> object:
        """What is filled in that changes what is shown; compared with what it was before."""
        raise NotImplementedError

    async def foresee(self) -> Found:
        """What the form comes to as it is filled in. Raises `Invalid`, `Refused`."""
        raise NotImplementedError

    def unready(self, invalid: Invalid) -> str:
        """Why nothing can be told yet."""
        return f"no preview yet: {invalid}"

    def preview_lines(self, found: Found, moment: Moment, cells: int, rows: int) -> list[Line]:
        """How it looks."""
        raise NotImplementedError

    # Looking

    def body(self) -> ComposeResult:
        for widget in super().body():
            yield widget
            if widget is self.about_pane:
                yield self.preview_pane

    @property
    def settled(self) -> bool:
        looking = self._looking is not None and not self._looking.is_finished
        return self._rest is None and not looking and super().settled

    async def judge_again(self) -> None:
        await super().judge_again()
        wanted = self.hangs_on()
        if wanted != self._tried:
            self._tried = wanted
            if self._looking is not None:
                self._looking.cancel()
            if self._rest is not None:
                self._rest.stop()
            self._rest = self.set_timer(REST_S, self._rested)

    def _rested(self) -> None:
        self._rest = None
        self._looking = self.run_worker(self._look(self._tried), exclusive=True, group="preview")

    async def _look(self, tried: object) -> None:
        found: Found | None = None
        why = ""
        try:
            found = await self.foresee()
        except Invalid as invalid:
            why = self.unready(invalid)
        except Refused as refusal:
            why = str(refusal)
        except Exception as error:
            # Whatever goes wrong is said below the form; nobody asked for it, so that it may not be louder.
            why = feed.sentence(error)
        if tried is self._tried:
            self.previewed, self.why = found, why
            self._tell_preview()
            self.renew_bars()

    # Showing

    def show(self) -> None:
        super().show()
        self._tell_preview()

    def _tell_preview(self) -> None:
        found, why, moment = self.previewed, self.why, self.console_app.moment
        rows = TALL_ROWS if self.has_class("-tall") else ROWS

        def lines(cells: int) -> list[Line]:
            if found is None:
                return [says(clip(clean(why), cells), "muted")]
            return self.preview_lines(found, moment, cells, rows)

        self.preview_pane.show(lines)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._tell_preview)
