"""Jobs that follow others: which runs the end of a run starts (`watchfloor.domain.circles` finds those in circles)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from watchfloor.domain.retry import matches

ANY, SUCCESS, FAILURE, CANCELLED = "any", "success", "failure", "cancelled"

OUTCOMES = {"succeeded": SUCCESS, "dead": FAILURE, "cancelled": CANCELLED}
"""The outcome that each final state of a run means; other states are no end that anything follows."""


@dataclass(frozen=True, slots=True)
class Link:
    """``job`` follows where the outcome is ``when``: any, success, failure, cancelled, or a class of errors.

    ``parameters`` change settings of the run that follows. With ``pass_on`` it has those of the run before, too.
    """

    job: str
    when: str = SUCCESS
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pass_on: bool = False


def follows(link: Link, state: str, error_class: str) -> bool:
    """Whether the end of a run in a final ``state`` starts the job of a link.

    >>> follows(Link("tidy", "script.exit.*"), "dead", "script.exit.3"), follows(Link("load"), "dead", "io")
    (True, False)
    """
    outcome = OUTCOMES.get(state)
    if outcome is None:
        return False
    if link.when in (ANY, outcome):
        return True
    return outcome == FAILURE and link.when not in (SUCCESS, CANCELLED) and matches(error_class, (link.when,))


def parameters_of(link: Link, before: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the run that follows one that had ``before``."""
    return {**(before if link.pass_on else {}), **link.parameters}
