"""The audit log as text: one line for what was done, and below it what became different."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from watchfloor.domain.shape import plain
from watchfloor.domain.text import one_line
from watchfloor.store.audit import AuditRow

LONGEST = 120


def show_audit(rows: Sequence[AuditRow]) -> None:
    """Print lines of the audit log in the order in which things were done."""
    for row in reversed(rows):
        moment = row.at.astimezone().isoformat(sep=" ", timespec="seconds")
        what = one_line(f"{row.actor}: {row.action} {row.kind} {row.object_id}", 400)
        print(f"{moment} {what}")
        for line in differences(row.before, row.after):
            print(f"    {line}")


def differences(
    before: Mapping[str, object] | None, after: Mapping[str, object] | None, name: str = ""
) -> Iterator[str]:
    """What is there on one side only, or differs, a line each: ``nice: 0 -> 5``.

    >>> list(differences({"nice": 0, "env": {"A": "1"}}, {"nice": 5, "env": {"A": "1", "B": "2"}}))
    ['nice: 0 -> 5', 'env.B: "2"']
    """
    old, new = before or {}, after or {}
    for key in dict.fromkeys([*old, *new]):
        path = f"{name}.{key}" if name else key
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from differences(was, now, path)
        elif key not in old:
            yield one_line(f"{path}: {_shown(now)}", 2 * LONGEST)
        elif key not in new:
            yield one_line(f"{path}: {_shown(was)} -> nothing", 2 * LONGEST)
        elif was != now:
            yield one_line(f"{path}: {_shown(was)} -> {_shown(now)}", 3 * LONGEST)


def _shown(value: object) -> str:
    text = json.dumps(plain(value), ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
