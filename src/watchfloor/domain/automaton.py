"""Regular expressions that always finish: patterns of settings against text of strangers.

Python's own engine backtracks; an innocent ``a.*b.*c`` on a page made for the purpose holds the whole event
loop for minutes, and cannot be interrupted. Here a pattern becomes an automaton whose states are worked out
as the text is read (Thompson's construction, determinised lazily). The time is proportional to the text, but times
the size of the pattern where every character leads to a state never seen before; so the work is counted, and a search
may be given a limit. The memory is bounded. Backreferences and look-around cannot be had that way and are refused
when a pattern is read. This module must never search with ``re`` itself, except one character at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

PATTERN_LIMIT = 1000
"""The longest pattern, in characters."""
STATE_LIMIT = 2000
"""How large a pattern may become when its counted repetitions are written out."""
STRETCH = 4096
"""How many characters are read at most in one step of a search."""
_REMEMBERED = 250_000
"""So much is kept of a pattern, counted in instructions of states, before all is forgotten and worked out again."""

_CHARACTERS = 5_000
"""Of so many characters it is remembered what a pattern makes of them."""

# What stands before or after a position.
_EDGE, _LAST_NEWLINE, _NEWLINE, _WORD, _OTHER = range(5)

_FLAGS = re.compile(r"\(\?([ims]+)\)")
_GROUP = re.compile(r"\((?:\?:|\?P<\w+>|(?!\?))")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|0[0-7]{0,2}|[^1-9])", re.DOTALL
)
_REPEAT = re.compile(r"([*+?]|\{(?!\})(\d*)(,?)(\d*)\})([?+]?)")

Accepts = Callable[[str], object]


class TooMuchWork(Exception):
    """A search took more work than it was given; whether the pattern is there is not known."""


class Work:
    """What a search, or several together, may still do: so many instructions looked at.

    A character that leads to where one like it led before costs nothing here; its time is bounded by the text.
    """

    __slots__ = ("left",)

    def __init__(self, limit: int) -> None:
        self.left = limit

    def spend(self, instructions: int) -> None:
        """Count work that was done. Raises `TooMuchWork` when it was too much."""
        self.left -= instructions
        if self.left < 0:
            raise TooMuchWork


class _Step(NamedTuple):
    """One instruction of the automaton: read a character of a kind, go two ways, or go on at an anchor."""

    reads: int | None
    anchor: str
    onward: tuple[int, ...]


class _Class(NamedTuple):
    """Characters that the pattern does not tell apart: what they are to an anchor, and which kinds they are of."""

    side: int
    kinds: frozenset[int]


class _State(dict[str, "_State"]):
    """A set of instructions that are possible at once, and where each character seen so far led from it."""

    def __init__(self, threads: frozenset[int], before: int) -> None:
        super().__init__()
        self.threads = threads
        self.before = before
        self.by_class: dict[_Class, _State] = {}


class Pattern:
    """A compiled pattern in the syntax of Python's ``re``, without backreferences and look-around.

    Raises `ValueError`, in words for a person, when the pattern is not valid, not supported or too large.
    """

    def __init__(self, source: str) -> None:
        if len(source) > PATTERN_LIMIT:
            raise ValueError(f"the pattern is longer than {PATTERN_LIMIT} characters")
        try:
            re.compile(source)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"the pattern is not valid: {error}") from None
        self.source = source
        self._flags = re.RegexFlag(0)
        if flags := _FLAGS.match(source):
            for letter in flags[1]:
                self._flags |= re.RegexFlag[letter.upper()]
        self._position = flags.end() if flags else 0
        self._steps: list[_Step] = [_Step(None, "", ())]  # instruction 0: found
        self._kinds: dict[str, int] = {}  # what an instruction may read, as it is written
        self._accepts: list[Accepts] = []
        self._is_word = re.compile(r"\w", self._flags).match
        try:
            self._entry = self._alternatives()(0)
        except RecursionError:
            raise ValueError("the pattern is nested too deeply") from None
        self._anchored = any(step.anchor for step in self._steps)
        self._states: dict[tuple[frozenset[int], int], _State] = {}
        self._classes: dict[str, _Class] = {}
        self._known = 0

    def search(self, text: str, work: Work | None = None) -> Iterator[bool | None]:
        """Search in steps: None after each that leaves the answer open, at last whether the pattern was found.

        Raises `TooMuchWork` when that takes more than ``work``; what was worked out is then forgotten, so that the
        same text meets the same end again.
        """
        try:
            yield from self._search(text, work or Work(1 << 62))
        except TooMuchWork:
            self._forget()
            raise

    def _search(self, text: str, work: Work) -> Iterator[bool | None]:
        state = self._state(frozenset((self._entry,)), _EDGE)
        # A line break at the very end is special: ``$`` holds before it too.
        end = len(text) - text.endswith("\n")
        for begin in range(0, end, STRETCH):
            for character in text[begin : min(begin + STRETCH, end)]:
                following = state.get(character)
                if following is None:
                    following = self._advance(state, character, work)
                    if following is None:
                        yield True
                        return
                    yield None
                state = following
            yield None
        if end < len(text):
            if self._reachable(state, _LAST_NEWLINE, work) is None:
                yield True
                return
            following = self._advance(state, "\n", work)
            yield following is None or self._reachable(following, _EDGE, work) is None
            return
        yield self._reachable(state, _EDGE, work) is None

    def occurs_in(self, text: str, work: Work | None = None) -> bool:
        """Whether the pattern matches anywhere in a text that is not long. Raises `TooMuchWork`."""
        return any(found is True for found in self.search(text, work))

    @property
    def matches_everything(self) -> bool:
        """Whether it surely matches in every text: it is found in nothing, wherever that is."""
        return not self._anchored and self.occurs_in("")

    # Reading the pattern: each part becomes a function from "what follows" to its first instruction.

    def _alternatives(self) -> Callable[[int], int]:
        branches = [self._sequence()]
        while self.source.startswith("|", self._position):
            self._position += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return lambda follow: self._add(_Step(None, "", tuple(branch(follow) for branch in branches)))

    def _sequence(self) -> Callable[[int], int]:
        parts: list[Callable[[int], int]] = []
        while self._position < len(self.source) and self.source[self._position] not in "|)":
            parts.append(self._repeated(self._item()))

        def build(follow: int) -> int:
            for part in reversed(parts):
                follow = part(follow)
            return follow

        return build

    def _item(self) -> Callable[[int], int]:
        source, position = self.source, self._position
        if source[position] == "(":
            opened = _GROUP.match(source, position)
            if opened is None:
                raise ValueError("the pattern uses look-around or another (?…) form, which is not supported")
            self._position = opened.end()
            inner = self._alternatives()
            self._position += 1  # the closing parenthesis
            return inner
        if source[position] in "^$" or source[position : position + 2] in ("\\A", "\\Z", "\\b"):
            anchor = source[position : position + (2 if source[position] == "\\" else 1)]
            self._position += len(anchor)
            return lambda follow: self._add(_Step(None, anchor, (follow,)))
        atom = _CLASS.match(source, position) or _ESCAPE.match(source, position)
        if atom is None and source[position] == "\\":
            raise ValueError("the pattern refers back to a group, which is not supported")
        text = (
            atom[0] if atom else source[position] if source[position] == "." else re.escape(source[position])
        )
        if text == "\\B":
            raise ValueError("the pattern uses \\B, which is not supported")
        self._position += len(atom[0]) if atom else 1
        if text not in self._kinds:
            self._kinds[text] = len(self._accepts)
            self._accepts.append(re.compile(text, self._flags).match)
        kind = self._kinds[text]
        return lambda follow: self._add(_Step(kind, "", (follow,)))

    def _repeated(self, item: Callable[[int], int]) -> Callable[[int], int]:
        repeat = _REPEAT.match(self.source, self._position)
        if repeat is None:
            return item
        sign, low, comma, high, manner = repeat.groups()
        if manner == "+":
            raise ValueError("the pattern uses a possessive repetition, which is not supported")
        self._position = repeat.end()
        if sign in "*+?":
            least, most = (1 if sign == "+" else 0), (1 if sign == "?" else None)
        else:
            least = int(low or 0)
            most = int(high) if high else None if comma else least

        def build(follow: int) -> int:
            if most is None:
                again = self._add(_Step(None, "", ()))
                self._steps[again] = _Step(None, "", (item(again), follow))
                follow = again
            else:
                end = follow
                for _ in range(most - least):
                    follow = self._add(_Step(None, "", (item(follow), end)))
            for _ in range(least):
                before, follow = follow, item(follow)
                if follow == before:
                    break  # an empty item, however often
            return follow

        return build

    def _add(self, step: _Step) -> int:
        if len(self._steps) >= STATE_LIMIT:
            raise ValueError("the pattern is too large once its repetitions are written out")
        self._steps.append(step)
        return len(self._steps) - 1

    # Running the automaton.

    def _advance(self, state: _State, character: str, work: Work) -> _State | None:
        """Work out, and remember, where ``character`` leads from ``state``; None when the pattern is found."""
        if self._known > _REMEMBERED:
            self._forget()
        like = self._classes.get(character) or self._classify(character, work)
        known = state.by_class.get(like)
        if known is None:
            reachable = self._reachable(state, like.side, work)
            if reachable is None:
                return None
            onward = {self._entry}
            for index in reachable:
                reads, _, following = self._steps[index]
                if reads in like.kinds:
                    onward.add(following[0])
            known = self._state(frozenset(onward), like.side)
            state.by_class[like] = known
        state[character] = known
        self._known += 1
        return known

    def _classify(self, character: str, work: Work) -> _Class:
        """Say what the pattern makes of a character it has not met before."""
        work.spend(len(self._accepts))
        side = _OTHER
        if self._anchored:
            side = _NEWLINE if character == "\n" else _WORD if self._is_word(character) else _OTHER
        if len(self._classes) >= _CHARACTERS:
            self._classes.clear()
        kinds = frozenset(kind for kind, accepts in enumerate(self._accepts) if accepts(character))
        like = self._classes[character] = _Class(side, kinds)
        return like

    def _reachable(self, state: _State, after: int, work: Work) -> set[int] | None:
        """Return the instructions reachable without reading, given what comes after; None if that is the end."""
        pending, seen = list(state.threads), set(state.threads)
        steps = self._steps
        while pending:
            index = pending.pop()
            if index == 0:
                return None
            reads, anchor, onward = steps[index]
            if reads is None and (not anchor or self._holds(anchor, state.before, after)):
                for each in onward:
                    if each not in seen:
                        seen.add(each)
                        pending.append(each)
        work.spend(len(seen))
        return seen

    def _holds(self, anchor: str, before: int, after: int) -> bool:
        many_lines = bool(self._flags & re.MULTILINE)
        if anchor == "\\b":
            return (before == _WORD) != (after == _WORD)
        if anchor in ("^", "\\A"):
            return before == _EDGE or (anchor == "^" and many_lines and before == _NEWLINE)
        if anchor == "\\Z":
            return after == _EDGE
        return after in (_EDGE, _LAST_NEWLINE) or (many_lines and after == _NEWLINE)

    def _state(self, threads: frozenset[int], before: int) -> _State:
        key = (threads, before)
        known = self._states.get(key)
        if known is None:
            known = self._states[key] = _State(threads, before)
            self._known += len(threads)
        return known

    def _forget(self) -> None:
        self._states.clear()
        self._classes.clear()
        self._known = 0
