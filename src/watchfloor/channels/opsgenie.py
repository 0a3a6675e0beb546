"""Opsgenie, by its Alert API: an alert is created, acknowledged and closed under the alert's own id as its alias.

Source of the format: https://docs.opsgenie.com/docs/alert-api (message 130 characters, description 15,000; requests
are answered by 202).
"""

from __future__ import annotations

import json
from urllib.parse import quote

from pydantic import Field, SecretStr

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, SecretHeader, SecretUrl, ServiceSettings, as_json, send
from watchfloor.channels.words import Speaking, speak
from watchfloor.domain.text import one_line

MESSAGE = 130
PRIORITIES = {"info": "P5", "warning": "P3", "critical": "P2", "emergency": "P1"}
STEPS = {"resolved": "close", "acknowledged": "acknowledge"}


class Settings(ServiceSettings, Speaking):
    """Settings of an Opsgenie channel."""

    api_key: SecretHeader = Field(description="The key of the API integration.")
    url: SecretUrl = Field(
        default=SecretStr("https://api.opsgenie.com"),
        description="The server; https://api.eu.opsgenie.com in Europe.",
    )


def render(settings: Settings, draft: Draft) -> bytes:
    """The path and the body of the request, as JSON."""
    said = speak(settings, draft)
    notice = said.notice
    step = STEPS.get(notice.state)
    if step is not None:
        path = f"/v2/alerts/{quote(notice.uuid, safe='')}/{step}?identifierType=alias"
        return as_json({"path": path, "body": {"source": "Watchfloor", "note": said.text}})
    body = {
        "message": one_line(said.title, MESSAGE),
        "alias": notice.uuid,
        "description": said.body,
        "details": dict(notice.labels),
        "entity": notice.labels.get("service", ""),
        "source": "Watchfloor",
        "priority": PRIORITIES.get(notice.severity, "P3"),
    }
    return as_json({"path": "/v2/alerts", "body": body})


async def deliver(settings: Settings, message: Message) -> None:
    """Send one request. Raises `DeliveryError`."""
    made = json.loads(message.payload)
    url = settings.url.get_secret_value().rstrip("/") + made["path"]
    headers = {"authorization": f"GenieKey {settings.api_key.get_secret_value()}"}
    await send(settings, message, Call(url, as_json(made["body"]), headers))
