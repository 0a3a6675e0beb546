"""What may be written under ``routes:``, ``inhibitions:`` and ``watchdog:``: who is told, together with what, and how
anybody outside learns that Watchfloor itself fell silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import time
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from watchfloor.config.base import Settings
from watchfloor.config.checks import Entry
from watchfloor.config.document import Node
from watchfloor.config.fields import LABEL, DurationField, InWords, Name, ZoneName
from watchfloor.config.problems import Mistakes, Path, quoted, suggest
from watchfloor.config.schema import ChannelNames
from watchfloor.domain.matchers import BadMatcher, match_everything, parse, parse_all

MAX_ROUTES = 500
RESERVED = "watchdog"


def _matcher(text: str) -> str:
    try:
        return str(parse(text))
    except BadMatcher as error:
        words = str(error).replace("{", "{{").replace("}", "}}")
        raise PydanticCustomError("matcher", words) from None


def _label(text: str) -> str:
    if not LABEL.fullmatch(text):
        raise PydanticCustomError("label", "is no name of a label")
    return text


def _clock(text: str) -> str:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or not re.fullmatch(r"\d\d:\d\d", text):
        raise PydanticCustomError("clock", "is no time of day")
    return text


MatcherText = Annotated[str, AfterValidator(_matcher), InWords('a matcher such as group=~"web-.*"')]
MatcherTexts = Annotated[tuple[MatcherText, ...], Field(max_length=20)]
Label = Annotated[str, AfterValidator(_label), InWords("the name of a label, such as group")]
Labels = Annotated[tuple[Label, ...], Field(max_length=20)]
ClockTime = Annotated[str, AfterValidator(_clock), InWords('a time of day in quotes, such as "22:30"')]
Wait = Annotated[float, DurationField("0s", "1d")]
Pause = Annotated[float, DurationField("1s", "30d")]


class MuteTimeKeys(Settings):
    """A part of the week in which a route tells nothing."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        (), description="Days on which it begins; every day if left out."
    )
    from_: ClockTime = Field(alias="from", description="When it begins.")
    to: ClockTime = Field(description="When it ends; earlier than from: on the next day.")
    time_zone: ZoneName = Field("UTC", description="Whose clocks.")

    def spec(self) -> dict[str, object]:
        """As it is stored."""
        return {"days": list(self.days), "from": self.from_, "to": self.to, "time_zone": self.time_zone}


class RouteKeys(Settings):
    """A route: which alerts, told to whom, together with which others, how soon. What is left out is inherited."""

    name: Name | None = Field(None, description="What people call it.")
    match: MatcherTexts = Field((), description="Conditions on labels, all of them; none: every alert.")
    channels: ChannelNames | None = Field(
        None, description="Channels that are told; those of the alert's rule if left out."
    )
    group_by: Labels | None = Field(
        None,
        description="Alerts that agree in these labels are told together, [] for all; each by itself if left out.",
    )
    group_wait: Wait | None = Field(None, description="How long a new group waits for more alerts; 30s.")
    group_interval: Pause | None = Field(
        None, description="Least time between two messages about a group; 5m."
    )
    repeat_interval: Pause | None = Field(
        None, description="How often people are reminded of what fires and nobody acknowledged; 4h."
    )
    send_resolved: bool | None = Field(None, description="Whether a group tells what is over; true.")
    storm: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None,
        description="More messages than this to a channel in a minute are gathered into one; 10, 0 for never.",
    )
    mute_times: Annotated[tuple[MuteTimeKeys, ...], Field(max_length=20)] | None = Field(
        None, description="When it tells nothing; what is still open afterwards is told then."
    )
    continue_: bool = Field(False, alias="continue", description="Whether routes after it are asked as well.")
    routes: tuple[RouteKeys, ...] = Field((), description="Routes inside this one.")

    def spec(self) -> dict[str, object]:
        """As it is stored."""
        return {
            "name": self.name,
            "match": list(self.match),
            "channels": None if self.channels is None else list(self.channels),
            "group_by": None if self.group_by is None else list(self.group_by),
            "group_wait_s": None if self.group_wait is None else float(self.group_wait),
            "group_interval_s": None if self.group_interval is None else float(self.group_interval),
            "repeat_s": None if self.repeat_interval is None else float(self.repeat_interval),
            "send_resolved": self.send_resolved,
            "storm": self.storm,
            "mute_times": None if self.mute_times is None else [each.spec() for each in self.mute_times],
            "continue": self.continue_,
            "routes": [each.spec() for each in self.routes],
        }


