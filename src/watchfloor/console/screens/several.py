"""What is said about the alerts that something is done to: one by its number and title, several by kind and name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from watchfloor.console.line import Line, clean
from watchfloor.console.widgets.words import Words
from watchfloor.domain import words
from watchfloor.domain.words import count


class Subject(NamedTuple):
    """An alert that something is done to, alone or together with others, and the word it is counted under."""

    id: int
    title: str
    word: str = ""
    state: str = ""  # pending, firing, acknowledged, resolved


def what(subjects: Sequence[Subject]) -> str:
    """What and how many.

    >>> what([Subject(7, "a", "critical"), Subject(8, "b", "critical"), Subject(9, "c", "warning")])
    '3 alerts: 2 critical, 1 warning'
    """
    found = Counter(subject.word for subject in subjects)
    kinds = ", ".join(f"{number} {word}" for word, number in found.most_common())
    return f"{count(len(subjects), 'alert')}: {kinds}"


def names(subjects: Sequence[Subject]) -> list[str]:
    """The first of them by name; how many are not named."""
    return words.named([f"#{subject.id} {subject.title}" for subject in subjects])


def heading(act: str, subjects: Sequence[Subject]) -> Line:
    """The title of a dialog."""
    if len(subjects) > 1:
        return ((f"{act} ", "muted"), (what(subjects), "title"))
    [subject] = subjects
    return ((f"{act} ", "muted"), (f"#{subject.id} ", "key"), (clean(subject.title), "title"))


def named(subjects: Sequence[Subject]) -> list[Words]:
    """The lines of a dialog that name several; of one its title does. They go first where there is no room."""
    lines = names(subjects) if len(subjects) > 1 else []
    return [Words(clean(line), "muted", limit=1, classes="detail names") for line in lines]


def done_to(subjects: Sequence[Subject], changed: Sequence[int]) -> str:
    """What something was done to.

    >>> done_to([Subject(7, "a"), Subject(8, "b")], [7])
    '1 of 2 alerts'
    """
    if len(subjects) == 1:
        return f"#{subjects[0].id}"
    whole = count(len(subjects), "alert")
    return whole if len(changed) == len(subjects) else f"{len(changed)} of {whole}"
