"""Text from outside: nothing that moves a cursor, hides or reorders words gets through."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.text import clean, one_line

hostile = st.text(
    st.one_of(
        st.sampled_from(
            "\x1b\x07\x9b\x9c\x9d\x90[]()0;m?\\ \t\r\n\x00\u202e\u2066\u200b\ufeff\u2028\x85\x1c"
        ),
        st.characters(),
        st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]),
    ),
    max_size=60,
)
JOINERS = "\u200c\u200d"
VISIBLE_FORMAT = {
    chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)
}


def harmful(character: str) -> bool:
    if character in JOINERS or character in VISIBLE_FORMAT or ord(character) > 0x110CD:
        return "\U000e0000" <= character <= "\U000e007f" or unicodedata.category(character) in ("Cc", "Cs")
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


@settings(settings.get_profile("thorough"))
@given(hostile, st.integers(1, 40))
def test_one_line_is_one_harmless_line_within_its_limit(text, limit):
    line = one_line(text, limit)
    assert len(line) <= limit
    assert not [character for character in line if harmful(character)]
    assert line == " ".join(line.split())
    line.encode()


@settings(settings.get_profile("thorough"))
@given(hostile, st.integers(1, 40))
def test_clean_text_is_harmless_within_its_limit(text, limit):
    safe = clean(text, limit)
    assert len(safe) <= limit
    assert not [character for character in safe if character != "\n" and harmful(character)]
    safe.encode()


@settings(settings.get_profile("thorough"))
@given(hostile)
def test_what_is_safe_stays_as_it_is(text):
    assert one_line(one_line(text)) == one_line(text)
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\a\x1b_hidden\x9cb", "ab"),
        ("\x1b(Bx\x1b=y\x1bcz", "xyz"),
        ("\x1b]never ended", "]never ended"),
        ("\x1b\x1b[0m[31m", "[31m"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("a\u200bb\ufeffc\U000e0041d", "abcd"),
        ("half \ud83d pair", "half � pair"),
        ("tab\tnew\r\nline\u2028end\x85.", "tab new line end ."),
        ("nul\x00bell\x07", "nulbell"),
        ("\u4f60\u597d \u0645\u0631\u062d\u0628\u0627 e\u0301 \U0001f468\u200d\U0001f680", None),
    ],
)
def test_one_line_of(hostile, shown):
    assert one_line(hostile) == (hostile if shown is None else shown)


def test_lines_stay_lines_and_tabs_become_spaces():
    assert clean("a\r\nb\rc\u2028d\te\n") == "a\nb\nc\nd   e\n"


def test_too_long_ends_in_an_ellipsis():
    assert one_line("x" * 201) == "x" * 199 + "…"
    assert one_line("x" * 200) == "x" * 200
    assert one_line("word " * 100, 10) == "word word…"
    assert clean("x" * 11, 10) == "x" * 9 + "…"


def test_a_huge_text_of_nothing_visible_says_that_it_went_on():
    assert one_line("\x00" * 10**6) == "…"
    assert one_line("start" + " " * 10**6 + "end") == "start…"


def test_a_limit_of_nothing_is_refused():
    for function in (one_line, clean):
        with pytest.raises(ValueError, match="limit must be at least 1, not 0"):
            function("x", 0)


@pytest.mark.parametrize(
    "unit", ["\x1b]", "\x9d", "\x1b[0", "\x1b ", "\x90a", "\x1b]a\x9d", "\t", "\ud800", "\u202e", "\r\n"]
)
def test_time_grows_with_length_alone(unit):
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        begun = time.process_time()
        clean(text, length)
        return time.process_time() - begun

    assert min(seconds(400_000) for _ in range(3)) < 40 * max(0.001, min(seconds(40_000) for _ in range(3)))
