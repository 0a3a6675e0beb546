"""Matrix: a message in a room. The id of the message is the transaction, so a homeserver takes a repeated one once.

Source of the format:
https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
"""

from __future__ import annotations

from html import escape
from typing import Annotated
from urllib.parse import quote

from pydantic import Field, StringConstraints

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, HttpSettings, SecretHeader, SecretUrl, as_json, send
from watchfloor.channels.words import Speaking, speak
from watchfloor.config.fields import InWords


class Settings(HttpSettings, Speaking):
    """Settings of a Matrix channel."""

    url: SecretUrl = Field(description="The homeserver, such as https://matrix.example.com.")
    room: Annotated[
        str,
        StringConstraints(pattern=r"^![^\s]{1,254}$"),
        InWords("the id of a room, such as !abc:example.com"),
    ] = Field(description="The id of the room, which begins with an exclamation mark.")
    token: SecretHeader = Field(description="Access token of an account that is in the room.")


def render(settings: Settings, draft: Draft) -> bytes:
    """The body of the request."""
    said = speak(settings, draft)
    lines = [f"<strong>{escape(said.title)}</strong>", *(escape(line) for line in said.body.splitlines())]
    return as_json(
        {
            "msgtype": "m.text",
            "body": said.text,
            "format": "org.matrix.custom.html",
            "formatted_body": "<br/>".join(lines),
        }
    )


def _wait(answer: dict[str, float]) -> float:
    return answer["retry_after_ms"] / 1000


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message. Raises `DeliveryError`."""
    base, room = settings.url.get_secret_value().rstrip("/"), quote(settings.room, safe="")
    url = f"{base}/_matrix/client/v3/rooms/{room}/send/m.room.message/{quote(message.id, safe='')}"
    headers = {"authorization": f"Bearer {settings.token.get_secret_value()}"}
    await send(settings, message, Call(url, message.payload, headers, "PUT", wish=_wait))
