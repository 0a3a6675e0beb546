"""Whatever a file holds, reading it gives a configuration or mistakes, never an exception."""

from __future__ import annotations

import json
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from config_kinds import KINDS, Rest, load_text
from hypothesis import given, settings
from hypothesis import strategies as st
from test_config_loader import WHOLE

from watchfloor.config.loader import TOP_KEYS
from watchfloor.config.problems import ConfigError, render
from watchfloor.config.schema import ServiceKeys
from watchfloor.config.settings import build_settings

KEYS = [
    *TOP_KEYS,
    *ServiceKeys.model_fields,
    *Rest.model_fields,
    "when",
    "for",
    "status",
    "<<",
    "port",
    "host",
]
WORDS = [
    "a",
    "rest",
    "port",
    "host",
    "hook",
    "30s",
    "5m",
    "${A}",
    "${MISSING}",
    "${file:x}",
    "$${",
    "${",
    "s*",
]
WORDS += [
    "https://a.example.org",
    "postgresql://a:b@c/d",
    "no",
    "true",
    "1.10",
    "\x1b[2J",
    "\u202e",
    "\0",
    "é",
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text(max_size=20)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=8)
    ),
    max_leaves=40,
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def read(folder: Path, data: bytes) -> None:
    loaded = load_text(folder, data, A="x", SECRET="whsec_x", PW="y")
    assert (loaded.configuration is None) == bool(loaded.problems)
    for line in render(loaded.problems):
        assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in line)
        assert len(line) < 8000


@given(data=st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes(folder: Path, data: bytes) -> None:
    read(folder, data)


@given(text=st.text(alphabet="abz -:?[]{}#&*!|>'\"%@`,\n\t\\019.~<=${}é\u2028", max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_text_of_the_signs_of_yaml(folder: Path, text: str) -> None:
    read(folder, text.encode())


@given(tree=st.dictionaries(st.sampled_from(TOP_KEYS), TREES))
@settings(max_examples=300, deadline=None)
def test_any_data_under_the_keys_of_the_file(folder: Path, tree: object) -> None:
    read(folder, yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(
    services=st.lists(
        st.dictionaries(st.sampled_from(KEYS), SCALARS | st.lists(SCALARS, max_size=3)), max_size=4
    )
)
@settings(max_examples=300, deadline=None)
def test_any_services(folder: Path, services: object) -> None:
    read(folder, json.dumps({"services": services}).encode())


@given(cut=st.integers(0, len(WHOLE)), length=st.integers(0, 30), put=st.text(max_size=10))
@settings(max_examples=300, deadline=None)
def test_a_good_file_with_any_damage(folder: Path, cut: int, length: int, put: str) -> None:
    damaged = WHOLE[:cut] + put + WHOLE[cut + length :]
    read(folder, damaged.encode("utf-8", "surrogatepass"))


@given(raw=st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), TREES, max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_stored_settings(raw: dict[str, object]) -> None:
    for model in KINDS.values():
        with suppress(ConfigError):
            assert build_settings(model, raw, {"A": "x"}, Path("/nowhere"))
