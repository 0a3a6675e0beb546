"""What the console says of the words of one message."""

from __future__ import annotations

from watchfloor.console.line import Line, clean, says, wrap
from watchfloor.console.views.sections import heading
from watchfloor.domain.boards import SentDetail
from watchfloor.domain.words import grouped

WHOLE = 1_000


def said_lines(detail: SentDetail | None, cells: int) -> list[Line]:
    """Subject and text of a message as it was sent, or as it would read now; None: it is gone."""
    if detail is None:
        return [says("This message is gone.", "muted")]
    lines = wrap(clean(detail.title), cells, "title", limit=WHOLE) if detail.title else []
    for each in detail.text.splitlines():
        lines += wrap(clean(each), cells, limit=WHOLE) or [says("")]
    if detail.left_out:
        lines.append(says(f"… {grouped(detail.left_out)} more characters are not shown", "muted"))
    name = "WHAT WAS SENT" if detail.made else "HOW IT WOULD READ"
    whom = (f"for {clean(detail.person)}", "muted")
    return [
        *heading(name, cells, (whom,) if detail.person else ()),
        *lines,
        *heading("WHAT BECAME OF IT", cells),
    ]
