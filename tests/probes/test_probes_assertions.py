"""Demands on bodies: JSON paths and conditions, character sets, and documents made to hurt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from watchfloor.probes.assertions import JsonAssertion, as_text, parsed_json

DOCUMENT = {
    "status": "ok",
    "ready": True,
    "nothing": None,
    "a.b": {"c": 1},
    "checks": [{"name": "queue", "depth": 3}, {"name": "disk", "depth": 0.5}],
    "text": "alpha beta",
}


def objection(**written: Any) -> str | None:
    return JsonAssertion(**written).objection(DOCUMENT)


@pytest.mark.parametrize(
    "written",
    [
        {"path": "status", "equals": "ok"},
        {"path": "$.status", "equals": "ok"},
        {"path": "$", "exists": True},
        {"path": "ready", "equals": True},
        {"path": "nothing", "equals": None},
        {"path": "nothing", "exists": True},
        {"path": "missing", "exists": False},
        {"path": "missing.deeper[3]", "exists": False},
        {"path": '["a.b"].c', "equals": 1},
        {"path": "checks[0].name", "equals": "queue"},
        {"path": "checks[-1].depth", "below": 1, "above": 0},
        {"path": "checks", "contains": {"name": "queue", "depth": 3}},
        {"path": "text", "contains": "beta"},
        {"path": "status", "not_equals": "down"},
        {"path": "checks[0]", "equals": {"name": "queue", "depth": 3}},
    ],
)
def test_met(written: dict[str, Any]) -> None:
    assert objection(**written) is None


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"path": "status", "equals": "up"}, 'status is "ok", expected "up"'),
        ({"path": "ready", "equals": 1}, "ready is true, expected 1"),
        ({"path": "status", "not_equals": "ok"}, 'status is "ok", expected anything else'),
        ({"path": "missing", "equals": None}, "missing is missing"),
        ({"path": "status", "exists": False}, "status is there, but should not be"),
        ({"path": "status[0]", "exists": True}, "status[0] is missing"),
        ({"path": "checks[2].name", "equals": "x"}, "checks[2].name is missing"),
        ({"path": "checks[0].depth", "above": 3}, "checks[0].depth is 3, expected more than 3"),
        ({"path": "checks[0].depth", "below": 3}, "checks[0].depth is 3, expected less than 3"),
        ({"path": "ready", "above": 0}, "ready is true, expected more than 0"),
        ({"path": "checks", "equals": []}, "checks is a list of 2, expected []"),
        ({"path": "text", "contains": "gamma"}, 'text is "alpha beta", expected it to contain "gamma"'),
        ({"path": "checks", "contains": "queue"}, 'checks is a list of 2, expected it to contain "queue"'),
    ],
)
def test_not_met(written: dict[str, Any], words: str) -> None:
    assert objection(**written) == words


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"path": "status"}, "give a condition"),
        ({"path": "a[", "exists": True}, "malformed"),
        ({"path": "a[x]", "exists": True}, "malformed"),
        ({"path": "", "exists": True}, "at least 1 character"),
        ({"path": "a", "equal": 1}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        JsonAssertion(**written)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    st.text(alphabet='a.[]0-1"$', min_size=1, max_size=8),
)
def test_no_document_and_no_path_raises(document: object, path: str) -> None:
    try:
        demand = JsonAssertion(path=path, equals=1, above=0)
    except ValidationError:
        return
    demand.objection(document)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 200_000,
        b"\xff\xfe\x00",
        b"9" * 100_000,
        b"",
        b"\x00",
        b"NaN1",
        b'"\\ud800"',
    ],
)
def test_no_body_raises(body: bytes) -> None:
    document, problem = parsed_json(body)
    if problem is None:
        JsonAssertion(path="$", equals="x").objection(document)
    else:
        assert problem.startswith("the body is")


def test_a_huge_number_is_no_crash() -> None:
    document, problem = parsed_json(b'{"n": 1e999, "m": ' + b"9" * 4000 + b"}")
    assert problem is None
    assert JsonAssertion(path="n", above=1).objection(document) is None
    assert JsonAssertion(path="m", above=1).objection(document) is None


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("grün".encode(), b"", "grün"),
        ("grün".encode("latin-1"), b"text/html; charset=ISO-8859-1", "grün"),
        ("grün".encode("utf-16"), b'text/html; charset="utf-16"; x=y', "grün"),
        (b"\xff\xfa", b"text/plain; charset=utf-8", "��"),
        (b"plain", b"text/plain; charset=punycode", "plain"),
        (b"plain", b"text/plain; charset=\xff\xff", "plain"),
    ],
)
def test_bodies_become_text(body: bytes, content_type: bytes, text: str) -> None:
    assert as_text(body, content_type) == text


def test_only_the_beginning_of_a_huge_value_is_shown() -> None:
    long = JsonAssertion(path="$", equals=1).objection("y" * 1_000_000)
    assert long is not None
    assert len(long) < 2100
