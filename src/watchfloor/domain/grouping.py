"""Services in groups: by what people group them, and in which order groups stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchfloor.domain.boards import HealthRow
from watchfloor.domain.score import Score, score


class By(StrEnum):
    """What services can be grouped by."""

    NOTHING = "nothing"
    GROUP = "group"
    TAG = "tag"
    STATE = "state"
    KIND = "kind"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Group:
    """Services that have something in common; its key is ``("group", name)``. ``name`` is empty for those without."""

    by: By
    name: str
    rows: tuple[HealthRow, ...]
    score: Score

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name or f"no {self.by}"


def state_word(row: HealthRow) -> str:
    """The state of a service in one word."""
    if row.paused:
        return "paused"
    return "pending" if row.hard is None else row.hard.word


def names_of(row: HealthRow, by: By) -> Sequence[str]:
    """The groups that a service is in: with several tags it is in several."""
    match by:
        case By.TAG:
            return row.tags or ("",)
        case By.STATE:
            return (state_word(row),)
        case By.GROUP:
            return (row.group,)
        case By.KIND:
            return (row.kind,)
        case By.ENVIRONMENT:
            return (row.environment,)
        case By.NOTHING:
            return ("",)


def groups(rows: Iterable[HealthRow], by: By) -> list[Group]:
    """The groups in the order of their first service, so that the most urgent stand first where services do."""
    found: dict[str, list[HealthRow]] = {}
    for row in rows:
        for name in dict.fromkeys(names_of(row, by)):
            found.setdefault(name, []).append(row)
    return [Group(by, name, tuple(members), score(members)) for name, members in found.items()]
