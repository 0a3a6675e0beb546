"""Words of checks for people: what targets say, made safe and secretless, and figures with their units."""

from __future__ import annotations

from collections.abc import Iterable

from watchfloor.domain.text import one_line

SUMMARY_LIMIT = 200
"""The longest summary, in characters."""


def safe_line(text: str | bytes, secrets: Iterable[str] = (), limit: int = SUMMARY_LIMIT) -> str:
    """Return ``text`` as one safe line of at most ``limit`` characters, each of ``secrets`` replaced by ``***``.

    Targets may echo what they were sent, so everything they say goes through here. Bytes are read as UTF-8.
    """
    if isinstance(text, bytes):
        text = text[: limit * 64].decode("utf-8", "replace")
    # Cleaned first, so that a secret is found even with control characters strewn into it, and at a
    # greater length than shown, so that none is cut in two.
    line = one_line(text, limit * 4)
    for secret in secrets:
        line = line.replace(secret, "***")
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def spoken_secrets(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what must be hidden of secret texts, longest first: each of their lines as `safe_line` writes it.

    Lines of fewer than six characters are left out: they hide nothing, and would blot out ordinary text.
    """
    lines = {one_line(line, 10_000) for text in texts for line in (text, *text.splitlines())}
    return tuple(sorted((line for line in lines if len(line) >= 6), key=len, reverse=True))


def label(name: str) -> str:
    """Return a name as it may stand within ``{mount=…}``: one line, without the characters that end it."""
    return "".join("_" if character in '{}=,"' else character for character in one_line(name, 100))


def seconds(value: float) -> str:
    """Write a duration given in seconds: ``0.4 ms``, ``12 ms``, ``1.25 s``, ``30 s``."""
    if value < 0.001:
        return f"{value * 1000:.1f} ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def size(count: int) -> str:
    """Write a number of bytes: ``512 bytes``, ``64 KiB``, ``1.5 MiB``."""
    if count < 1024:
        return f"{count} bytes"
    if count < 1024 * 1024:
        return f"{count / 1024:.3g} KiB"
    return f"{count / 1024 / 1024:.3g} MiB"


def days(value: float) -> str:
    """Write a time span given in days, rounded down: ``20 days``, ``1 day``, ``5 hours``, ``under an hour``."""
    count, unit = (int(value), "day") if value >= 1 else (int(value * 24), "hour")
    if count < 1:
        return "under an hour"
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
