"""Gotify, one's own server for pushes.

Source of the format: https://gotify.net/docs/pushmsg and https://gotify.net/docs/msgextras
"""

from __future__ import annotations

from pydantic import Field

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, HttpSettings, SecretHeader, SecretUrl, as_json, send
from watchfloor.channels.words import Speaking, speak

PRIORITIES = {"info": 2, "warning": 5, "critical": 8, "emergency": 10}


class Settings(HttpSettings, Speaking):
    """Settings of a Gotify channel."""

    url: SecretUrl = Field(description="The server, such as https://push.example.com.")
    token: SecretHeader = Field(description="The token of the application.")


def render(settings: Settings, draft: Draft) -> bytes:
    """The body of the request."""
    said = speak(settings, draft)
    return as_json(
        {
            "title": said.title,
            "message": said.body or said.notice.event,
            "priority": 4 if said.notice.over else PRIORITIES.get(said.notice.severity, 5),
            "extras": {"client::display": {"contentType": "text/plain"}},
        }
    )


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message. Raises `DeliveryError`."""
    url = settings.url.get_secret_value().rstrip("/") + "/message"
    headers = {"x-gotify-key": settings.token.get_secret_value()}
    await send(settings, message, Call(url, message.payload, headers))
