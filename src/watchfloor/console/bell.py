"""The bell: a terminal says that something new fires, by its own bell or by a notification of the desktop."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta

from watchfloor.domain.bell import BELL, notification, through_tmux
from watchfloor.domain.boards import BEGUN, LATELY_S, Begun, StatusLine
from watchfloor.domain.severity import Severity
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count

KINDS = ("off", "bell", "desktop")
"""What a person can choose; kept as the preference `PREFERENCE`."""

PREFERENCE = "alerts.bell"
NAMED = 80
"""So much of the title of an alert is told."""


def news(before: StatusLine | None, after: StatusLine) -> str:
    """What fires now and did not a moment ago, in words; empty where nothing does, or at the first look.

    That is told by which alerts began, so that one that ends hides no other that begins; where nobody looked for so
    long, or so many began, that it is not known which, by how many there are as well. What ends, is acknowledged or
    silenced rings for nobody; what was silenced when it began rings once it is not any more.
    """
    if before is None:
        return ""
    fresh = _fresh(before, after)
    known = after.at - before.at < timedelta(seconds=LATELY_S) and len(after.begun) < BEGUN
    numbers = {
        severity: max(
            sum(each.severity is severity for each in fresh),
            0 if known else _loud(after, severity) - _loud(before, severity),
        )
        for severity in sorted(Severity, reverse=True)
    }
    said = ", ".join(
        count(number, f"{severity.word} alert") for severity, number in numbers.items() if number > 0
    )
    if not fresh:
        return said
    first = max(fresh, key=lambda each: each.severity)  # of equals the newest
    title = one_line(first.title, NAMED)
    alone = sum(number for number in numbers.values() if number > 0) == 1
    return f"{said}: {title}" if alone else f"{said}, the newest {first.severity.word} one: {title}"


def _loud(status: StatusLine, severity: Severity) -> int:
    return status.firing.get(severity.word, 0) - status.quiet.get(severity.word, 0)


def _fresh(before: StatusLine, after: StatusLine) -> list[Begun]:
    """What began between two looks, the newest first. Where a list is full, what is older than all of it is not new."""
    known = {(each.alert_id, each.seq) for each in before.begun}
    since = before.begun[-1].at if len(before.begun) >= BEGUN else None
    return [
        each
        for each in after.begun
        if (each.alert_id, each.seq) not in known and (since is None or each.at >= since)
    ]


def sequence(kind: str, words: str, environ: Mapping[str, str] = os.environ) -> str:
    """The bytes that make a terminal tell ``words``; empty for a kind that tells nothing.

    >>> sequence("bell", "1 critical alert", {})
    '\\x07'
    """
    if kind not in KINDS or kind == "off" or not words:
        return ""
    if kind == "bell":
        return BELL
    plain = notification(words)
    return BELL + (through_tmux(plain) if environ.get("TMUX") else plain)
