"""Hides secrets in output before anybody keeps it, also where one is cut in two by the way it arrives.

Each secret is hidden as it is and in the forms in which programs print it: base64, percent-encoded, inside JSON,
in UTF-16 as programs from Windows write it. In a line that control sequences, backspaces or invisible characters
cut up, it is hidden as people would read it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from watchfloor.domain.text import bare, written_over

SHORTEST = 4
"""Shorter values would hide half of what people write."""

MASK = b"***"


class Masker:
    """Hides the same secrets in any number of streams."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets for form in _forms(secret)}
        self._forms = sorted(found, key=lambda form: (-len(form), form))
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms))) if self._forms else None
        self._heads = {form[:size] for form in self._forms for size in range(1, len(form))}
        self._longest = max(map(len, self._forms), default=1)

    def hide(self, data: bytes) -> bytes:
        """``data``, which is all there is, without its secrets."""
        return data if self._pattern is None else self._pattern.sub(MASK, data)

    def text(self, text: str) -> str:
        """As `hide`, for a text."""
        return self.hide(text.encode(errors="replace")).decode()

    def line(self, text: str) -> str:
        """A line as `bare` makes it, without its secrets, wherever what is not seen or written over cut them up."""
        if text.isprintable():
            return self.text(text)
        seen = bare(text)
        hidden = self.text(seen)
        if "\b" not in text:
            return hidden
        over = bare(written_over(text))
        over_hidden = self.text(over)
        if hidden == seen:
            return over_hidden
        return hidden if over_hidden == over else MASK.decode()

    def ready(self, data: bytes) -> int:
        """How much from the start of ``data`` can be hidden and passed on: the rest may be the head of a secret."""
        if self._pattern is None:
            return len(data)
        sizes = range(min(self._longest - 1, len(data)), 0, -1)
        end = len(data) - next((size for size in sizes if data[len(data) - size :] in self._heads), 0)
        for match in self._pattern.finditer(data):
            if match.start() < end < match.end():
                end = match.start()
        return end


def _forms(secret: str) -> set[bytes]:
    if len(secret) < SHORTEST:
        return set()
    raw = secret.encode(errors="replace")
    forms = {raw, quote(secret).encode(), quote(secret, safe="").encode(), quote_plus(secret).encode()}
    forms |= {
        json.dumps(secret)[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(errors="replace"),
    }
    if len(seen := bare(secret)) >= SHORTEST:
        forms.add(seen.encode(errors="replace"))
    forms |= {secret.encode(encoding, errors="replace") for encoding in ("utf-16-le", "utf-16-be")}
    for shift in range(3):  # wherever it lies in a longer text: only what does not depend on its neighbours
        body = base64.b64encode(b"\0" * shift + raw)
        start = (0, 2, 3)[shift]
        end = len(body) - (0, 3, 2)[(shift + len(raw)) % 3]
        for inner in (
            body[start:end],
            body[start:].rstrip(b"="),
        ):  # in the middle of the text, and at its end
            if len(inner) >= SHORTEST:
                forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return forms
