"""Types for settings models: what a person writes on one side, what the program uses on the other.

Each declares its own rule *and* the words for it (``in_words``), so messages, forms and documentation
agree. Nothing here may repeat a refused value in a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from watchfloor.domain.durations import parse_duration
from watchfloor.domain.zones import UnknownZone, zone


class Seconds(float):
    """A duration in seconds; write the default of a duration field as one, as in ``Seconds(30)``."""


_BARE_NUMBER = re.compile(r"\s*[-+]?[0-9.]+(e[-+]?[0-9]+)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DurationField:
    """Marks a field as a duration: written like ``30s`` or ``1h30m``, used as a float of seconds.

    ``every: Annotated[float, DurationField("1s", "7d")] = Seconds(30)``. Both bounds are included.
    """

    at_least: str = "0s"
    at_most: str = "365d"

    @property
    def in_words(self) -> str:
        """The words for what may be written."""
        return f"a duration from {self.at_least} to {self.at_most}, such as 30s, 5m or 1h30m"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate with the rule of durations instead of the rule of numbers."""
        bounds = parse_duration(self.at_least), parse_duration(self.at_most)
        return core_schema.no_info_plain_validator_function(lambda value: _seconds(value, *bounds))


def _seconds(value: object, at_least: float, at_most: float) -> Seconds:
    if isinstance(value, Seconds):
        seconds: float = value
    elif isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PydanticCustomError("duration_type", "must be a duration")
    elif _BARE_NUMBER.fullmatch(str(value)):
        raise PydanticCustomError("duration_unit", "a number without a unit")
    else:
        try:
            seconds = parse_duration(str(value))
        except ValueError:  # its sentence repeats the value, which may have come from a reference
            raise PydanticCustomError("duration_form", "is not a duration") from None
    if seconds < at_least:
        raise PydanticCustomError("duration_short", "is too short")
    if seconds > at_most:
        raise PydanticCustomError("duration_long", "is too long")
    return Seconds(seconds)


@dataclass(frozen=True, slots=True)
class InWords:
    """Metadata of an annotated type: the words for what may be written."""

    in_words: str


def _printable(limit: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not 1 <= len(text) <= limit:
            raise PydanticCustomError("text_length", "is empty" if not text else "is too long")
        if not text.isprintable() or text != text.strip():
            raise PydanticCustomError(
                "text_form", "holds a line end or invisible character, or a space at either end"
            )
        return text

    return check


LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
"""The name of a label of alerts."""

_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]+[^\s]*", re.IGNORECASE)


def _web_address(text: str) -> str:
    if len(text) > 2000 or not text.isprintable() or not _WEB_ADDRESS.fullmatch(text):
        raise PydanticCustomError("web_address", "is not a web address")
    return text


def _zone(text: str) -> str:
    try:
        zone(text)
    except UnknownZone as error:
        raise ValueError(f"{error}; write a name such as Europe/Berlin or UTC") from None
    return text


Name = Annotated[str, AfterValidator(_printable(100)), InWords("text of 1 to 100 printable characters")]
Tag = Annotated[str, AfterValidator(_printable(50)), InWords("text of 1 to 50 printable characters")]
ZoneName = Annotated[str, AfterValidator(_zone), InWords("a time zone such as Europe/Berlin")]
WebAddress = Annotated[str, AfterValidator(_web_address), InWords("an http:// or https:// address")]
