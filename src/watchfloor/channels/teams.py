"""Microsoft Teams, by the webhook of a workflow ("When a Teams webhook request is received").

Words from outside go into text runs, which know no Markdown.
Source of the format: https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
and https://adaptivecards.io/explorer/RichTextBlock.html
"""

from __future__ import annotations

from pydantic import Field

from watchfloor.channels.message import Draft, Message
from watchfloor.channels.sending import Call, SecretUrl, ServiceSettings, as_json, send
from watchfloor.channels.words import Speaking, Spoken, speak

COLOURS = {"info": "accent", "warning": "warning", "critical": "attention", "emergency": "attention"}


class Settings(ServiceSettings, Speaking):
    """Settings of a Teams channel."""

    url: SecretUrl = Field(description="The address of the workflow's webhook.")


def render(settings: Settings, draft: Draft) -> bytes:
    """The body of the request: a message with one adaptive card."""
    said = speak(settings, draft)
    lines = [_line(said.title, weight="bolder", color=_colour(said))]
    lines += [_line(line) for line in said.body.splitlines() if line]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "fallbackText": said.title,
        "body": lines,
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": content_type, "contentUrl": None, "content": card}
    return as_json({"type": "message", "attachments": [attachment]})


def _colour(said: Spoken) -> str:
    return "good" if said.notice.over else COLOURS.get(said.notice.severity, "default")


def _line(text: str, **looks: str) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **looks}]}


async def deliver(settings: Settings, message: Message) -> None:
    """Send one message. Raises `DeliveryError`."""
    await send(settings, message, Call(settings.url.get_secret_value(), message.payload))
