"""Discord, by a webhook of a channel.

Nobody is mentioned whatever the words say, and Markdown in them is escaped.
Source of the format: https://discord.com/developers/docs/resources/webhook#execute-webhook (title 256 characters,
description 4,096); it answers 429 with ``Retry-After`` and, finer, ``retry_after`` in JSON.
"""

from __future__ import annotations

import re

from pydantic import Field

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, SecretUrl, ServiceSettings, as_json, send
from watchfloor.channels.words import Speaking, speak
from watchfloor.domain.notice import written
from watchfloor.domain.text import clean, one_line

TITLE, DESCRIPTION = 256, 4096
GREEN = 0x2E9E5B
COLOURS = {"info": 0x3B82F6, "warning": 0xE0A100, "critical": 0xD93636, "emergency": 0xA3123A}
_MARKDOWN = re.compile(r"([\\*_~`|>\[\]()#<:@-])")


class Settings(ServiceSettings, Speaking):
    """Settings of a Discord channel."""

    url: SecretUrl = Field(description="The address of the webhook.")


def render(settings: Settings, draft: Draft) -> bytes:
    """The body of the request."""
    said = speak(settings, draft)
    embed = {
        "title": one_line(_escaped(said.title), TITLE),
        "description": clean(_escaped(said.body), DESCRIPTION),
        "color": GREEN if said.notice.over else COLOURS.get(said.notice.severity, 0),
        "timestamp": written(said.notice.at),
    }
    return as_json({"embeds": [embed], "allowed_mentions": {"parse": []}})


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message. Raises `DeliveryError`."""
    url, wish = settings.url.get_secret_value(), lambda answer: answer["retry_after"]
    await send(settings, message, Call(url, message.payload, wish=wish))
