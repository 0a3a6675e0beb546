"""Decides which text gives a secret away, so that it may neither stand in a configuration file nor be shown.

A field declared ``SecretStr`` (see `secret_fields`) may hold a literal where the literal gives nothing away;
`looks_secret` is that line:

* a URL or connection string is secret if it embeds a password, a query parameter with a secret's name, or
  a path part that looks like a generated token (as the webhook addresses of chat services do);
* a value in a mapping, such as a header, is secret if its key names something sensitive;
* a text that is sent somewhere, such as a body, is secret if it assigns a value to such a name;
* any other text is secret.

A password embedded in a URL is refused in every field, secret or not. References are never secret.
"""

from __future__ import annotations

import re
from itertools import pairwise

from watchfloor.config.references import PLACEHOLDER, without_references

REMEDY = "Write ${NAME} and set the environment variable, or write ${file:/path}."

_SENSITIVE_WORD = re.compile(
    r"password|passwd|passphrase|pwd|secrets?|tokens?|auth|authorization|credentials?|cookies?|session"
    r"|signature|jwt|bearer|(api|access|private|signing|secret)key"
)
_SENSITIVE_NAME = re.compile(r"pass|key|sig")
_WORD_EDGE = re.compile(r"(?<=[a-z])(?=[A-Z])|[-_. ]+")

_URL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
_URL_PASSWORD = re.compile(r"://[^:@/?#\s]*:([^@/?#\s]+)@")
_QUERY_PAIR = re.compile(r"[?&;]([^=&;]+)=([^&;#]+)")
_CONNECTION = re.compile(r"(^|\s)(host|hostaddr|dbname|user|port|service)\s*=")
_CONNECTION_PASSWORD = re.compile(r"(?:^|\s)(?:ssl)?password\s*=\s*([^\s]+)", re.IGNORECASE)
_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9_-]{20,}|[0-9a-fA-F-]{32,}")
_SENT = re.compile(r"body|payload|content|data|message|text|query|send")
_PAIR = re.compile(r"""([\w-]{1,80})["']?\s{0,9}[:=]\s{0,9}["']?([^"'&,;}\s]+)""")


def is_sensitive_name(name: str) -> bool:
    """Whether a key, header or variable is named like something secret.

    >>> [is_sensitive_name(name) for name in ("X-Api-Key", "dbPassword", "Accept", "monkey")]
    [True, True, False, False]
    """
    words = [word.casefold() for word in _WORD_EDGE.split(name[:200])]
    pairs = (first + second for first, second in pairwise(words))
    if any(_SENSITIVE_WORD.fullmatch(word) for word in (*words, *pairs)):
        return True
    return _SENSITIVE_NAME.fullmatch(name.casefold()) is not None


def embeds_password(text: str) -> bool:
    """Whether a text holds a URL with a password written in it (a reference in its place is fine)."""
    if "://" not in text:
        return False
    return any(_is_written(match[1]) for match in _URL_PASSWORD.finditer(without_references(text)))


def looks_secret(text: str, name: str, in_mapping: bool = False) -> bool:
    """Whether a literal for a ``SecretStr`` gives a secret away.

    ``name`` is that of its field, or, with ``in_mapping``, its key: the name of a header, for example.
    """
    bare = without_references(text)
    if not bare.strip() or embeds_password(text):
        return bool(bare.strip())
    if in_mapping:
        return is_sensitive_name(name) and PLACEHOLDER not in bare
    if _URL.match(bare):
        return _url_gives_away(bare)
    if _SENT.fullmatch(name.casefold()):
        return any(is_sensitive_name(key) and _is_written(value) for key, value in _PAIR.findall(bare))
    if not is_sensitive_name(name) and _CONNECTION.search(bare):
        return any(_is_written(match[1]) for match in _CONNECTION_PASSWORD.finditer(bare))
    return PLACEHOLDER not in bare


def _url_gives_away(url: str) -> bool:
    address, _, _ = url.partition("#")
    if any(is_sensitive_name(name) and _is_written(value) for name, value in _QUERY_PAIR.findall(address)):
        return True
    return any(_TOKEN.fullmatch(part) for part in re.split(r"[/?&=@:]", address))


def _is_written(value: str) -> bool:
    return PLACEHOLDER not in value
