"""Text messages, by the HTTP interface of whatever gateway one has.

A gateway is described by the names of its fields; credentials go into headers, Basic authentication or further
fields, and are added when the message is sent: what is stored of a message is its text alone. One channel, one number.

Examples of such interfaces: https://www.twilio.com/docs/messaging/api/message-resource (form, Basic) and
https://developer.vonage.com/en/api/sms (JSON, further fields).
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import Field, SecretStr, StringConstraints

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, HttpSettings, SecretHeader, SecretUrl, as_json, send
from watchfloor.channels.words import Speaking, speak
from watchfloor.config.fields import InWords, Name
from watchfloor.domain.text import one_line

FORM = "application/x-www-form-urlencoded"


class Settings(HttpSettings, Speaking):
    """Settings of a channel of text messages."""

    url: SecretUrl = Field(description="Where the gateway takes messages.")
    to: Annotated[
        str,
        StringConstraints(pattern=r"^\+?[0-9]{3,20}$"),
        InWords('a number in quotes, such as "+4930123456"'),
    ] = Field(description="The number that gets them.")
    encoding: Literal["form", "json"] = Field(default="form", description="How the fields are written.")
    to_field: Name = Field(default="To", description="The gateway's name for the number.")
    text_field: Name = Field(default="Body", description="The gateway's name for the text.")
    fields: dict[Name, SecretStr] = Field(
        default={}, max_length=20, description="Further fields, such as From or a key."
    )
    headers: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")], SecretHeader] = Field(
        default={}, max_length=20, description="Further headers."
    )
    user: Name | None = Field(default=None, description="User of Basic authentication.")
    password: SecretStr | None = Field(default=None, description="Password of Basic authentication.")
    longest: int = Field(default=320, ge=70, le=1600, description="Characters after which the text is cut.")


def render(settings: Settings, draft: Draft) -> bytes:
    """The text."""
    said = speak(settings, draft)
    return one_line(f"{said.title}. {said.body}", settings.longest).encode()


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message. Raises `DeliveryError`."""
    further = {name: value.get_secret_value() for name, value in settings.fields.items()}
    values = {**further, settings.to_field: settings.to, settings.text_field: message.payload.decode()}
    headers = {name.lower(): value.get_secret_value() for name, value in settings.headers.items()}
    if settings.user is not None:
        password = "" if settings.password is None else settings.password.get_secret_value()
        pair = f"{settings.user}:{password}".encode()
        headers["authorization"] = "Basic " + base64.b64encode(pair).decode()
    form = settings.encoding == "form"
    body = urlencode(values).encode() if form else as_json(values)
    content_type = FORM if form else "application/json"
    await send(settings, message, Call(settings.url.get_secret_value(), body, headers, "POST", content_type))
