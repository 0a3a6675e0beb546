"""What a person chose for a table: sorting, hidden columns, widths. Pure values that can be kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

NARROWEST, WIDEST = 3, 200


@dataclass(frozen=True, slots=True)
class Choices:
    """Columns are named by their titles; `sort` empty means the table's own order."""

    sort: str = ""
    reverse: bool = False
    hidden: frozenset[str] = frozenset()
    widths: Mapping[str, int] = field(default_factory=dict)

    def toggled(self, title: str) -> Choices:
        """The same with this column hidden, or shown again."""
        return replace(self, hidden=self.hidden ^ {title})

    def resized(self, title: str, width: int) -> Choices:
        """The same with this column so many cells wide, within reason."""
        return replace(self, widths={**self.widths, title: max(NARROWEST, min(width, WIDEST))})

    def sorted_by(self, title: str) -> Choices:
        """The same sorted by this column; if it is so already, the other way round."""
        return replace(self, sort=title, reverse=self.sort == title and not self.reverse)

    def state(self) -> dict[str, object]:
        """As plain values for JSON.

        >>> Choices("NAME", True).state()
        {'sort': 'NAME', 'reverse': True, 'hidden': [], 'widths': {}}
        """
        return {
            "sort": self.sort,
            "reverse": self.reverse,
            "hidden": sorted(self.hidden),
            "widths": dict(self.widths),
        }


def restored(state: object) -> Choices:
    """The choices that `state` kept; what is no such thing, because another version wrote it, is left out.

    >>> restored({"sort": "NAME", "widths": {"NAME": 12, "KIND": "x"}}).widths
    {'NAME': 12}
    """
    if not isinstance(state, Mapping):
        return Choices()
    sort, hidden, widths = state.get("sort"), state.get("hidden"), state.get("widths")
    choices = Choices(
        sort if isinstance(sort, str) else "",
        state.get("reverse") is True,
        frozenset(each for each in hidden if isinstance(each, str))
        if isinstance(hidden, list)
        else frozenset(),
    )
    for title, size in widths.items() if isinstance(widths, Mapping) else ():
        if isinstance(title, str) and isinstance(size, int) and not isinstance(size, bool):
            choices = choices.resized(title, size)
    return choices
