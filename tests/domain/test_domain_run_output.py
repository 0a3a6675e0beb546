"""Output of jobs: secrets never pass, however they are cut up; the head and the tail are kept."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.masking import SHORTEST, Masker
from watchfloor.domain.run_output import LONGEST_LINE, RunOutput

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
