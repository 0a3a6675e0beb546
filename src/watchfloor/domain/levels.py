"""How serious a line of output is, as an OpenTelemetry severity number, told from the stream and from what it says.

A guess for colours and filters; nothing else may depend on it.
"""

from __future__ import annotations

import re

TRACE, DEBUG, INFO, WARN, ERROR, FATAL = 1, 5, 9, 13, 17, 21

_WORDS = {
    "trace": TRACE, "debug": DEBUG, "info": INFO, "notice": INFO, "warn": WARN, "warning": WARN, "error": ERROR,
    "err": ERROR, "severe": ERROR, "critical": FATAL, "crit": FATAL, "fatal": FATAL, "panic": FATAL, "alert": FATAL,
    "emerg": FATAL,
}  # fmt: skip
_LOOKED_AT = 120
_NAMES = "|".join(sorted(_WORDS, key=lambda word: -len(word)))
# The word is a field of its own: in capitals, in brackets, before a colon, or after level= as in logfmt and JSON.
_SAID = re.compile(
    rf"""(?:level|severity|lvl)["']?\s*[=:]\s*["']?({_NAMES})\b|(?<![\w-])(?:\[\s*({_NAMES})\s*\]|<({_NAMES})>)"""
    rf"""|(?<![\w-])((?-i:{_NAMES.upper()}))(?![\w-])|^\s*({_NAMES}):""",
    re.IGNORECASE,
)


def level_of(stream: str, text: str) -> int:
    """The level of a line.

    >>> [level_of("stdout", text) for text in ("all is well", "[warn] low on space", '{"level": "error"}', "ERROR x")]
    [9, 13, 17, 17]
    >>> level_of("stdout", "0 errors, no error"), level_of("stderr", "cannot open x"), level_of("stderr", "INFO x")
    (9, 13, 9)
    """
    match = _SAID.search(text[:_LOOKED_AT])
    if match is not None:
        return _WORDS[next(group for group in match.groups() if group).lower()]
    return WARN if stream == "stderr" else INFO
