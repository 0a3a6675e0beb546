"""What can be copied of a row: its id, its line, itself as JSON, a command about it, what went wrong. Pure.

Text from outside is made harmless first: what is copied will be pasted, perhaps into a shell.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from watchfloor.console.line import clean
from watchfloor.domain.boards import (
    AlertDetail,
    AlertRow,
    HealthRow,
    LogRow,
    ServiceDetail,
    SettingRow,
    TaskRunRow,
)
from watchfloor.domain.outcome import Status
from watchfloor.domain.shape import plain


@dataclass(frozen=True, slots=True)
class Copy:
    """One thing that can be copied: what it is, and the text."""

    what: str
    text: str


def copies(row: object, line: str) -> list[Copy]:
    """Everything that can be copied of `row`, which looks like `line` on the screen; what it has not is left out."""
    found = [
        Copy("id", _id(row)),
        Copy("line", clean(line)),
        Copy("JSON", as_json(row)),
        Copy("command", _command(row)),
        Copy("error text", _error(row)),
        Copy("runbook", clean(row.runbook) if isinstance(row, AlertDetail | ServiceDetail) else ""),
    ]
    return [each for each in found if each.text]


def as_json(row: object) -> str:
    """The row as `--json` writes it; control characters are escaped by JSON itself, others for the terminal's sake."""
    return json.dumps(plain(row), indent=2, ensure_ascii=True)


def _id(row: object) -> str:
    match row:
        case ServiceDetail() | AlertDetail():
            return _id(row.row)
        case HealthRow() | AlertRow() | LogRow():
            return str(row.id)
        case SettingRow():
            return clean(row.key)
    return ""


def _command(row: object) -> str:
    match row:
        case ServiceDetail() | AlertDetail():
            return _command(row.row)
        case AlertRow():
            return f"watchfloor alerts {'ack' if row.state == 'firing' else 'show'} {row.id}"
        case HealthRow(alert_id=int(alert_id)):
            return f"watchfloor alerts {'show' if row.acknowledged else 'ack'} {alert_id}"
    return ""


def _error(row: object) -> str:
    match row:
        case ServiceDetail():
            return _error(row.row)
        case HealthRow():
            return "" if row.status in (None, Status.OK) else clean(row.summary)
        case AlertDetail():
            return clean(row.summary)
        case TaskRunRow():
            return _lines(row.error)
        case LogRow():
            return _lines(str(row.attributes.get("exception", "")))
    return ""


def _lines(text: str) -> str:
    """Text of several lines, each harmless."""
    return "\n".join(clean(line) for line in text.splitlines())
