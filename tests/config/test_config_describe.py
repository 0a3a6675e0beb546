"""The words for what settings accept, and the types they are written with."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from config_kinds import Hook, Login, Rest
from pydantic import Field, SecretStr, TypeAdapter, ValidationError

from watchfloor.config.base import Settings
from watchfloor.config.describe import FieldRow, declared, describe, in_words
from watchfloor.config.fields import DurationField, Name, Seconds, WebAddress
from watchfloor.config.schema import RuleKeys, ServiceKeys


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "text"),
        (SecretStr, "text"),
        (bool, "true or false"),
        (int, "a whole number"),
        (float, "a number"),
        (int | str | None, "a whole number or text"),
        (Literal["a", "b"], "one of a, b"),
        (Literal["a"], "a"),
        (Colour, "one of red, blue"),
        (Annotated[int, Field(ge=1, le=9)], "a whole number from 1 to 9"),
        (Annotated[float, Field(gt=0)] | None, "a number above 0"),
        (Annotated[float, Field(ge=0.5, lt=2)], "a number at least 0.5 and below 2"),
        (Annotated[str, Field(min_length=1)], "text of at least 1 character"),
        (Annotated[str, Field(max_length=9)], "text of at most 9 characters"),
        (Annotated[str, Field(min_length=2, max_length=9)], "text of 2 to 9 characters"),
        (list[int], "a list; each item: a whole number"),
        (tuple[str, ...], "a list; each item: text"),
        (frozenset[str], "a list; each item: text"),
        (list, "a list"),
        (dict[str, SecretStr], "a mapping; each value: text"),
        (Login, "a mapping with the keys user, password"),
        (Path, "text"),
        (Any, "a value"),
        (Name, "text of 1 to 100 printable characters"),
        (Annotated[float, DurationField("1s", "1h")], "a duration from 1s to 1h, such as 30s, 5m or 1h30m"),
    ],
)
def test_types_in_words(annotation: Any, words: str) -> None:
    assert in_words(annotation) == words


def test_fields_are_described_in_order() -> None:
    rows = {row.name: row for row in describe(Rest)}
    assert list(rows)[:3] == ["url", "method", "headers"]
    assert rows["url"] == FieldRow("url", "text", "", "", required=True, secret=False)
    assert rows["method"].default == "GET"
    assert rows["expect"].default == "200"
    assert rows["slow_after"].default == "2s"
    assert rows["ratio"].default == "0.5"
    assert rows["verify"].default == "true"
    assert rows["headers"].secret
    assert rows["dsn"].secret
    assert {row.name for row in describe(Hook) if row.required} == {"url"}


def test_defaults_of_every_sort_are_written_the_way_people_write_them() -> None:
    class Odd(Settings):
        colour: Colour = Colour.RED
        nested: Login | None = Field(default_factory=lambda: Login(user="a", password=SecretStr("b")))
        names: dict[str, bool] = {"a": False}
        alias_: int = Field(7, alias="alias", description="Why.")

    assert [(row.name, row.default) for row in describe(Odd)] == [
        ("colour", "red"),
        ("nested", "user: a, password: **********"),
        ("names", "a: false"),
        ("alias", "7"),
    ]


def test_every_common_key_is_described() -> None:
    assert all(row.description for model in (ServiceKeys, RuleKeys) for row in describe(model))


def test_what_is_declared_for_a_path() -> None:
    assert declared(Rest, ("login", "password")) == (SecretStr, [])
    assert declared(Rest, ("expect", 0)) == (int | str, [])
    assert declared(Rest, ("headers", "X-Any")) == (SecretStr, [])
    assert declared(Rest, ("nothing",)) is None
    assert declared(Rest, ("url", "deeper")) is None
    found = declared(RuleKeys, ("when", "status", 0))
    assert found is not None
    assert in_words(*found) == "one of failing, degraded, unknown"


DURATION: TypeAdapter[float] = TypeAdapter(Annotated[float, DurationField("1s", "1h")])


@pytest.mark.parametrize(("written", "seconds"), [("1s", 1), ("1h", 3600), ("1m30s", 90), (Seconds(5), 5)])
def test_durations_become_seconds(written: object, seconds: float) -> None:
    found = DURATION.validate_python(written)
    assert found == seconds
    assert isinstance(found, Seconds)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (30, "duration_unit"),
        (1.5, "duration_unit"),
        ("30", "duration_unit"),
        ("1e3", "duration_unit"),
        (True, "duration_type"),
        (None, "duration_type"),
        (["1s"], "duration_type"),
        ("", "duration_form"),
        ("soon", "duration_form"),
        ("999ms", "duration_short"),
        ("61m", "duration_long"),
    ],
)
def test_what_is_no_duration_is_refused_without_repeating_it(written: object, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DURATION.validate_python(written)
    (error,) = caught.value.errors(include_input=False)
    assert error["type"] == kind
    assert "soon" not in error["msg"]


@pytest.mark.parametrize("address", ["http://a", "https://a.example.org/b?c#d", "HTTPS://A"])
def test_web_addresses(address: str) -> None:
    assert TypeAdapter(WebAddress).validate_python(address) == address


@pytest.mark.parametrize(
    "address", ["", "a", "ftp://a", "http://", "http://a b", "http://a\x1b", "http:///x"]
)
def test_what_is_no_web_address(address: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(WebAddress).validate_python(address)
