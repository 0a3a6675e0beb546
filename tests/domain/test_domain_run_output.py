"""Output of jobs: secrets never pass, however they are cut up; the head and the tail are kept."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.masking import SHORTEST, Masker
from watchfloor.domain.run_output import HEAD, LONGEST_LINE, RunOutput

SECRETS = st.text('abcXYZ019+/=& "\\é\n', min_size=SHORTEST, max_size=12)


def forms(secret: str) -> list[bytes]:
    """Ways in which programs print a secret."""
    raw = secret.encode()
    return [raw, base64.b64encode(raw), quote(secret).encode(), quote(secret, safe="").encode(),
            json.dumps(secret)[1:-1].encode(), secret.encode("utf-16-le"), secret.encode("utf-16-be")]  # fmt: skip


@settings(settings.get_profile("thorough"))
@given(st.lists(SECRETS, min_size=1, max_size=3), st.data())
def test_no_secret_passes_whatever_its_form_and_wherever_it_is_cut(
    secrets: list[str], data: st.DataObject
) -> None:
    pieces = st.sampled_from([form for secret in secrets for form in forms(secret)]) | st.binary(max_size=6)
    whole = b"".join(data.draw(st.lists(pieces, max_size=6)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    masker, passed, rest = Masker(secrets), b"", b""
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        rest += whole[start:end]
        ready = masker.ready(rest)
        passed += masker.hide(rest[:ready])
        rest = rest[ready:]
    passed += masker.hide(rest)
    assert passed == masker.hide(whole)
    for secret in secrets:
        for form in forms(secret):
            if len(form.strip(b"=")) > SHORTEST + 1 and b"*" not in form:
                assert form.rstrip(b"=") not in passed.replace(b"***", b"\0")


def test_a_secret_inside_a_longer_text_is_hidden_in_base64_too() -> None:
    secret = "correct horse battery"
    for before in ("", "a", "ab", "abc"):
        encoded = base64.b64encode(f"{before}{secret}:after".encode())
        assert secret[4:16] not in base64.b64decode(
            Masker([secret]).hide(encoded).replace(b"***", b"") + b"=="
        ).decode(errors="replace")


def test_nothing_is_held_back_for_long() -> None:
    masker = Masker(["topsecret"])
    assert masker.ready(b"all is well\n") == 12
    assert masker.ready(b"all is well, tops") == 13


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_lines_are_the_same_however_they_arrive(chunks: list[bytes]) -> None:
    def texts(pieces: list[bytes]) -> list[str]:
        output = RunOutput(Masker([]))
        kept = [line for piece in pieces for line in output.feed("stdout", piece)]
        return [line.text for line in (*kept, *output.end())]

    whole = b"".join(chunks)
    assert texts(chunks) == texts([whole]) == texts([whole[at : at + 1] for at in range(len(whole))])


def test_streams_do_not_mix_within_a_line() -> None:
    output = RunOutput(Masker([]))
    found = [
        *output.feed("stdout", b"one "),
        *output.feed("stderr", b"bad\n"),
        *output.feed("stdout", b"two\n"),
    ]
    assert [(line.seq, line.stream, line.text) for line in found] == [
        (1, "stderr", "bad"),
        (2, "stdout", "one two"),
    ]


def test_of_very_much_output_the_head_and_the_tail_are_kept() -> None:
    output = RunOutput(Masker([]), head=1000, tail=1000)
    kept = [line for n in range(10_000) for line in output.feed("stdout", b"line %d\n" % n)]
    kept += output.end()
    texts = [line.text for line in kept]
    assert texts[0] == "line 0"
    assert texts[-1] == "line 9999"
    assert sum(map(len, texts)) < 2200
    left_out = next(text for text in texts if "left out" in text)
    assert int(left_out.split()[1].replace(",", "")) == 10_000 - (len(texts) - 1)
    assert [line.seq for line in kept] == sorted({line.seq for line in kept})


def test_a_line_without_end_and_control_codes_do_no_harm() -> None:
    output = RunOutput(Masker([]))
    kept = [line for _ in range(100) for line in output.feed("stdout", b"x" * 10_000)]
    kept += output.feed("stdout", b"\n\x1b[31mred\x1b]0;owned\x07\xff\n")
    kept += output.end()
    assert max(len(line.text) for line in kept) <= LONGEST_LINE
    assert kept[-1].text == "red\N{REPLACEMENT CHARACTER}"


def test_lines_keep_their_moment_their_level_and_what_is_between_their_words() -> None:
    output, at = RunOutput(Masker([])), datetime(2026, 1, 1, tzinfo=UTC)
    kept = output.feed("stdout", b"a    b\r\nERROR it broke\n", at) + output.feed("stderr", b"oh\n", at)
    assert [(line.text, line.level, line.at) for line in kept] == [
        ("a    b", 9, at),
        ("ERROR it broke", 17, at),
        ("oh", 13, at),
    ]


def test_the_latest_of_what_is_kept_back_can_be_looked_at() -> None:
    output = RunOutput(Masker([]), head=100, tail=100_000)
    output.feed("stdout", b"".join(b"line %d\n" % n for n in range(1000)))
    assert [line.text for line in output.latest(2)] == ["line 998", "line 999"]
    assert [line.text for line in output.end()][-2:] == ["line 998", "line 999"]


def test_a_secret_is_hidden_on_each_stream_by_itself_across_the_border_of_head_and_tail() -> None:
    output = RunOutput(Masker(["sesame-open"]), head=64, tail=10_000)
    kept = []
    for _ in range(50):
        kept += output.feed("stdout", b"key sesame-")
        kept += output.feed("stderr", b"sesa")
        kept += output.feed("stdout", b"open;\n")
        kept += output.feed("stderr", b"me-open!\n")
    texts = {line.text for line in [*kept, *output.latest(3), *output.end()] if line.stream != "watchfloor"}
    assert texts == {"key ***;", "***!"}


UNSEEN = [
    *("\x1b[0m", "\x1b[01;31m\x1b[K", "\x1b]0;title\x07", "\x1b(B", "\x9b1m"),
    *("\x00", "\x7f", "\u200b", "\u202e", "\x1c", "\x1f"),
]
PRINTED = st.text("abcXYZ019+/=& é", min_size=SHORTEST, max_size=12).filter(str.strip)


@given(st.data(), PRINTED, st.sampled_from(["\b", "x\b"]), st.booleans())
def test_no_secret_passes_that_is_cut_up_by_what_nobody_sees(
    data: st.DataObject, secret: str, over: str, of_much: bool
) -> None:
    between = st.lists(st.sampled_from([*UNSEEN, over]), max_size=2).map("".join)
    cut = "".join(letter + data.draw(between) for letter in secret)
    whole = f"key <{cut}>; done\n".encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    output = RunOutput(Masker([secret]), *((0, 10_000) if of_much else ()))
    kept = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        kept += output.feed("stdout", whole[start:end])
    shown = " ".join(line.text for line in (*kept, *output.latest(2), *output.end()))
    assert secret.strip() not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("pass\x1b[0mword", "***"),
        ("p\bpa\bas\bss\bsw\bwo\bor\brd\bd", "***"),
        ("pass\bword", "***"),
        ("pasX\bsword", "***"),
        ("pass\bword and pasX\bsword", "***"),
        ("\x1b[1mno\x1b[0m secret", "no secret"),
        ("|\b/\b-\bdone", "done"),
    ],
)
def test_what_is_written_over_is_read_as_people_read_it(printed: str, shown: str) -> None:
    output = RunOutput(Masker(["password"]))
    assert [line.text for line in output.feed("stdout", f"{printed}\n".encode())] == [shown]


@pytest.mark.parametrize("head", [0, HEAD])
def test_a_secret_that_is_cut_up_is_hidden_in_a_line_without_end_too(head: int) -> None:
    whole = b"".join(b"%0*d pass\x1b[0m\xc2\x9b1mword " % (n % 50, n) for n in range(20_000))
    for size in (1000, 65536):
        output = RunOutput(Masker(["password"]), head=head)
        kept = []
        for start in range(0, len(whole), size):
            kept += output.feed("stdout", whole[start : start + size])
        kept += output.end()
        shown = "".join(line.text for line in kept if line.stream == "stdout")
        assert shown.count("***") > 10_000
        for part in ("pass", "word", "[0m", "1m"):
            assert part not in shown


def test_a_very_long_line_that_is_cut_shows_no_half_of_a_secret() -> None:
    for head in (0, HEAD):
        output = RunOutput(Masker(["password"]), head=head)
        line = b"\x1b[31m" * 6551 + b"1234567 pass\x1b[0mword " * 1000
        kept = [*output.feed("stdout", line + b"\n"), *output.end()]
        assert "***" in kept[-1].text
        assert "pass" not in kept[-1].text
