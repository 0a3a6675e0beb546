"""ntfy, the public server or one's own.

Source of the format: https://docs.ntfy.sh/publish/#publish-as-json (priority 1 to 5, tags that are emoji names,
message up to 4,096 bytes).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, HttpSettings, SecretHeader, SecretUrl, as_json, send
from watchfloor.channels.words import Speaking, speak
from watchfloor.config.fields import InWords

LONGEST_BYTES = 4096
PRIORITIES = {"info": 2, "warning": 3, "critical": 4, "emergency": 5}
TAGS = {"info": "information_source", "warning": "warning", "critical": "rotating_light", "emergency": "sos"}


class Settings(HttpSettings, Speaking):
    """Settings of an ntfy channel."""

    url: SecretUrl = Field(default=SecretStr("https://ntfy.sh"), description="The server.")
    topic: Annotated[
        str, StringConstraints(pattern=r"^[-_A-Za-z0-9]{1,64}$"), InWords("1 to 64 letters, digits, - and _")
    ] = Field(description="The topic; on a public server it is as good as a password.")
    token: SecretHeader | None = Field(default=None, description="Access token, for a protected topic.")


def render(settings: Settings, draft: Draft) -> bytes:
    """The body of the request."""
    said = speak(settings, draft)
    severity, over = said.notice.severity, said.notice.over
    return as_json(
        {
            "topic": settings.topic,
            "title": said.title,
            "message": said.body.encode()[:LONGEST_BYTES].decode(errors="ignore") or said.notice.event,
            "priority": 3 if over else PRIORITIES.get(severity, 3),
            "tags": ["white_check_mark" if over else TAGS.get(severity, "bell")],
        }
    )


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message. Raises `DeliveryError`."""
    headers = (
        {} if settings.token is None else {"authorization": f"Bearer {settings.token.get_secret_value()}"}
    )
    await send(settings, message, Call(settings.url.get_secret_value(), message.payload, headers))
