"""Patterns find what Python's own engine finds, in time proportional to the text."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import warnings
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.automaton import _CHARACTERS, _REMEMBERED, STATE_LIMIT, Work
from watchfloor.domain.outcome import Status
from watchfloor.probes.checking import Fault
from watchfloor.probes.pattern import CHECK_WORK, Pattern


def found(source: str, text: str) -> bool:
    return asyncio.run(Pattern(source).found_in(text, Work(CHECK_WORK)))


MUCH = 1 << 40
HARD = "".join(format(number, "016b") for number in range(4096)).replace("0", "a").replace("1", "b")
"""A page made so that a pattern that counts is always in a state that it was not in before."""


atoms = st.sampled_from(
    [
        *("a", "b", "c", " ", "é", "-", "]", "}", "{", "a{", "{,x}", ".", r"\.", r"\n", r"\x61"),
        *(r"\w", r"\d", r"\s", r"\W", "[ab]", "[^a]", "[]a]", "[^]b-c]", r"[\]\-a]"),
        *("^", "$", r"\b", r"\A", r"\Z"),
    ]
)
signs = st.sampled_from(["", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{1,}", "{0}"])


def _repeated(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda inner, sign: f"(?:{inner}){sign}", part, signs)


patterns = st.recursive(
    atoms,
    lambda part: st.one_of(
        _repeated(part),
        st.lists(part, max_size=3).map("".join),
        st.lists(part, min_size=2, max_size=3).map("|".join),
        part.map(lambda inner: f"({inner})"),
        part.map(lambda inner: f"(?P<n{abs(hash(inner))}>{inner})"),
    ),
    max_leaves=8,
)
flags = st.sampled_from(["", "(?i)", "(?m)", "(?s)", "(?ims)"])
texts = st.text(alphabet="abcABC é.-1]{},x\n", max_size=12)


@settings(max_examples=600, deadline=None)
@given(flags, patterns, texts)
def test_finds_what_the_backtracking_engine_finds(flag: str, source: str, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = re.compile(flag + source)
        except re.error:
            with pytest.raises(ValueError, match="not valid"):
                Pattern(flag + source)
            return
        assert found(flag + source, text) is (expected.search(text) is not None)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
def test_any_text_at_all_is_a_pattern_or_a_value_error(source: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ValueError):
            found(source, "some text")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"(a+)+$", "a" * 65_536 + "!"),
        (r"(a|aa)+$", "a" * 65_536 + "!"),
        (r"x.*y.*z", "x" * 65_536),
        (r"(.*)*(.*)*!", "b" * 65_536),
        (r"(?:a?){30}a{30}b", "a" * 65_536),
    ],
)
def test_what_holds_up_a_backtracking_engine_is_over_soon(source: str, text: str) -> None:
    began = time.process_time()
    assert found(source, text) is False
    assert time.process_time() - began < 2


def test_a_search_with_many_states_lets_other_tasks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these characters leads to a state never seen before, the worst there is: it is the most between turns."""
    turns = count()
    monkeypatch.setattr(
        "watchfloor.probes.pattern.perf_counter", lambda: float(next(turns))
    )  # each one is over
    pattern, work = Pattern("(a|b)*a(a|b){40}c"), Work(MUCH)

    async def beside() -> list[int]:
        search = asyncio.ensure_future(pattern.found_in(HARD, work))
        left = [work.left]
        while not search.done():
            await asyncio.sleep(0)
            left.append(work.left)
        assert search.result() is False
        return [before - after for before, after in pairwise(left)]

    taken = asyncio.run(beside())
    assert sum(taken) > 100 * STATE_LIMIT
    assert max(taken) <= STATE_LIMIT


@pytest.mark.parametrize("source", ["(a|b)*a(a|b){600}c", r"a\w{3,400}b.{3,400}c\b"])
def test_a_search_ends_after_a_limited_work_in_the_same_way_each_time(source: str) -> None:
    pattern = Pattern(source)
    ends = []
    for _ in range(2):
        began, work = time.process_time(), Work(CHECK_WORK)
        with pytest.raises(Fault) as fault:
            asyncio.run(pattern.found_in(HARD, work))
        assert time.process_time() - began < 20, "a few seconds on the slowest machine"
        assert pattern._known == 0, "what did not help is not kept"
        ends.append(work.left)
        assert fault.value.status is Status.UNKNOWN
        assert fault.value.summary.startswith(
            f"the pattern {source!r} takes too much work on this answer; write"
        )
    assert ends[0] == ends[1] < 0


@pytest.mark.parametrize(
    "source",
    [
        r"[\w.+-]{1,64}@[\w-]{1,63}\.[a-z]{2,10}",
        r"(?i)error|fail(ed|ure)|exception",
        r"version: \d+\.\d+\.\d+",
        r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}",
        r"<title>.{1,100}</title>",
        r"foo.{0,500}bar",
    ],
)
def test_usual_patterns_are_far_from_the_limit_and_cost_nothing_the_second_time(source: str) -> None:
    words = (
        "the",
        "quick",
        "<b>jumped</b>,",
        "over",
        "12",
        "lazy",
        "dogs;",
        "größer",
        "ЖЗИ",
        "漢字",
        "a@b",
        "foo\n",
    )
    page = " ".join(words[number * number % 97 % len(words)] for number in range(12_000))[:65_536]
    pattern, work = Pattern(source), Work(CHECK_WORK)
    asyncio.run(pattern.found_in(page, work))
    spent = CHECK_WORK - work.left
    assert spent < CHECK_WORK / 100
    again = Work(CHECK_WORK)
    asyncio.run(pattern.found_in(page, again))
    assert CHECK_WORK - again.left <= STATE_LIMIT, "only the end of a text is looked at each time"


def test_a_search_can_be_cancelled() -> None:
    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await Pattern("(a|b)*a(a|b){40}c").found_in(HARD * 100, Work(MUCH))

    asyncio.run(cancelled())


def test_what_is_remembered_is_bounded() -> None:
    pattern = Pattern("a[^x]{300}x")
    text = HARD[:3000] + "".join(chr(number) for number in range(0x100, 0xD7FF) if chr(number).isprintable())
    assert asyncio.run(pattern.found_in(text, Work(MUCH))) is False
    assert pattern._known <= _REMEMBERED + STATE_LIMIT
    assert len(pattern._classes) <= _CHARACTERS


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("(", "not valid"),
        ("a**", "not valid"),
        (r"(a)\1", "refers back"),
        ("(?=a)", "look-around"),
        ("(?<!a)b", "look-around"),
        ("a(?i:b)", "not supported"),
        ("a++", "possessive"),
        (r"\Ba", r"\\B"),
        ("(" * 400 + ")" * 400, "nested too deeply|not valid"),
        ("(((((a{30}){30}){30}){30}){30})", "too large"),
        ("a" * 1001, "longer than 1000"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(source: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Pattern(source)


def test_an_empty_group_may_repeat_for_ever() -> None:
    began = time.process_time()
    assert found("((?:(?:){60000}){60000}){60000}x", "x")
    assert time.process_time() - began < 1


def test_the_size_is_limited_by_what_repetitions_amount_to() -> None:
    assert found("a{500}", "a" * 500)
    with pytest.raises(ValueError, match="too large"):
        Pattern(f"a{{{STATE_LIMIT}}}")
