"""PagerDuty, by Events API v2: an incident is triggered, acknowledged and resolved under the alert's own key.

The routing key is added when the event is sent: what is stored of a message holds no secret.
Source of the format: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ (summary 1,024 characters,
dedup_key 255; 202 is success).
"""

from __future__ import annotations

import json

from pydantic import Field, SecretStr

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, SecretUrl, ServiceSettings, as_json, send
from watchfloor.channels.words import Speaking, Spoken, speak
from watchfloor.domain.notice import TEST, written

SEVERITIES = {"info": "info", "warning": "warning", "critical": "error", "emergency": "critical"}


class Settings(ServiceSettings, Speaking):
    """Settings of a PagerDuty channel."""

    routing_key: SecretStr = Field(min_length=1, description="The integration key of the service.")
    url: SecretUrl = Field(
        default=SecretStr("https://events.pagerduty.com/v2/enqueue"),
        description="Where events go; https://events.eu.pagerduty.com/v2/enqueue in Europe.",
    )


def render(settings: Settings, draft: Draft) -> bytes:
    """The event without its routing key."""
    said = speak(settings, draft)
    event: dict[str, object] = {"event_action": _action(said), "dedup_key": said.notice.uuid}
    if event["event_action"] == "trigger":
        event["payload"] = {
            "summary": said.title,
            "source": said.notice.labels.get("service") or "watchfloor",
            "severity": SEVERITIES.get(said.notice.severity, "error"),
            "timestamp": written(said.notice.active_at),
            "custom_details": {**said.notice.labels, "details": said.body},
        }
        event["client"] = "Watchfloor"
    return as_json(event)


def _action(said: Spoken) -> str:
    if said.notice.type == TEST:
        return "trigger"
    return {"resolved": "resolve", "acknowledged": "acknowledge"}.get(said.notice.state, "trigger")


async def deliver(settings: Settings, message: Message) -> None:
    """Send one event. Raises `DeliveryError`."""
    key = {"routing_key": settings.routing_key.get_secret_value()}
    body = as_json({**key, **json.loads(message.payload)})
    await send(settings, message, Call(settings.url.get_secret_value(), body))