class InhibitionKeys(Settings):
    """While an alert matches ``source``, those that match ``target`` and share the labels ``equal`` are not told."""

    name: Name = Field(description="What people call it; unique.")
    source: Annotated[MatcherTexts, Field(min_length=1)] = Field(
        description="The alert that explains the others."
    )
    target: Annotated[MatcherTexts, Field(min_length=1)] = Field(description="The alerts that it explains.")
    equal: Labels = Field((), description="Labels in which both must agree.")

    @model_validator(mode="after")
    def _leaves_something(self) -> InhibitionKeys:
        if not self.equal and match_everything(parse_all(self.target)):
            raise PydanticCustomError(
                "target",
                "one alert would keep every other one quiet: narrow the target or name labels in equal",
            )
        return self

    def spec(self) -> dict[str, object]:
        """As it is stored."""
        return {
            "name": self.name,
            "source": list(self.source),
            "target": list(self.target),
            "equal": list(self.equal),
        }


def _web(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise PydanticCustomError("web_address", "must be a http:// or https:// address")
    return value


class WatchdogKeys(Settings):
    """Who outside hears every minute that everything works, and raises the alarm when that stops."""

    url: Annotated[SecretStr, AfterValidator(_web), InWords("an http:// or https:// address")] = Field(
        description="Called every 60 s while the audit passes; of a dead man's switch outside. May hold a reference."
    )
    method: Literal["GET", "HEAD", "POST"] = Field("POST", description="How it is called.")
    timeout: float = Field(10.0, ge=1.0, le=30.0, description="Seconds until a call counts as failed.")
    ca_file: str | None = Field(
        None, max_length=1000, description="Authorities to trust instead of the system's, as PEM."
    )


def check_routes(
    entries: list[tuple[Entry, RouteKeys | None]], channels: frozenset[str], mistakes: Mistakes
) -> None:
    """Routes name channels that exist, none is behind one that takes every alert, and there are not too many."""
    total = 0
    _check_reached([(entry.node, entry.path) for entry, _ in entries], mistakes)
    for entry, _ in entries:
        for node, path in _walk(entry.node, entry.path):
            total += 1
            _check_reached(_inner(node, path), mistakes)
            found = node.children.get("channels")
            names = found.value if found is not None and isinstance(found.value, list) else []
            for at, name in enumerate(names):
                if isinstance(name, str) and name not in channels:
                    hint = suggest(name, list(channels)) or "Add it."
                    message = f"there is no channel in this file called {quoted(name)}"
                    mistakes.add(node.mark_of(("channels", at)), (*path, "channels", at), message, hint=hint)
    if total > MAX_ROUTES:
        mistakes.add(
            entries[0][0].node.mark, ("routes",), "there are too many routes", allowed=f"{MAX_ROUTES} in all"
        )


def check_reserved(channels: list[Entry], mistakes: Mistakes) -> None:
    """No channel takes the name of the one to the dead man's switch."""
    for entry in channels:
        if entry.name == RESERVED:
            message = f"the name {quoted(RESERVED)} belongs to the dead man's switch"
            mark = entry.node.mark_of(("name",))
            mistakes.add(mark, (*entry.path, "name"), message, hint="Choose another name.")


def _check_reached(siblings: list[tuple[Node, Path]], mistakes: Mistakes) -> None:
    """Of routes side by side only the last one may take every alert: those behind it would never be asked."""
    for node, path in siblings[:-1]:
        if not isinstance(node.value, dict) or node.value.get("continue") is True or not _takes_all(node):
            continue
        message = "matches every alert, so that no route after it is ever asked"
        mistakes.add(
            node.mark_of(("match",)),
            (*path, "match"),
            message,
            hint="Put it last, narrow it, or add continue: true.",
        )


def _takes_all(node: Node) -> bool:
    found = node.children.get("match")
    texts = found.value if found is not None else []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return False
    try:
        return match_everything(parse_all(texts))
    except BadMatcher:
        return False


def _walk(node: Node, path: Path) -> Iterator[tuple[Node, Path]]:
    yield node, path
    for child, place in _inner(node, path):
        if isinstance(child.value, dict):
            yield from _walk(child, place)


def _inner(node: Node, path: Path) -> list[tuple[Node, Path]]:
    inner: Any = node.children.get("routes")
    if inner is None or not isinstance(inner.value, list):
        return []
    return [(child, (*path, "routes", at)) for at, child in enumerate(inner.children.values())]
