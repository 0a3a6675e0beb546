"""JSON as PostgreSQL takes it: ``jsonb`` refuses NUL, half a surrogate pair, and numbers that are none.

Every value on its way into a ``jsonb`` column is written here, so that no text from outside can make a whole
transaction fail.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

_SUSPECT = re.compile(r"\\u(?:0000|d[89a-f])|NaN|Infinity")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def dumps(value: object) -> str:
    """``value`` as JSON. NUL goes, half a pair becomes U+FFFD, NaN and infinity null, other objects their text."""
    try:
        written = json.dumps(value, default=str)
    except TypeError:  # a key that is no text
        return json.dumps(_acceptable(value))
    return json.dumps(_acceptable(value)) if _SUSPECT.search(written) else written


def _acceptable(value: object) -> object:
    if isinstance(value, Mapping):
        return {_text(str(key)): _acceptable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_acceptable(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, int):
        return value
    return _text(str(value))


def _text(value: str) -> str:
    return _SURROGATES.sub("�", value.replace("\0", ""))
