"""YAML: what values mean, where they are, and how a file that is no YAML is refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_kinds import problem, problems

from watchfloor.config import document
from watchfloor.config.document import MAX_BYTES, Node, leaves, plain_value, read_document, unplaced
from watchfloor.config.problems import Mistakes, render


def read(text: str | bytes) -> Node:
    mistakes = Mistakes("file")
    node = read_document(text if isinstance(text, bytes) else text.encode(), mistakes)
    assert node is not None, render(mistakes.all())
    assert not mistakes, render(mistakes.all())
    return node


def refusal(text: str | bytes) -> str:
    mistakes = Mistakes("file")
    read_document(text if isinstance(text, bytes) else text.encode(), mistakes)
    (only,) = render(mistakes.all())
    return only


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("22:22", "22:22"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("1.2.3", "1.2.3"),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("=", "="),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("1e3", 1000.0),
        ("1.10", 1.1),
        (".5", 0.5),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("9" * 40, "9" * 40),
        ("-", "-"),
        (".", "."),
    ],
)
def test_plain_scalars_mean_what_the_core_of_yaml_1_2_says(written: str, value: object) -> None:
    assert plain_value(written) == value
    assert type(plain_value(written)) is type(value)


def test_quoted_and_tagged_text_stays_text() -> None:
    node = read("a: '1'\nb: \"true\"\nc: !!str 3\nd: ! 4\ne: |\n  5\n")
    assert node.value == {"a": "1", "b": "true", "c": "3", "d": "4", "e": "5\n"}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read("200: ok\ntrue: x\nno: y\n").value == {"200": "ok", "true": "x", "no": "y"}


def test_every_value_and_key_knows_its_place() -> None:
    node = read("a:\n  - b: 1\n    cé: [x, yy]\n")
    assert node.mark_of(("a",)) == (2, 3)
    assert node.mark_of(("a", 0, "b")) == (2, 8)
    assert node.key_mark(("a", 0, "cé")) == (3, 5)
    assert node.mark_of(("a", 0, "cé", 1)) == (3, 13)
    assert node.mark_of(("a", 0, "missing", "deeper")) == (2, 5)


def test_aliases_and_merges_share_values_and_own_keys_win() -> None:
    node = read("- &base {a: 1, b: 2}\n- <<: *base\n  b: 3\n- *base\n- <<: [{c: 4}, *base]\n")
    assert node.value == [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1, "b": 2}, {"c": 4, "a": 1, "b": 2}]
    assert node.mark_of((1, "a")) == (1, 13), "a merged value is where it was written"


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert read("'<<': {a: 1}\n").value == {"<<": {"a": 1}}


def test_windows_line_ends_are_fine() -> None:
    assert read(b"a: 1\r\nb: 2\r\n").value == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"", "file:1:1: the file is empty."),
        (b"# only a comment\n", "file:1:1: the file is empty."),
        (
            b"\xef\xbb\xbfa: 1\n",
            "file:1:1: the file is UTF-8 with a byte order mark. Save it as UTF-8 without",
        ),
        ("a: 1\n".encode("utf-16"), "file:1:1: the file is UTF-16. Save it as UTF-8"),
        ("a: 1\n".encode("utf-16-le"), "file:1:2: a NUL character is not allowed. Remove it."),
        (b"a: 1\nb: caf\xe9\n", "file:2:7: the byte 0xe9 is not UTF-8. Save the file as UTF-8."),
        (b"a: x\x00\n", "file:1:5: a NUL character is not allowed."),
        (b"a: \x1b[31m\n", "file:1:4: the control character U+001B is not allowed."),
        ("services:\n\t- name: a\n", "file:2:1: a tab is used for indentation; use spaces."),
        ("a:\n  b: 1\n\tc: 2\n", "file:3:1: a tab is used for indentation; use spaces."),
        ("a: b\n  \tc: d\n", "file:2:3: a tab is used for indentation; use spaces."),
        ("a: |\n\ttext\n", "file:2:1: a tab is used for indentation; use spaces."),
        ("a: b: c\n", 'file:1:5: a ": " is not expected here. Check the indentation'),
        ("a: @b\n", "file:1:4: no value can begin with this character. Put the text in quotes."),
        ("a: 'b\n", "the closing quote is missing (it began on line 1)."),
        ('a: "\\q"\n', "file:1:5: a backslash in double quotes begins an unknown escape."),
        ("a: [1, 2\nb: 3\n", 'a "," or "]" is missing (it began on line 1).'),
        ("a: {b: 1\n", 'a "," or "}" is missing (it began on line 1).'),
        ("a:\n - b\n c: d\n", 'a list item, beginning with "- ", is expected here'),
        ("%YAML 3.0\n---\na\n", "this is not valid YAML: found incompatible YAML document."),
        ("a: 1\n---\nb: 2\n", "file:2:1: a second document begins. Keep one document in one file."),
        ("a: *b\n", 'file:1:4: the alias "b" has no anchor.'),
        ("a: &b [*b]\n", 'file:1:8: the anchor "b" holds itself.'),
        ("? [a]\n: b\n", "file:1:3: a key must be plain text."),
        ("'': b\n", "file:1:1: a key is empty or holds a NUL character."),
        ("a: !!python/object/apply:os.system [id]\n", 'a: the tag "!!python/object/apply:os.system" is not'),
        ("a: !!int '3'\n", 'file:1:4: a: the tag "!!int" is not allowed. Remove the tag.'),
        ("a: !secret x\n", 'file:1:4: a: the tag "!secret" is not allowed. Remove the tag.'),
        ('a: "x\\0"\n', "file:1:4: a: a character that no text may hold."),
        ("a: 1\nb: 2\na: 3\n", "file:3:1: a: the key is written twice, on line 1 and on line 3. Keep one of"),
        ("{a: 1, a: 2}\n", "file:1:8: a: the key is written twice on line 1, first in column 2."),
        ("<<: [1]\n", "only mappings can be merged; allowed: an alias of a mapping"),
        ("[" * 60 + "]" * 60, "more than 50 levels are nested. Nest less deeply."),
    ],
)
def test_what_is_no_usable_yaml_is_refused_with_place_and_remedy(written: str | bytes, expected: str) -> None:
    assert expected in refusal(written)


def test_several_structural_mistakes_are_reported_together() -> None:
    mistakes = Mistakes("file")
    assert read_document(b"a: !x 1\nb: 2\nb: 3\nc: !y {}\n", mistakes) is not None
    assert len(mistakes) == 3


def test_an_empty_configuration_names_the_remedy(tmp_path: Path) -> None:
    assert "begin with a copy of config.example.yaml" in problem(tmp_path, "")


def test_aliases_cannot_blow_a_file_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    began = time.perf_counter()
    assert "the file holds more than 1,000,000 values" in refusal("\n".join(lines))
    assert time.perf_counter() - began < 5


def test_files_above_the_limit_are_refused(tmp_path: Path) -> None:
    big = b"#" + b"x" * MAX_BYTES
    assert "the file is larger than 4 MiB" in refusal(big)
    assert "this file is larger than 4 MiB" in problem(tmp_path, big)


@pytest.mark.parametrize("hostile", ["[", "{a: ", "- ", "a: &a", "? ", "'x", "!!x ", "<<: *", "%", "|\n"])
def test_the_largest_hostile_file_takes_bounded_time(hostile: str) -> None:
    began = time.perf_counter()
    mistakes = Mistakes("file")
    read_document((hostile * MAX_BYTES).encode()[:MAX_BYTES], mistakes)
    assert mistakes
    assert time.perf_counter() - began < 30


def test_many_mistakes_are_counted_not_listed(tmp_path: Path) -> None:
    found = problems(tmp_path, "".join(f"key{n}: 1\n" for n in range(1500)))
    assert len(found) == 1001
    assert "500 more mistakes are not listed. Correct these first." in found[-1]


def test_the_parser_in_python_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &b [1, 'x', no]\nc: *b\nd: |\n  text\n"
    expected: Any = read(text)
    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    assert read(text) == expected


def test_leaves_and_unplaced_nodes_follow_plain_data() -> None:
    data = {"a": [1, {"b": None}], "c": "x"}
    assert list(leaves(data)) == [(("a", 0), 1), (("a", 1, "b"), None), (("c",), "x")]
    assert unplaced(data).find(("a", 1, "b", "gone"))[1] == ("a", 1, "b")
    assert unplaced(data).mark_of(("c",)) == (0, 0)
