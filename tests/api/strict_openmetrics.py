"""A strict reader of OpenMetrics text 1.0.0, written from the specification and not from the writer."""

from __future__ import annotations

import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_ESCAPED = r'(?:[^"\\\n]|\\["\\n])*'
_LABELS = rf'\{{(?:[a-zA-Z_][a-zA-Z0-9_]*="{_ESCAPED}"(?:,[a-zA-Z_][a-zA-Z0-9_]*="{_ESCAPED}")*)?\}}'
_SAMPLE = re.compile(rf"({_NAME})({_LABELS})? (-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?|NaN|[+-]Inf)")
_META = re.compile(rf"# (TYPE|UNIT|HELP) ({_NAME}) ?(.*)")
_PAIR = re.compile(rf'([a-zA-Z_][a-zA-Z0-9_]*)="({_ESCAPED})"')
_SUFFIXES = {"gauge": "", "counter": "_total", "info": "_info"}
_UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    """Every sample by name and labels. Raises `ValueError` for whatever the specification does not allow."""
    if not text.endswith("# EOF\n") or text.split("\n").count("# EOF") != 1:
        raise ValueError("the text must end with # EOF, once")
    samples: Samples = {}
    done: set[str] = set()
    family, kind, told = "", "", set[str]()
    for line in text.removesuffix("# EOF\n").split("\n")[:-1]:
        if meta := _META.fullmatch(line):
            word, name, rest = meta.groups()
            if name != family:
                if name in done:
                    raise ValueError(f"family {name} is interleaved")
                done.add(name)
                family, kind, told = name, "", set()
            if word in told:
                raise ValueError(f"{word} of {name} stands twice")
            told.add(word)
            if word == "TYPE":
                kind = rest
                if kind not in _SUFFIXES:
                    raise ValueError(f"unknown type {kind}")
            if word == "UNIT" and not family.endswith("_" + rest):
                raise ValueError(f"{family} does not end in its unit {rest}")
            continue
        match = _SAMPLE.fullmatch(line)
        if match is None:
            raise ValueError(f"not understood: {line!r}")
        name, labels, value = match.groups()
        if name != family + _SUFFIXES[kind]:
            raise ValueError(f"{name} does not belong to the {kind} {family}")
        pairs = [
            (key, re.sub(r'\\["\\n]', lambda found: _UNESCAPED[found[0]], text))
            for key, text in _PAIR.findall(labels or "")
        ]
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError(f"a label stands twice: {line!r}")
        if kind == "info" and float(value) != 1:
            raise ValueError("an info is 1")
        key = (name, frozenset(pairs))
        if key in samples:
            raise ValueError(f"stands twice: {line!r}")
        samples[key] = float(value)
    return samples
