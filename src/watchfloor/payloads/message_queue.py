"""Sends messages to a queue of RabbitMQ or a topic of Kafka, takes some, empties it, or tells how many wait.

A queue or topic that is not there is an error and never made. What is sent counts when the broker has confirmed it;
what is taken is acknowledged when it is in the log of the run. RabbitMQ needs `watchfloor[rabbitmq]`, Kafka
`watchfloor[kafka]`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from watchfloor.config import base
from watchfloor.config.fields import DurationField, Seconds
from watchfloor.payloads.contract import Attempt
from watchfloor.payloads.kafka_client import check_address

ERRORS = {
    "mq.connection": "no connection, or it was lost",
    "mq.permission": "the sign-in was refused, or the user may not do that",
    "mq.missing": "there is no such queue, exchange or topic",
    "mq.unroutable": "no queue takes what was sent",
    "mq.refused": "the broker did not confirm what was sent",
    "mq.too_large": "the broker takes no message of that size",
    "mq.too_deep": "more messages wait than fail_above allows",
    "mq.unsupported": "the broker is too old for that",
    "mq.retriable": "the broker cannot do it at the moment",
    "mq.other": "the broker refuses it for another reason",
}

SHOWN = 8000
"""Characters of a message that go to the log."""

Text = Annotated[str, Field(max_length=1_000_000)]
ShortText = Annotated[str, Field(min_length=1, max_length=250)]


class Settings(base.Settings):
    """Settings of a message queue job."""

    dsn: SecretStr = Field(
        description="The broker: `amqp://user@host/vhost`, `amqps://…`, or `kafka://host:9092,host:9092`, with "
        "`?tls=true` and others."
    )
    operation: Literal["publish", "consume", "purge", "depth"] = Field(description="What to do.")
    queue: ShortText | None = Field(None, description="The queue of RabbitMQ or the topic of Kafka.")
    exchange: ShortText | None = Field(
        None, description="RabbitMQ: the exchange to send to instead of a queue."
    )
    routing_key: Annotated[str, Field(max_length=250)] = Field("", description="RabbitMQ: with exchange.")
    key: ShortText | None = Field(None, description="Kafka: the key of what is sent.")
    messages: Annotated[tuple[Text, ...], Field(max_length=10_000)] = Field(
        (), description="What to send; may hold references."
    )
    headers: Annotated[dict[ShortText, Text], Field(max_length=100)] = Field(
        {}, description="Headers of what is sent."
    )
    content_type: ShortText = Field("text/plain", description="RabbitMQ: what kind of text it is.")
    persistent: bool = Field(True, description="RabbitMQ: whether it outlives a restart of the broker.")
    most: Annotated[int, Field(ge=1, le=100_000)] = Field(100, description="How many messages to take.")
    wait: Annotated[float, DurationField("0s", "1h")] = Field(
        Seconds(5), description="How long to wait for messages when none is there."
    )
    acknowledge: bool = Field(
        True, description="Whether what is taken is gone; otherwise it is only looked at."
    )
    group: ShortText | None = Field(
        None,
        description="Kafka: the consumer group; watchfloor and the name of the job, for depth all there is.",
    )
    fail_above: Annotated[int, Field(ge=0)] | None = Field(
        None, description="For depth: more messages than this are a failure."
    )

    @field_validator("dsn")
    @classmethod
    def _is_broker(cls, value: SecretStr) -> SecretStr:
        scheme = value.get_secret_value().partition("://")[0]
        if scheme == "kafka":
            return check_address(value)
        if scheme not in ("amqp", "amqps"):
            raise ValueError("must be an amqp://, amqps:// or kafka:// address")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> Settings:
        if self.exchange is not None and (self.is_kafka or self.operation != "publish"):
            raise ValueError("exchange works with publish to RabbitMQ only")
        if (self.queue is None) == (self.exchange is None):
            raise ValueError("needs a queue" if self.exchange is None else "needs either queue or exchange")
        if (self.operation == "publish") != bool(self.messages):
            raise ValueError("publish needs messages, and nothing else has any")
        if self.key is not None and not self.is_kafka:
            raise ValueError("key works with Kafka only")
        if self.fail_above is not None and self.operation != "depth":
            raise ValueError("fail_above works with depth only")
        return self

    @property
    def is_kafka(self) -> bool:
        """Whether the broker is Kafka."""
        return self.dsn.get_secret_value().startswith("kafka:")


async def run(settings: Settings, attempt: Attempt) -> None:
    """Do it. Raises `PayloadError`."""
    # Imported here: whoever has no such broker does not pay for it.
    if settings.is_kafka:
        from watchfloor.payloads import queue_kafka as broker
    else:
        from watchfloor.payloads import queue_rabbitmq as broker  # type: ignore[no-redef]
    attempt.must_hold()
    await broker.do(settings, attempt)
