"""What a check may demand of a body: text it holds or lacks, a pattern, values within JSON.

Bodies come from outside: they may be binary, endless, nested a thousand deep. Nothing here may raise for a
body, and nothing may take longer than a body's limit allows.
"""

from __future__ import annotations

import json
import re
from functools import cached_property

from pydantic import Field, JsonValue, model_validator

from watchfloor.config.base import Settings

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(-?\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]')
_SPOKEN = frozenset(("utf-8", "utf-16", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252"))
_ABSENT = object()


class JsonAssertion(Settings):
    """One demand on a JSON body: the value at ``path`` meets every condition given."""

    path: str = Field(
        description='Where the value is: `status`, `checks[0].name`, `["a.b"].c`; `$` is the whole document.',
        min_length=1,
        max_length=500,
    )
    exists: bool | None = Field(None, description="Whether there must be a value at all (null is one).")
    equals: JsonValue = Field(None, description="The value it must have; give null to demand null.")
    not_equals: JsonValue = Field(None, description="A value it must not have.")
    contains: JsonValue = Field(None, description="Text within a text, or an element of a list.")
    above: float | None = Field(None, description="A number it must be greater than.")
    below: float | None = Field(None, description="A number it must be less than.")

    @model_validator(mode="after")
    def _demands_something(self) -> JsonAssertion:
        if not self.model_fields_set - {"path"}:
            raise ValueError("give a condition: exists, equals, not_equals, contains, above or below")
        if self.steps is None:
            raise ValueError(f"the path {self.path} is malformed; it looks like checks[0].name")
        if why := self._never():
            raise ValueError(f"this can never hold: {why}")
        return self

    def _never(self) -> str | None:
        """Why no value can meet all of it; None when one can."""
        given = self.model_fields_set
        if self.exists is False:
            return None  # met where there is no value
        if self.above is not None and self.below is not None and self.above >= self.below:
            return (
                f"no number is above {self.above:g} and below {self.below:g}; write the lesser one as above"
            )
        if "contains" in given and (self.above is not None or self.below is not None):
            return "contains asks for a text or a list, above and below for a number; leave out one"
        if "equals" in given and (objection := self._against(self.equals)):
            return f"equals contradicts the rest ({objection}); leave out one"
        return None

    @cached_property
    def steps(self) -> tuple[str | int, ...] | None:
        """The path as keys and indexes; None when it is malformed."""
        rest = self.path.removeprefix("$")
        steps: list[str | int] = []
        position = 0
        while position < len(rest):
            step = _STEP.match(rest, position)
            if step is None:
                return None
            key, index, quoted = step.groups()
            steps.append(key if key is not None else int(index) if index is not None else json.loads(quoted))
            position = step.end()
        return tuple(steps)

    def objection(self, document: object) -> str | None:
        """Return what is wrong with the value in ``document``, or None."""
        value = self._value(document)
        if value is _ABSENT:
            return None if self.exists is False else f"{self.path} is missing"
        return self._against(value)

    def _against(self, value: object) -> str | None:
        given = self.model_fields_set
        if self.exists is False:
            return f"{self.path} is there, but should not be"
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if "equals" in given and not same(value, self.equals):
            expected = json.dumps(self.equals)
        elif "not_equals" in given and same(value, self.not_equals):
            expected = "anything else"
        elif "contains" in given and not contains(value, self.contains):
            expected = f"it to contain {json.dumps(self.contains)}"
        elif self.above is not None and (number is None or number <= self.above):
            expected = f"more than {self.above:g}"
        elif self.below is not None and (number is None or number >= self.below):
            expected = f"less than {self.below:g}"
        else:
            return None
        return f"{self.path} is {shown_json(value)}, expected {expected}"

    def _value(self, document: object) -> object:
        for step in self.steps or ():
            if not isinstance(document, dict if isinstance(step, str) else list):
                return _ABSENT
            try:
                document = document[step]  # type: ignore[index]  # the kind of step fits, as just seen
            except LookupError:
                return _ABSENT
        return document


def parsed_json(body: bytes) -> tuple[object, str | None]:
    """Return the document in ``body`` and None, or None and why it is no JSON."""
    try:
        return json.loads(body), None
    except RecursionError:
        return None, "the body is JSON nested too deeply to read"
    except ValueError:
        return None, "the body is not JSON"


def as_text(body: bytes, content_type: bytes) -> str:
    """Return ``body`` as text, in the character set it claims if that is a common one, else as UTF-8."""
    _, _, claimed = content_type.decode("ascii", "replace").lower().partition("charset=")
    charset = claimed.partition(";")[0].strip(" \"'")
    # Only these: some of Python's decoders take quadratic time on hostile bytes.
    return body.decode(charset if charset in _SPOKEN else "utf-8", "replace")


def shown_json(value: object) -> str:
    """Return the beginning of a value as JSON; how much of it is seen is for the summary to decide."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return json.dumps(value[:2000] if isinstance(value, str) else value)


def same(value: object, wanted: object) -> bool:
    """Compare as JSON does: true is not 1."""
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def contains(value: object, wanted: object) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    return isinstance(value, list) and any(same(element, wanted) for element in value)
