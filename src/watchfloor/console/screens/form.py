"""One form for everything that is defined: made from the settings model of its kind, never written by hand.

Nothing is saved before somebody says so; what somebody else changed meanwhile is shown and never written over. What
a file defines can be looked at, and says where it stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from watchfloor.config.forms import Form, FormField, as_text, differences, merged, value_at
from watchfloor.config.problems import Problem
from watchfloor.console.action import Context
from watchfloor.console.line import EMPTY, Line, Piece, clean, says, wrap
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.draft import DraftRoom, summary_pieces
from watchfloor.console.screens.text import TextRoom
from watchfloor.console.screens.trial import TrialRoom
from watchfloor.console.widgets.summary_strip import Summary
from watchfloor.domain.words import count
from watchfloor.operations.actor import Refused
from watchfloor.operations.editing import Invalid, Overtaken

TRIALS = {"job": "next fires", "rule": "preview", "service": "test now", "window": "preview"}
"""What can be tried before it is saved, and what that is called."""


class FormRoom(DraftRoom, inherit_bindings=False):
    """A thing that is new, copied, changed or looked at."""

    def __init__(self, room: str, what: str, name: str = "", kind: str = "", *, copy: bool = False) -> None:
        """A new one of ``kind`` where ``name`` is empty; with ``copy`` a new one like ``name``."""
        super().__init__()
        self._room, self._what, self._called, self._kind, self._copy = room, what, name, kind, copy
        self._form: Form | None = None
        self._values: dict[str, Any] = {}
        self._problems: Sequence[Problem] = ()
        self._notes: Sequence[str] = ()
        self._theirs: dict[str, str] = {}
        self._saved = False

    def tab(self) -> str:
        return self._room

    @property
    def _is_new(self) -> bool:
        return self._copy or not self._called

    # What is filled in

    def form_fields(self) -> Sequence[FormField]:
        return self._form.fields if self._form else ()

    def values(self) -> Mapping[str, Any]:
        return self._values

    def saved(self) -> Mapping[str, Any]:
        return self._form.values if self._form else {}

    def problems(self) -> Sequence[Problem]:
        return self._problems

    def theirs(self) -> Mapping[str, str]:
        return self._theirs

    def readonly(self) -> str:
        if self._form is None:
            return "it is being read"
        return "" if self._is_new else self._form.readonly

    async def load(self) -> None:
        if not self._saved:
            found = await self.console_app.reader.form(self._what, self._called, self._kind)
            if found is not None:
                await self._take(found)
        await super().load()

    async def _take(self, found: Form) -> None:
        if self._form is None:
            values = dict(found.values)
            if self._copy:
                values["name"] = f"{values.get('name', '')} copy".strip()
            self._form, self._values = found if self._copy else replace(found, values=values), values
        elif found.kind != self._form.kind:
            self._form = replace(found, values=self._form.values)
        elif found.version != self._form.version and not self._is_new:
            self._overtaken(found)
        await self.judge_again()

    def meant(self) -> dict[str, Any]:
        """What is filled in, without what only another kind has: that is kept in case somebody goes back to it."""
        if self._form is None:
            return dict(self._values)
        known = {field.path[0] for field in self._form.fields}
        if self._values.get("kind") == self._form.values.get("kind"):
            known |= self._form.values.keys()
        return {key: value for key, value in self._values.items() if key in known}

    async def judge_again(self) -> None:
        if not self.readonly():
            self._problems, self._notes = await self.console_app.reader.judge(
                self._what, self.meant(), "" if self._is_new else self._called
            )

    def _overtaken(self, found: Form) -> None:
        """Take what somebody else changed, keep what was changed here, and say which is which."""
        before = self._form
        if before is None:
            return
        changed = differences(found.fields, before.values, found.values)
        if not changed:  # paused or resumed, say
            self._form = replace(found, values=before.values)
            return
        who = found.changed_by or "somebody else"
        for field, _, value in changed:
            words = as_text(field, value).replace("\n", ", ") or "the default"
            kept = value_at(self._values, field.path) != value_at(before.values, field.path)
            self._theirs[field.name] = f"{who} made it {words}" + (
                "; yours is kept until you save" if kept else ""
            )
        self._values = merged(found.fields, before.values, self._values, found.values)
        self._form = found
        self.console_app.say(((f"▲ {clean(who)} changed this meanwhile: look before you save", "degraded"),))

    def filled(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        kind = values.get("kind")
        if self._form is not None and isinstance(kind, str) and kind in self._form.kinds:
            self._kind = kind
        self.look_again()

    # What is said

    @property
    def _changes(self) -> int:
        return len(differences(self.form_fields(), self.saved(), self._values)) if self._form else 0

    def summary(self) -> Summary:
        pieces = [self.way()]
        reason = "" if self._is_new else self.readonly()
        if reason and self._form:
            pieces.append(
                Piece((says(f"○ read-only: {clean(reason)}", "muted"), says("○ read-only", "muted")), 8)
            )
        pieces += summary_pieces(0 if reason else self._changes, self._problems)
        if self._notes and self._what == "window":
            note = clean(self._notes[0])
            pieces.append(
                Piece((says(note), says(note.partition(" to ")[0]), says(note.partition(": ")[0])), 6)
            )
        elif self._notes:
            short = says(f"▲ {count(len(self._notes), 'note')}", "degraded")
            pieces.append(Piece((says(f"▲ {clean(self._notes[0])}", "degraded"), short), 3))
        return pieces, self._conditions()

    def names(self) -> Sequence[str]:
        name = clean(str(self._values.get("name") or self._called or f"new {self._what}"))
        return (name if self._is_new else f"form of {name}",)

    def context(self) -> Context:
        unchanged = "" if self._changes or (self._is_new and self._values) else "nothing is changed"
        context = replace(super().context(), unchanged=unchanged)
        if self._what not in TRIALS:
            return context
        mistakes = "there are mistakes: correct them first" if self._problems else ""
        return replace(context, tries=mistakes, trial=TRIALS[self._what])

    def empty(self) -> Line:
        return (("This is gone.", "muted"),) if self._form is None else EMPTY

    # Saving and leaving

    def do_save_form(self) -> None:
        app, form, values = self.console_app, self._form, self.meant()
        if form is None:
            return
        was, version = ("", 0) if self._is_new else (form.name, form.version)

        async def save() -> None:
            try:
                await app.operator.save_form(self._what, values, was, version)
            except Invalid as invalid:
                self._problems = invalid.problems
                raise Refused(f"{count(len(invalid.problems), 'mistake')}: correct them first") from None
            except Overtaken as overtaken:
                raise Refused(str(overtaken)) from None
            self._saved = True

        def said() -> str:
            if app.screen is self:
                self.app.pop_screen()
            return f"saved {clean(str(values.get('name', '')))}"

        def undo() -> Awaitable[object]:
            if self._is_new:
                return app.operator.delete_thing(self._what, str(values["name"]))
            return app.operator.save_form(self._what, form.values, str(values["name"]), version + 1)

        app.operate(
            save,
            said,
            undo=("save", undo, f"took back what was saved of {clean(str(values.get('name', '')))}"),
        )

    def do_try_it(self) -> None:
        if self._what == "service":
            self._test()
            return
        name, notes = str(self._values.get("name", "")), self._notes
        self.app.push_screen(
            TextRoom(
                self._room,
                f"when {clean(name)} opens",
                lambda _, cells: [line for each in notes for line in wrap(each, cells)],
            )
        )

    def _test(self) -> None:
        app, values, name = self.console_app, self.meant(), str(self._values.get("name", ""))
        asked: list[UUID] = []

        async def ask() -> None:
            asked.append(await app.operator.try_service(values))

        def said() -> str:
            app.push_screen(TrialRoom(name, asked[0]))
            return f"an engine is asked to check {clean(name)}"

        app.operate(ask, said)

    def do_back(self) -> None:
        if self.leaves_past or self._marking or self.filter_text or self.faults_only:
            super().do_back()
        else:
            self._leave()

    def do_close(self) -> None:
        self._leave()

    def _leave(self) -> None:
        if not self.holds(lambda: None) and self.app.screen is self:
            self.app.pop_screen()

    @property
    def unsaved(self) -> int:
        return 0 if self.readonly() else self._changes

    def holds(self, go_on: Callable[[], None]) -> bool:
        if not self.unsaved:
            return False

        def done(sure: bool | None) -> None:
            if sure and self.app.screen is self:
                self.app.pop_screen()
                go_on()

        title: Line = (("Leave ", "muted"), (clean(str(self._values.get("name") or self._what)), "title"))
        words = [f"{count(self.unsaved, 'field')} that you filled in would be lost. Nothing is saved."]
        self.app.push_screen(ConfirmDialog(title, words), done)
        return True


class EntryRoom(DraftRoom, inherit_bindings=False):
    """One entry of a list of a form, such as a schedule of a job; what is filled in is the form's at once."""

    def __init__(self, whole: DraftRoom, field: FormField, entry: int) -> None:
        super().__init__()
        self._whole, self._field, self._entry = whole, field, entry

    def tab(self) -> str:
        return self._whole.tab()

    def form_fields(self) -> Sequence[FormField]:
        return self._field.fields

    def _entries(self, values: Mapping[str, Any]) -> list[Any]:
        found = value_at(values, self._field.path)
        return list(found) if isinstance(found, list) else []

    def _own(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        entries = self._entries(values)
        found = entries[self._entry] if self._entry < len(entries) else {}
        return found if isinstance(found, Mapping) else {}

    def values(self) -> Mapping[str, Any]:
        return self._own(self._whole.values())

    def saved(self) -> Mapping[str, Any]:
        return self._own(self._whole.saved())

    def problems(self) -> Sequence[Problem]:
        lead = f"{self._field.name}[{self._entry}]"
        return [
            replace(each, path=each.path[len(lead) :].removeprefix("."))
            for each in self._whole.problems()
            if each.path.startswith(lead)
        ]

    def readonly(self) -> str:
        return self._whole.readonly()

    def filled(self, values: Mapping[str, Any]) -> None:
        entries = self._entries(self._whole.values())
        if self._entry < len(entries):
            entries[self._entry] = dict(values)
        else:
            self._entry = len(entries)
            entries.append(dict(values))
        self._whole.set_value(self._field.path, entries)
        self.look_again()

    async def judge_again(self) -> None:
        await self._whole.judge_again()

    async def load(self) -> None:
        await self.judge_again()
        await super().load()

    def summary(self) -> Summary:
        return [self.way(), *summary_pieces(0, self.problems())], self._conditions()

    def names(self) -> Sequence[str]:
        return (f"{self._field.name} {self._entry + 1}",)

    def context(self) -> Context:
        return replace(super().context(), unchanged="go back; the form as a whole is saved")

    def do_save_form(self) -> None:
        """Never called: the table says why an entry is not saved by itself."""
