"""The words of a message: a short first line for a lock screen, then the rest. Both can be changed by templates.

A template that fails at the last moment, which its check makes unlikely, costs nobody a message: the words that come
with the product take its place, and the message says so.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pydantic import Field

from watchfloor.channels.message import Draft
from watchfloor.config.base import Settings
from watchfloor.config.fields import ZoneName
from watchfloor.config.template import TemplateFailure, TemplateText, compiled
from watchfloor.domain.notice import Notice, facts, read
from watchfloor.domain.text import clean, one_line

log = logging.getLogger(__name__)

TITLE = "{{ mark }} {{ title }}{% if span %}, {{ span }}{% endif %}"
BODY = """\
{% for each in alerts %}
{{ each.mark }} {{ each.title }}
{% endfor %}
{% if more %}
and {{ more }} more
{% endif %}
{% if summary and not alerts %}
{{ summary }}
{% endif %}
{% if note %}
{{ actor }}: {{ note }}
{% elif event == "acknowledged" %}
by {{ actor }}
{% endif %}
{% if labels.group and not alerts %}
group: {{ labels.group }}
{% endif %}
{% if labels.runbook and state == "firing" and not alerts %}
runbook: {{ labels.runbook }}
{% endif %}
{% if id %}
alert #{{ id }}
{% endif %}
"""
LONGEST_TITLE = 200


class Words(Settings):
    """The words of one type of message; what is left out comes with the product."""

    title: TemplateText | None = Field(None, description="The first line.")
    body: TemplateText | None = Field(None, description="What follows.")


class Templates(Settings):
    """The words of every type of message."""

    every: Words = Field(Words(), description="For every type that says nothing else.")
    firing: Words = Field(Words(), description="An alert fires.")
    reopened: Words = Field(Words(), description="It fires again soon after it was over.")
    acknowledged: Words = Field(Words(), description="Somebody takes care of it.")
    severity_changed: Words = Field(Words(), description="It got better or worse.")
    resolved: Words = Field(Words(), description="It is over.")
    test: Words = Field(Words(), description="Somebody tries the channel.")


class Speaking(Settings):
    """Settings of a channel that sends words."""

    templates: Templates = Field(
        Templates(), description="Other words, by type of message, each with title and body."
    )
    time_zone: ZoneName | None = Field(
        None, description="The zone of the times it tells; the setting alerts.time_zone if left out."
    )


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message in words, safe to show; ``body`` may be empty or have several lines."""

    notice: Notice
    title: str
    body: str

    @property
    def text(self) -> str:
        """Title and body as one text."""
        return f"{self.title}\n{self.body}".rstrip()


def speak(settings: Speaking, draft: Draft) -> Spoken:
    """Put a message into words."""
    return spoken(settings, read(draft.payload, settings.time_zone or draft.time_zone))


def spoken(settings: Speaking, notice: Notice) -> Spoken:
    """Put a notice into words."""
    own: Words = getattr(settings.templates, notice.event, Words())
    every = settings.templates.every
    title, trouble = _rendered(own.title if own.title is not None else every.title, TITLE, notice)
    body, more = _rendered(own.body if own.body is not None else every.body, BODY, notice)
    failures = "".join(f"\n(a template of this channel failed: {each})" for each in (trouble, more) if each)
    said = f"{clean(body).strip()}{clean(failures)}".strip()
    return Spoken(notice, one_line(title, LONGEST_TITLE) or notice.event, said)


def _rendered(source: str | None, usual: str, notice: Notice) -> tuple[str, str]:
    """The text, and why it is the usual one although another was wanted; empty where it is not."""
    failed = ""
    if source is not None:
        try:
            return compiled(source).render(facts(notice)), ""
        except TemplateFailure as failure:
            log.warning("a template failed, the usual words take its place: %s", failure)
            failed = str(failure)
    return compiled(usual).render(facts(notice)), failed
