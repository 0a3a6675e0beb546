"""Text from outside, made safe to show and to store.

What a service answers, what a certificate claims and what a job prints may hold escape sequences that
repaint a terminal, direction overrides that make words read backwards, or characters PostgreSQL refuses.
This is the one place that removes them. It must never decide what text means, only what may be shown,
and it takes linear time whatever it is fed.
"""

from __future__ import annotations

import re

_INTRODUCERS = "\x1b\x90\x98\x9d\x9e\x9f"

# Terminated strings (OSC, DCS, SOS, PM, APC), then CSI, then short escapes. A string that is never
# terminated only loses its introducer: swallowing the rest of the text would let a sender hide it.
# Its body may not hold another introducer, which keeps the search linear.
_SEQUENCES = re.compile(
    rf"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x9c{_INTRODUCERS}]*(?:\x07|\x9c|\x1b\\)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"
)

# Invisible characters that change how others are read: direction marks, embeddings, overrides and
# isolates, zero-width spaces, annotation and tag characters. The joiners (U+200C, U+200D) stay, because
# scripts and emoji need them.
_INVISIBLE = (
    r"\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
_CONTROLS = re.compile(rf"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f{_INVISIBLE}]+")
_SEPARATORS = re.compile(r"[\x1c-\x1f]")
_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def one_line(text: str, limit: int = 200) -> str:
    """Make one safe line of at most ``limit`` characters, a longer one ending in ``…``.

    Escape sequences, control and invisible characters go, white space of any kind collapses to one space,
    half of a surrogate pair becomes U+FFFD. Only the beginning of a huge text is looked at.

    >>> one_line("\\x1b[31mConnection\\x1b[0m  refused\\r\\n")
    'Connection refused'
    >>> one_line("a" * 10, limit=4)
    'aaa…'
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    head = text[: limit * 16 + 4096]
    line = " ".join(_harmless(head).split())
    if len(line) > limit or (len(head) < len(text) and len(line) >= limit):
        return line[: limit - 1].rstrip() + "…"
    return line + "…" if len(head) < len(text) else line


def clean(text: str, limit: int = 100_000) -> str:
    """Make text of several lines safe, at most ``limit`` characters, a longer one ending in ``…``.

    As `one_line`, but lines stay lines (every kind of line end becomes a line feed) and tabs become spaces.

    >>> clean("first\\r\\n\\x1b]0;owned\\x07second\\u202e")
    'first\\nsecond'
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    lines = _NEWLINES.sub("\n", text[: limit + 1])
    safe = _SEPARATORS.sub("", _harmless(lines)).expandtabs(4)
    return safe if len(safe) <= limit and len(text) <= limit else safe[: limit - 1] + "…"


def bare(text: str) -> str:
    """One line of what can be seen of a text, however long it is: as `clean`, but line ends become spaces.

    >>> bare("pass\\x1b[0mword\\x00\\r\\n")
    'password '
    """
    if text.isprintable():
        return text
    lines = _harmless(_NEWLINES.sub("\n", text))
    return _SEPARATORS.sub("", lines).expandtabs(4).replace("\n", " ")


def written_over(text: str) -> str:
    """A line as it looks after its backspaces, which go back so that what follows is written over what was there.

    >>> written_over("N\\bNO\\bO|\\b/")
    'NO/'
    """
    shown: list[str] = []
    at = 0
    for part in _SEQUENCES.sub("", text).split("\b"):
        shown[at : at + len(part)] = part
        at = max(0, at + len(part) - 1)
    return "".join(shown)


def _harmless(text: str) -> str:
    """Drop what no terminal should see; white space of every kind stays."""
    if text.isprintable():
        return text
    return _SURROGATES.sub("�", _CONTROLS.sub("", _SEQUENCES.sub("", text)))
