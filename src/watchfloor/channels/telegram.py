"""Telegram, by a bot.

Source of the format: https://core.telegram.org/bots/api#sendmessage (text of 1 to 4,096 characters); too many
messages are answered by 429 with ``parameters.retry_after``.
"""

from __future__ import annotations

from html import escape
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, SecretUrl, ServiceSettings, as_json, send
from watchfloor.channels.words import Speaking, speak
from watchfloor.config.fields import InWords

LONGEST = 4096


class Settings(ServiceSettings, Speaking):
    """Settings of a Telegram channel."""

    token: SecretStr = Field(description="The token of the bot, as @BotFather gives it.")
    chat: Annotated[
        str,
        StringConstraints(pattern=r"^(-?[0-9]{1,20}|@[A-Za-z0-9_]{3,64})$"),
        InWords('the number of a chat in quotes, such as "-1001234567890", or @channel'),
    ] = Field(description="Who gets it: the number of a chat, or @channel.")
    topic: int | None = Field(default=None, ge=1, description="The topic (thread) inside a group.")
    url: SecretUrl = Field(
        default=SecretStr("https://api.telegram.org"), description="Another Bot API server."
    )


def render(settings: Settings, draft: Draft) -> bytes:
    """The body of the request."""
    said = speak(settings, draft)
    title, body = escape(said.title, quote=False), escape(said.body, quote=False)
    text = f"<b>{title}</b>\n{body}".rstrip()
    if len(text) > LONGEST:
        text = f"<b>{title}</b>"
    values: dict[str, object] = {
        "chat_id": settings.chat,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    if settings.topic is not None:
        values["message_thread_id"] = settings.topic
    return as_json(values)


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message. Raises `DeliveryError`."""
    base, token = settings.url.get_secret_value().rstrip("/"), settings.token.get_secret_value()
    url, wish = f"{base}/bot{token}/sendMessage", lambda answer: answer["parameters"]["retry_after"]
    await send(settings, message, Call(url, message.payload, wish=wish))
