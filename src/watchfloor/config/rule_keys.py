"""What every rule that is evaluated has under ``rules:``, and the condition that its keys come to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from watchfloor.config.document import Node, plain_value
from watchfloor.config.fields import DurationField, InWords, Name, Seconds
from watchfloor.config.problems import Mistakes, Path
from watchfloor.config.schema import CoverKeys, RuleBase
from watchfloor.domain.automaton import Pattern
from watchfloor.domain.conditions import Condition
from watchfloor.domain.judging import NoData, Operator, Threshold, misplaced
from watchfloor.domain.questions.question import Question


def _bounds(value: Any) -> Any:
    if isinstance(value, str):  # as it is typed in one line: "10, 20"
        value = [plain_value(each.strip()) for each in value.strip("[] ").split(",")]
    found = list(value) if isinstance(value, list | tuple) else [value]
    if not 1 <= len(found) <= 2 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in found):
        raise PydanticCustomError("bounds", "is no value to compare with")
    return tuple(float(each) for each in found)


Bounds = Annotated[
    tuple[float, ...], BeforeValidator(_bounds), InWords("a number, or two as in [10, 20] for between")
]
Window = Annotated[float, DurationField("10s", "1d")]
Every = Annotated[float, DurationField("10s", "1d")]


def _regular(source: str) -> str:
    if source:
        try:
            Pattern(source)
        except ValueError as mistake:
            raise PydanticCustomError("pattern", "is no pattern: {why}", {"why": str(mistake)}) from None
    return source


def _without_star(name: str) -> str:
    if "*" in name:
        raise PydanticCustomError("star", "is a pattern: what never came cannot be found by one")
    return name


OneName = Annotated[Name, AfterValidator(_without_star)]
RegularExpression = Annotated[
    str,
    AfterValidator(_regular),
    InWords("a regular expression without backreferences and look-around"),
]


NO_DATA = "No value: all is well, everything stays as it is, or that alone counts as true."


class EvaluatedKeys(RuleBase):
    """What every rule that is evaluated has."""

    keep_firing_for: Annotated[float, DurationField("0s", "7d")] = Field(
        Seconds(0), description="How long the alert goes on after the condition was last true."
    )
    no_data: Literal["ok", "keep", "fire"] = Field("keep", description=NO_DATA)
    every: Every = Field(Seconds(30), description="How often it is evaluated.")
    limit: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None,
        description="When it fires for more than this, one alert says so; the setting alerts.rule_limit.",
    )

    @property
    def covers(self) -> CoverKeys:
        """Which services it is about."""
        return CoverKeys()

    def question(self) -> Question:
        """What the rule asks."""
        raise NotImplementedError

    def bounds(self) -> tuple[Operator, tuple[float, ...]]:
        """How a value is compared, and with what."""
        raise NotImplementedError


class ServiceRuleKeys(EvaluatedKeys):
    """What every rule has that looks at services."""

    when: CoverKeys = Field(CoverKeys(), description="Which services; each is judged by itself.")

    @property
    def covers(self) -> CoverKeys:
        """Which services it is about."""
        return self.when


class ThresholdKeys(ServiceRuleKeys):
    """What every rule has that holds a value against numbers of its own."""

    operator: Literal["gt", "gte", "lt", "lte", "eq", "ne", "between"] = Field(
        "gt", description="How the value is compared."
    )
    fire: Bounds = Field(description="The alert begins at this value; two values for between.")
    clear: Bounds | None = Field(
        None, description="What began ends only at this value; the one of fire if left out."
    )
    critical: Bounds | None = Field(
        None,
        description="From this value on the alert is critical, until it is as much better as clear is than fire.",
    )

    def bounds(self) -> tuple[Operator, tuple[float, ...]]:
        """How a value is compared, and with what."""
        return Operator(self.operator), self.fire


def condition_of(keys: EvaluatedKeys, node: Node, path: Path, mistakes: Mistakes) -> Condition | None:
    """The condition that was written; None where its values do not go together."""
    operator, fire = keys.bounds()
    clear, critical = fire, tuple[float, ...]()
    if isinstance(keys, ThresholdKeys):
        clear, critical = (
            _fitting(keys, "clear", operator) or fire,
            _fitting(keys, "critical", operator) or (),
        )
    for key, bounds in (("fire", fire), ("clear", clear), ("critical", critical)):
        trouble, hint = _trouble(operator, key, bounds, fire)
        if trouble:
            mistakes.add(node.mark_of((key,)), (*path, key), trouble, hint=hint)
            return None
    threshold = Threshold(
        operator,
        fire,
        clear,
        critical,
        float(keys.for_),
        float(keys.keep_firing_for),
        NoData(keys.no_data),
    )
    return Condition(keys.question(), threshold, float(keys.every), keys.limit)


def _fitting(keys: ThresholdKeys, key: str, operator: Operator) -> tuple[float, ...] | None:
    """A bound that was written; one that was left out only where its default goes with what was written."""
    bounds: tuple[float, ...] | None = getattr(keys, key)
    written = key in keys.model_fields_set
    return bounds if bounds is None or written or not _trouble(operator, key, bounds, keys.fire)[0] else None


def _trouble(
    operator: Operator, key: str, bounds: tuple[float, ...], fire: tuple[float, ...]
) -> tuple[str, str]:
    """What is wrong with a bound, and what to do; empty where nothing is."""
    if key == "critical":
        if bounds and len(bounds) == len(fire) and not misplaced(operator, bounds, fire):
            return "", ""
        return ("must be as bad as fire or worse", "Change it, or leave it out.") if bounds else ("", "")
    wanted = 2 if operator is Operator.BETWEEN else 1
    if len(bounds) != wanted:
        takes = "two values" if wanted == 2 else "one value"
        return f"{operator} takes {takes}", "Write [least, most]." if wanted == 2 else "Write one number."
    if wanted == 2 and bounds[0] > bounds[1]:
        return "the ends are crossed", f"Write [{bounds[1]:g}, {bounds[0]:g}]."
    if key == "clear":
        return misplaced(operator, fire, bounds), "Change it, or leave it out."
    return "", ""
