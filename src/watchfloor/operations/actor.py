"""Who acts: every operation names its actor, and the audit log keeps the name."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from watchfloor.domain.alert import SYSTEM
from watchfloor.domain.text import one_line


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who may change things; ``read_only`` refuses every change."""

    name: str
    read_only: bool = False


class Refused(Exception):
    """The operation is not allowed or not possible; the message is a sentence for the person who asked."""


WATCHFLOOR = Actor(SYSTEM)
"""The program itself."""


def this_person() -> Actor:
    """The person at this terminal, by the name the system knows them under."""
    try:
        return Actor(one_line(getpass.getuser(), 60))
    except (OSError, KeyError):
        return Actor("unknown operator")


def may_change(actor: Actor) -> None:
    """Raises `Refused` for an actor who only looks."""
    if actor.read_only:
        raise Refused("This session is read-only: nothing was changed.")
