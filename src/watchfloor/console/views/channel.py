"""A channel in full: how it does, what became of its messages, and how they read."""

from __future__ import annotations

from collections.abc import Sequence

from watchfloor.console.format import Moment, latency
from watchfloor.console.glyphs import CHANNEL, Mark, mark
from watchfloor.console.line import EMPTY, Line, clean, says, wrap
from watchfloor.console.views.sections import heading, pairs
from watchfloor.domain.channel_boards import ChannelRow, SaidRow

OFF = (
    "Nothing is sent on it. What waits is kept, what is new is left out and each alert says so; once it is on "
    "again it is told what still fires."
)
GONE = (
    "Its receiver said that it is no more. What is for it waits until the channel is tested, switched on again or its "
    "settings change."
)


def channel_mark(row: ChannelRow) -> Mark:
    """How a channel does: whether messages arrive on it."""
    if not row.enabled:
        return mark(CHANNEL, "off")
    if row.open_since is not None:
        return mark(CHANNEL, "failing")
    if row.failures:
        return mark(CHANNEL, "unsure")
    return mark(CHANNEL, "on" if row.last_delivered_at is not None else "new")


def channel_lines(row: ChannelRow, moment: Moment, cells: int) -> list[Line]:
    """How a channel does, and its statistics of the last seven days."""
    lines = [channel_mark(row).line]
    lines += [] if row.enabled else wrap(OFF, cells, "muted")
    lines += wrap(clean(row.last_error), cells, "failing") if row.last_error else []
    gone = row.open_since is not None and row.next_try_at is None
    lines += wrap(GONE, cells, "muted") if gone else []
    facts: list[tuple[str, Line]] = [("kind", says(row.kind))]
    if row.open_since is not None:
        facts.append(("fails since", says(moment.when(row.open_since), "failing")))
    if row.next_try_at is not None:
        facts.append(("tried again in", says(moment.ahead(row.next_try_at))))
    facts.append(("latest sent", says(moment.when(row.last_delivered_at))))
    lines += pairs(facts, cells)
    lines += [*heading("IN SEVEN DAYS", cells), *pairs(_statistics(row), cells)]
    return lines


def _statistics(row: ChannelRow) -> list[tuple[str, Line]]:
    tries = row.attempts / row.delivered if row.delivered else None
    return [
        ("sent", says(f"{row.delivered:,}")),
        ("attempts", says(f"{row.attempts:,}" + (f", {tries:.2f} for each that was sent" if tries else ""))),
        ("half within", says(latency(row.p50))),
        ("95 % within", says(latency(row.p95))),
        ("waiting", says(f"{row.waiting:,}", "degraded" if row.waiting else "text")),
        ("dead letters", says(f"{row.dead:,}", "failing" if row.dead else "text")),
        ("left out", says(f"{row.left_out:,}")),
    ]


def said_lines(rows: Sequence[SaidRow], cells: int) -> list[Line]:
    """How a message of each kind reads; what is wrong with a template stands above the words that take its place."""
    lines: list[Line] = []
    for row in rows:
        lines += heading(row.kind.upper(), cells)
        if row.trouble:
            lines += wrap(f"✘ {clean(row.trouble)}", cells, "failing")
        lines += wrap(clean(row.title), cells, "title")
        for line in row.body.splitlines():
            lines += wrap(clean(line), cells) if line.strip() else [EMPTY]
    return lines
