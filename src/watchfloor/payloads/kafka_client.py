"""Clients of Kafka: what an address means, how topics are looked for without being made, what errors mean.

An address is ``kafka://user:password@host:9092,other:9092?tls=true&verify=false&ca_file=…&mechanism=SCRAM-SHA-256``;
all of it but a host may be left out.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Collection
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from watchfloor.domain.text import one_line
from watchfloor.payloads.contract import PayloadError

_OPTIONS = {"tls", "verify", "ca_file", "mechanism"}
_MECHANISMS = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
REQUEST_MS = 30_000


def check_address(dsn: SecretStr) -> SecretStr:
    """Returns the address. Raises `ValueError`, which never quotes it."""
    parts = urlsplit(dsn.get_secret_value())
    options = dict(parse_qsl(parts.query))
    hosts = parts.netloc.rpartition("@")[2]
    if parts.scheme != "kafka" or not all(each.partition(":")[0] for each in hosts.split(",")):
        raise ValueError("must be an address such as kafka://one.example.com:9092,two.example.com:9092")
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ValueError(f"the address has an option that is not known: {unknown[0][:40]}")
    if options.get("mechanism", "PLAIN") not in _MECHANISMS:
        raise ValueError(f"mechanism must be one of {', '.join(sorted(_MECHANISMS))}")
    return dsn


def options_of(dsn: SecretStr) -> dict[str, Any]:
    """How clients are to be made. Raises `PayloadError` where the driver is missing."""
    try:
        import aiokafka  # noqa: F401 - only whether it is there
    except ImportError:
        raise PayloadError(
            "config.driver", "Kafka needs the driver aiokafka; install watchfloor[kafka]"
        ) from None
    parts = urlsplit(dsn.get_secret_value())
    options = dict(parse_qsl(parts.query))
    login, _, hosts = parts.netloc.rpartition("@")
    secure = options.get("tls") == "true"
    made: dict[str, Any] = {
        "bootstrap_servers": [each if ":" in each else f"{each}:9092" for each in hosts.split(",")],
        "client_id": "watchfloor",
        "request_timeout_ms": REQUEST_MS,
        "security_protocol": f"{'SASL_' if login else ''}{'SSL' if secure else 'PLAINTEXT'}",
    }
    if secure:
        made["ssl_context"] = _trust(options)
    if login:
        user, _, password = login.partition(":")
        made |= {
            "sasl_mechanism": options.get("mechanism", "PLAIN"),
            "sasl_plain_username": unquote(user),
            "sasl_plain_password": unquote(password),
        }
    return made


def _trust(options: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ca_file"))
    if options.get("verify") == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.asynccontextmanager
async def started(client: Any) -> AsyncIterator[Any]:
    """A client at work, stopped at the end; errors of Kafka become `PayloadError`."""
    from aiokafka.errors import KafkaError

    try:
        try:
            await client.start()
            yield client
        finally:
            await (client.close() if hasattr(client, "close") else client.stop())
    except KafkaError as error:
        raise failure(error) from None
    except OSError as error:
        raise PayloadError("mq.connection", one_line(f"no connection: {error}", 300)) from None


def failure(error: Exception) -> PayloadError:
    """What an error of Kafka means."""
    from aiokafka import errors

    words = one_line(f"Kafka: {error}", 300)
    if isinstance(error, errors.ProducerFenced | errors.InvalidProducerEpoch):
        return PayloadError("worker.lost", "a later attempt of this job sends already: this one is fenced")
    for kinds, name in (
        ((errors.UnknownTopicOrPartitionError, errors.InvalidTopicError), "mq.missing"),
        (
            (
                errors.TopicAuthorizationFailedError,
                errors.GroupAuthorizationFailedError,
                errors.ClusterAuthorizationFailedError,
                errors.AuthenticationFailedError,
                errors.SaslAuthenticationFailed,
                errors.UnsupportedSaslMechanismError,
            ),
            "mq.permission",
        ),
        ((errors.MessageSizeTooLargeError, errors.RecordListTooLargeError), "mq.too_large"),
        ((errors.IncompatibleBrokerVersion, errors.UnsupportedVersionError), "mq.unsupported"),
        ((errors.KafkaConnectionError, errors.KafkaTimeoutError, errors.NoBrokersAvailable), "mq.connection"),
    ):
        if isinstance(error, kinds):
            return PayloadError(name, words)
    return PayloadError("mq.retriable" if getattr(error, "retriable", False) else "mq.other", words)


async def topics_of(producer: Any) -> Collection[str]:
    """The topics that there are; asking for one by name would make it."""
    cluster = await producer.client.fetch_all_metadata()
    found: Collection[str] = cluster.topics(exclude_internal_topics=False)
    return found


def must_exist(topics: Collection[str], topic: str) -> None:
    """Raises `PayloadError` where a topic is not among those that there are."""
    if topic not in topics:
        raise PayloadError("mq.missing", f"there is no topic {topic!r}")
