"""Forms say exactly what the models accept, and what is typed into them is what a file would hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from watchfloor.cli.editors import kind_fields
from watchfloor.config.document import read_document
from watchfloor.config.form_fields import fields_of
from watchfloor.config.forms import (
    FormField,
    Shape,
    as_text,
    differences,
    from_text,
    merged,
    mistake_of,
    with_value,
    written,
)
from watchfloor.config.jobs import JobKeys
from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.problems import Mistakes
from watchfloor.config.schema import RuleKeys, ServiceKeys
from watchfloor.config.typed import judge_job


class Inner(BaseModel):
    depth: int = Field(3, ge=0, le=9, description="How deep.")


class Sample(BaseModel):
    name: str
    mode: Literal["a", "b"] | None = None
    on: bool = True
    share: float | str | None = None
    token: SecretStr | None = None
    tags: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)
    env: dict[str, SecretStr] = {}
    story: str = Field("", max_length=9000)
    inner: Inner = Inner()
    steps: tuple[Inner, ...] = ()
    odd: dict[str, Inner] = {}


FIELDS = {field.name: field for field in fields_of(Sample)}


def test_every_field_of_a_model_is_in_its_form_with_its_shape() -> None:
    assert {name: str(field.shape) for name, field in FIELDS.items()} == {
        "name": "text",
        "mode": "choice",
        "on": "choice",
        "share": "text",
        "token": "text",
        "tags": "list",
        "codes": "list",
        "env": "mapping",
        "story": "block",
        "steps": "entries",
        "odd": "any",
        "inner.depth": "text",
    }
    assert FIELDS["mode"].choices == ("a", "b")
    assert FIELDS["name"].required
    assert FIELDS["token"].secret
    assert FIELDS["inner.depth"].group == "inner"
    assert FIELDS["inner.depth"].allowed == "a whole number from 0 to 9"
    assert [field.name for field in FIELDS["steps"].fields] == ["depth"]


@pytest.mark.parametrize("group", [probe_kinds, payload_kinds, channel_kinds], ids=lambda each: each.__name__)
def test_every_kind_of_the_program_has_a_form_without_gaps(group: Any) -> None:
    for kind, model in group().models.items():
        fields = fields_of(model)
        tops = {field.path[0] for field in fields}
        assert tops == {info.alias or name for name, info in model.model_fields.items()}, kind
        for field in fields:
            assert field.allowed, (kind, field.name)
            assert field.description, (kind, field.name)


@pytest.mark.parametrize("model", [JobKeys, ServiceKeys, RuleKeys])
def test_the_keys_that_every_entry_has_make_a_form_too(model: Any) -> None:
    assert all(field.description for field in fields_of(model))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("name", " 0123 ", "0123"),  # text stays text
        ("share", "0.5", 0.5),
        ("share", "half", "half"),
        ("on", "false", False),
        ("codes", "0\n3\n", [0, 3]),
        ("tags", "1\n\n two ", ["1", "two"]),
        ("env", "A: 1\nB: x: y", {"A": "1", "B": "x: y"}),
        ("story", "one\n  two\n", "one\n  two\n"),
        ("odd", "x:\n  depth: 1\n", {"x": {"depth": 1}}),
        ("mode", "   ", None),
    ],
)
def test_what_is_typed_becomes_what_a_file_would_hold(field: str, text: str, value: Any) -> None:
    assert from_text(FIELDS[field], text) == value


@pytest.mark.parametrize(
    ("field", "text"), [("env", "no colon"), ("env", ": x"), ("odd", "a: [1"), ("odd", "*x")]
)
def test_what_cannot_be_read_is_refused_with_its_line(field: str, text: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        from_text(FIELDS[field], text)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "no", "1", "on"]), PLAIN, min_size=1))
def test_what_is_written_out_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    text = written(value)
    mistakes = Mistakes("")
    node = read_document(text.encode("utf-8", "surrogatepass"), mistakes)
    refused = any(
        (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) <= 0x9F or c in "\u2028\u2029\ufeff"
        for c in str(value)
    )
    if node is not None and not mistakes:
        assert node.value == value
    else:
        assert refused or "\\x" in text or "\\u" in text or '""' in text or "? " in text, text


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1), max_size=5))
def test_a_list_is_typed_and_shown_alike(items: list[str]) -> None:
    field = FIELDS["tags"]
    assert from_text(field, as_text(field, items)) == (items or None)


def test_a_value_is_set_and_taken_away_with_what_is_empty_then() -> None:
    values = with_value({"name": "x"}, ("inner", "depth"), 4)
    assert values == {"name": "x", "inner": {"depth": 4}}
    assert with_value(values, ("inner", "depth"), None) == {"name": "x"}


def test_what_two_people_changed_is_brought_together_field_by_field() -> None:
    fields = tuple(FIELDS.values())
    base = {"name": "x", "on": True, "inner": {"depth": 1}}
    mine = {"name": "x", "on": False, "inner": {"depth": 1}}
    theirs = {"name": "y", "on": True, "inner": {"depth": 5}}
    assert merged(fields, base, mine, theirs) == {"name": "y", "on": False, "inner": {"depth": 5}}
    assert [field.name for field, _, _ in differences(fields, base, theirs)] == ["name", "inner.depth"]


# Judged by the rules of the file

KINDS = payload_kinds().models


def judge(**values: Any) -> Any:
    return judge_job(
        {"name": "a", "kind": "script", "script": "true", **values}, KINDS, {"HERE": "x"}, Path("/nowhere")
    )


def field_of(name: str) -> FormField:
    return next(field for field in kind_fields(JobKeys, KINDS, "script") if field.name == name)


def test_a_mistake_stands_at_its_field() -> None:
    problems = judge(retry={"attempts": 0}, schedules=[{"every": "1h"}, {"cron": "61 * * * *"}]).problems
    assert mistake_of(field_of("retry.attempts"), problems) is not None
    assert mistake_of(field_of("schedules"), problems).path == "schedules[1].cron"  # type: ignore[union-attr]
    assert mistake_of(field_of("timeout"), problems) is None


def test_a_secret_that_is_written_out_is_refused_and_not_repeated() -> None:
    problems = judge(env={"DB_PASSWORD": "hunter2"}).problems
    assert "a secret is in plain text" in problems[0].message
    assert "hunter2" not in str(problems)


def test_a_reference_that_leads_nowhere_here_is_a_note_and_no_mistake() -> None:
    judged = judge(env={"A": "${HERE}", "B": "${ELSEWHERE}", "C": "${file:/nowhere/secret}"})
    assert judged.problems == ()
    assert judged.made is not None
    assert judged.made.raw["env"]["B"] == "${ELSEWHERE}"
    assert len(judged.notes) == 2
    assert "ELSEWHERE" in judged.notes[0]


def test_a_number_that_only_another_machine_knows_is_said_to_be_no_number() -> None:
    judged = judge(nice="${ELSEWHERE}")
    assert judged.made is None
    assert [problem.path for problem in judged.problems] == ["nice"]


def test_what_is_no_reference_is_a_mistake() -> None:
    assert judge(env={"A": "${not a name}"}).problems


def test_shapes_are_few_and_each_is_used() -> None:
    used = {field.shape for kind in KINDS for field in kind_fields(JobKeys, KINDS, kind)}
    assert used <= set(Shape)
    assert {Shape.TEXT, Shape.CHOICE, Shape.LIST, Shape.MAPPING, Shape.ENTRIES, Shape.BLOCK} <= used
