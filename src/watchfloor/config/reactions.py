"""What may be written under ``reactions:``: jobs of this file that are run because an alert fires or is over.

The text of an alert comes from outside. It may stand only where a job takes data, never where it takes a program.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from watchfloor.config.base import Settings
from watchfloor.config.checks import Entry, Names, check_parameters, check_unique
from watchfloor.config.fields import DurationField, InWords, Name, Seconds
from watchfloor.config.problems import Mistakes
from watchfloor.config.routing import MatcherTexts
from watchfloor.config.template import TemplateFailure, compiled
from watchfloor.domain.matchers import match_everything, parse_all
from watchfloor.domain.notice import facts, samples

MAX_REACTIONS = 200
TEMPLATED = ("body", "env", "headers", "messages", "params", "says", "stdin")
"""The settings of jobs in which texts of alerts may stand: each is handed on as data, whatever it holds."""


def _narrow(texts: tuple[str, ...]) -> tuple[str, ...]:
    if match_everything(parse_all(texts)):
        raise PydanticCustomError("match", "matches every alert there is: name what it is for")
    return texts


def templates_in(value: Any) -> list[str]:
    """Every text in the value of a parameter that is a template."""
    if isinstance(value, str):
        return [value] if "{{" in value or "{%" in value else []
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [text for part in parts for text in templates_in(part)]


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    for key, value in given.items():
        sources = templates_in(value)
        if sources and key not in TEMPLATED:
            raise PydanticCustomError(
                "parameters",
                "the text of an alert may not stand in {key}, only in {those}: it comes from outside",
                {"key": key, "those": ", ".join(TEMPLATED)},
            )
        for source in sources:
            try:
                for notice in samples():
                    compiled(source).render(facts(notice))
            except TemplateFailure as failure:
                words = f"{key}: {failure}".replace("{", "{{").replace("}", "}}")
                raise PydanticCustomError("template", words) from None
    return given


class ReactionKeys(Settings):
    """A reaction: a job that runs because an alert fires, or is over."""

    name: Name = Field(description="What people call it; unique.")
    match: Annotated[
        MatcherTexts,
        Field(min_length=1),
        AfterValidator(_narrow),
        InWords('matchers such as [service="shop", severity=critical]'),
    ] = Field(description="Conditions on labels, all of them.")
    on: Literal["firing", "resolved"] = Field("firing", description="When: an alert fires, or is over.")
    job: Name = Field(description="The job of this file that is run; an HTTP call is a job of kind http.")
    parameters: Annotated[dict[str, Any], AfterValidator(_parameters)] = Field(
        {},
        description=f"Settings of the job's kind for this run; templates in {', '.join(TEMPLATED)}.",
    )
    at_most: Annotated[int, Field(ge=1, le=1000)] = Field(3, description="So many runs come of it")
    per: Annotated[float, DurationField("1m", "7d")] = Field(Seconds(3600), description="in this time.")
    again: bool = Field(
        False, description="Whether an alert that comes back starts it again; else once for each alert."
    )

    def spec(self) -> dict[str, object]:
        """As it is stored."""
        return {
            "name": self.name,
            "match": list(self.match),
            "on": self.on,
            "job": self.job,
            "parameters": self.parameters,
            "at_most": self.at_most,
            "per_s": float(self.per),
            "again": self.again,
        }


def check_reactions(
    reactions: Sequence[Entry],
    jobs: Sequence[Entry],
    settings_of: Callable[[str], Collection[str]],
    mistakes: Mistakes,
) -> None:
    """Every job that a reaction runs stands in this file and takes the parameters it is given."""
    check_unique("reaction", reactions, mistakes)
    known = {entry.name: entry for entry in jobs if entry.name is not None}
    names = Names("job in this file called", known, "Name a job of this file.")
    for entry in reactions:
        name = entry.keys.get("job")
        if isinstance(name, str):
            names.require(name, entry.node.mark_of(("job",)), (*entry.path, "job"), mistakes)
            if name in known:
                given = entry.keys.get("parameters")
                check_parameters(entry, ("parameters",), given, known[name], settings_of, mistakes)
