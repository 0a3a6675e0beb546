"""Slack, by an incoming webhook.

Words from outside go into plain-text blocks, where nothing is a link or a mention; the fallback line is escaped.
Source of the format: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/block-kit/blocks (header 150 characters, section 3,000).
"""

from __future__ import annotations

from pydantic import Field

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, SecretUrl, ServiceSettings, as_json, send
from watchfloor.channels.words import Speaking, speak
from watchfloor.domain.text import clean, one_line

HEADER, SECTION = 150, 3000


class Settings(ServiceSettings, Speaking):
    """Settings of a Slack channel."""

    url: SecretUrl = Field(description="The address of the incoming webhook.")


def render(settings: Settings, draft: Draft) -> bytes:
    """The body of the request."""
    said = speak(settings, draft)
    blocks = [{"type": "header", "text": _plain(one_line(said.title, HEADER))}]
    if said.body:
        blocks.append({"type": "section", "text": _plain(clean(said.body, SECTION))})
    return as_json({"text": _escaped(said.title), "blocks": blocks})


def _plain(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message. Raises `DeliveryError`."""
    await send(settings, message, Call(settings.url.get_secret_value(), message.payload))
