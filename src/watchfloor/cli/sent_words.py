"""What one message of the outbox said: what an attempt sent, or how it would read now; never a secret.

What a channel adds when it sends, such as a key, is not stored. What its settings hold of secrets, and what stands
under the name of one, is masked nevertheless: a template or a body may have it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from email import message_from_bytes, policy
from pathlib import Path

from watchfloor.channels.secrets import secrets_of
from watchfloor.cli.channel_words import how_it_reads
from watchfloor.config.kinds import channel_kinds
from watchfloor.config.problems import ConfigError
from watchfloor.config.secrecy import is_sensitive_name
from watchfloor.config.settings import build_settings
from watchfloor.domain.boards import SentDetail
from watchfloor.domain.masking import MASK, Masker
from watchfloor.domain.notice import Notice, read
from watchfloor.domain.text import clean, one_line
from watchfloor.store.deliveries import Sent
from watchfloor.store.rules import Channel

MOST = 8_000
"""So many characters of a message are shown."""


def words_of(sent: Sent, channel: Channel | None, time_zone: str = "UTC") -> SentDetail:
    """What a message said; ``channel`` is None where it is no more, ``time_zone`` the one of messages."""
    notice = _notice(sent.payload, time_zone)
    made = sent.rendered is not None or sent.row.attempts > 0
    if sent.rendered is not None:
        title, text = _rendered(sent.rendered, notice)
    elif made or channel is None or notice is None:
        title, text = "" if notice is None else notice.title, _body(sent.payload)
    else:
        (said,) = how_it_reads(channel.kind, channel.settings, [("", notice)])
        title, text = said.title, said.body
    masker = _masker(channel)
    shown = "\n".join(masker.line(line) for line in clean(text, len(text) + 1).splitlines())
    left_out = max(0, len(shown) - MOST)
    return SentDetail(sent.row, sent.person, masker.line(one_line(title, 300)), shown[:MOST], made, left_out)


def _notice(payload: bytes, time_zone: str) -> Notice | None:
    try:
        return read(payload, time_zone)
    except ValueError:
        return None


def _rendered(rendered: bytes, notice: Notice | None) -> tuple[str, str]:
    """The subject and the text of a mail; the title and the body of everything else."""
    if b"\nSubject: " in rendered[:4_000] and b"\nMIME-Version: " in rendered[:4_000]:
        mail = message_from_bytes(rendered, policy=policy.default)
        part = mail.get_body(("plain",))
        return str(mail["Subject"] or ""), "" if part is None else str(part.get_content())
    return "" if notice is None else notice.title, _body(rendered)


def _body(body: bytes) -> str:
    text = body.decode(errors="replace")
    try:
        return json.dumps(_masked(json.loads(text)), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return text


def _masked(value: object) -> object:
    """A value without what stands under the name of a secret."""
    if isinstance(value, Mapping):
        return {
            key: MASK.decode()
            if inner and isinstance(inner, str) and is_sensitive_name(key)
            else _masked(inner)
            for key, inner in value.items()
        }
    return [_masked(inner) for inner in value] if isinstance(value, list) else value


def _masker(channel: Channel | None) -> Masker:
    """Hides what the settings of a channel hold of secrets, as far as they can be read here."""
    kind = None if channel is None else channel_kinds().get(channel.kind)
    if kind is None or channel is None:
        return Masker(())
    try:
        return Masker(secrets_of(build_settings(kind.settings, channel.settings, os.environ, Path.cwd())))
    except ConfigError:  # its secrets are known where it sends; what is stored of a message has none of them
        return Masker(())
