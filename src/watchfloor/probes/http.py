"""HTTP and HTTPS checks: one fresh connection per check, judged by status, body, speed and certificate.

The phases are summed over all redirects, so that together they are the latency. This module must never send
a secret header to an origin it was not written for, and never show one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from time import perf_counter
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from watchfloor.config.fields import InWords
from watchfloor.domain.outcome import Outcome
from watchfloor.probes import certificate, target
from watchfloor.probes.assertions import JsonAssertion
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.condition_parser import parse as parse_condition
from watchfloor.probes.conditions import Condition
from watchfloor.probes.exchange import Exchange
from watchfloor.probes.http_verdict import judge
from watchfloor.probes.limits import TimedSettings
from watchfloor.probes.net import Host, connect, place
from watchfloor.probes.pattern import Pattern
from watchfloor.probes.possible import BODY_LIMIT, BOUNDS, REDIRECT_LIMIT, Bounds, contradiction
from watchfloor.probes.secure import connect_tls
from watchfloor.probes.target import Target
from watchfloor.probes.text import spoken_secrets
from watchfloor.probes.tls_layer import TlsLayer

MIB = 1024 * 1024
_STATUSES = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_NO_HEADERS = frozenset[bytes]()  # one for all: an empty set takes 216 bytes


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


@lru_cache(maxsize=256)
def _accepted(entries: tuple[int | str, ...]) -> frozenset[int]:
    """The codes that are meant; one set for all services that write the same."""
    codes: set[int] = set()
    for entry in entries:
        match = _STATUSES.fullmatch(str(entry).replace(" ", ""))
        if match is None or (match[2] and match[2] < match[1]):
            raise ValueError("a status is a code or a range, such as 204 or 200-299")
        codes.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(codes)


def _checked_statuses(entries: list[int | str]) -> list[int | str]:
    _accepted(tuple(entries))
    return entries


def _usual_statuses() -> list[int | str]:
    return ["200-299"]


def _requestable(url: str) -> str:
    target.parse(url)
    return url


def _searchable(source: str) -> str:
    Pattern(source)
    return source


def _readable(condition: str) -> str:
    parse_condition(condition)
    return condition


Conditions = Annotated[
    list[
        Annotated[
            str, AfterValidator(_readable), InWords("a condition such as status == 200 or latency < 300ms")
        ]
    ],
    BeforeValidator(_as_list),
]
Statuses = Annotated[list[int | str], BeforeValidator(_as_list), AfterValidator(_checked_statuses)]
Texts = Annotated[list[str], BeforeValidator(_as_list)]


class Settings(TimedSettings):
    """An HTTP or HTTPS address and what its answer must be like.

    There are thousands of these: defaults come from factories, because one that may change is copied each time.
    """

    url: Annotated[str, AfterValidator(_requestable)] = Field(
        description="The address, such as `https://example.com/health`."
    )
    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], BeforeValidator(_upper)
    ] = Field("GET", description="The request method.")
    headers: Annotated[dict[str, SecretStr], AfterValidator(target.sendable)] = Field(
        default_factory=dict, description="Headers to send. Their values are never shown.", max_length=50
    )
    body: str | None = Field(
        None, max_length=64 * 1024, description="The body to send. Its lines are never shown."
    )
    expect_status: Statuses = Field(
        default_factory=_usual_statuses,
        min_length=1,
        max_length=50,
        description="Accepted status codes and ranges. A redirect that is listed here is not followed.",
    )
    body_contains: Texts = Field(
        default_factory=list, description="Texts that the body must hold, each of them.", max_length=50
    )
    body_not_contains: Texts = Field(
        default_factory=list, description="Texts that the body must not hold.", max_length=50
    )
    body_regex: Annotated[str, AfterValidator(_searchable)] | None = Field(
        None,
        description="A pattern that must match somewhere in the first 64 KiB of the body; Python's syntax "
        "without back-references and look-around.",
    )
    body_json: list[JsonAssertion] = Field(
        default_factory=list, description="Demands on values of a JSON body.", max_length=50
    )
    conditions: Conditions = Field(
        default_factory=list,
        max_length=50,
        description="Conditions that must all hold, such as `json.items.length > 0`; one about the status "
        "takes the place of `expect_status` unless that is given too.",
    )
    max_body: int = Field(
        MIB,
        ge=1024,
        le=BODY_LIMIT,
        description="How much of the body is read, in bytes. What follows is not looked at.",
    )
    max_redirects: int = Field(5, ge=0, le=REDIRECT_LIMIT, description="How many redirects are followed.")
    verify: bool = Field(True, description="Whether the server must prove its identity (HTTPS).")
    ca_file: str | None = Field(
        None, description="A PEM file of authorities to trust instead of the system's (HTTPS)."
    )
    server_name: Host | None = Field(
        None, description="The name the certificate must be for, when it is not the host of `url` (HTTPS)."
    )
    certificate_warn_days: float = Field(
        14, ge=0, le=3650, description="Degraded when the certificate expires within this many days (HTTPS)."
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Settings:
        conditions = [parse_condition(source) for source in self.conditions]
        if conditions and (why := contradiction(conditions, _bounds(self))):
            raise ValueError(why)
        for banned in self.body_not_contains:
            if any(banned in wanted for wanted in self.body_contains):
                raise ValueError(
                    "what body_contains asks for holds what body_not_contains bans; leave out one"
                )
        return self

    @cached_property
    def plan(self) -> _Plan:
        """What follows from the settings once and for all; the hot path only looks it up."""
        return _Plan.of(self)


def _bounds(settings: Settings) -> dict[str, Bounds]:
    """What an answer to these settings can be, narrower than what any answer can be."""
    accepted = _accepted(tuple(settings.expect_status))
    kept = not settings.max_redirects
    usual = "expect_status" not in settings.model_fields_set

    def comes(status: float) -> bool:
        followed = status in _REDIRECTS and status not in accepted and not kept
        return not followed and (usual or status in accepted)

    most = 0 if settings.method == "HEAD" else settings.max_body
    return {
        "status": BOUNDS["status"]._replace(
            allows=comes,
            words="a redirect is followed unless expect_status lists it or max_redirects is 0"
            if usual
            else "expect_status does not accept it; leave out one of them",
        ),
        "size": BOUNDS["size"]._replace(
            most=most,
            words="the answer to HEAD has no body" if not most else f"max_body is {most}; raise it",
        ),
        "redirects": BOUNDS["redirects"]._replace(
            most=settings.max_redirects, words=f"max_redirects is {settings.max_redirects}; raise it"
        ),
    }


@dataclass(frozen=True, slots=True)
class _Plan:
    target: Target
    request: bytes
    headers: dict[str, str]
    body: bytes | None
    accepted: frozenset[int]
    pattern: Pattern | None
    conditions: tuple[Condition, ...]
    judges_status: bool
    wanted_headers: frozenset[bytes]
    reads_body: bool
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> _Plan:
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        where = target.parse(settings.url)
        sent = settings.body.encode("utf-8", "replace") if settings.body is not None else None
        conditions = tuple(parse_condition(source) for source in settings.conditions)
        return cls(
            target=where,
            request=target.request_bytes(where, settings.method, headers, sent),
            headers=headers,
            body=sent,
            accepted=_accepted(tuple(settings.expect_status)),
            pattern=Pattern(settings.body_regex) if settings.body_regex is not None else None,
            conditions=conditions,
            judges_status="expect_status" in settings.model_fields_set
            or not any(condition.speaks_of("status") for condition in conditions),
            wanted_headers=_NO_HEADERS.union(*(each.headers for each in conditions)) or _NO_HEADERS,
            reads_body=bool(
                any(condition.speaks_of("body") or condition.speaks_of("json") for condition in conditions)
                or settings.body_contains
                or settings.body_not_contains
                or settings.body_regex is not None
                or settings.body_json
            ),
            secrets=spoken_secrets([*target.secrets_in(headers), settings.body or ""]),
        )


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Request the address once, following redirects, and judge the answer within ``timeout`` seconds."""
    check = Check(settings.plan.secrets)
    return await conduct(check, timeout, _request(settings, check, timeout))


async def _request(settings: Settings, check: Check, timeout: float) -> Outcome:
    plan = settings.plan
    where, request, method = plan.target, plan.request, settings.method
    visited = {(method, where.url)}
    downgraded = False
    while True:
        answer, seen = await _ask(settings, check, timeout, where, request, method)
        if answer.status not in _REDIRECTS or answer.status in plan.accepted or not settings.max_redirects:
            break
        following = _follow(check, where, answer)
        if len(visited) > settings.max_redirects:
            raise Fault(f"more than {settings.max_redirects} redirects, the last to {following.shown}")
        downgraded |= (where.scheme, following.scheme) == ("https", "http")
        headers, body = plan.headers, plan.body
        if following.origin != plan.target.origin:
            headers, body = target.without_secrets(headers), None
        if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
            method, body = ("HEAD" if method == "HEAD" else "GET"), None
        if (method, following.url) in visited:
            raise Fault(f"redirects in a circle, back to {following.shown}")
        visited.add((method, following.url))
        where, request = following, target.request_bytes(following, method, headers, body)
    latency = check.latency
    facts = _facts(check, answer, seen)
    if len(visited) > 1:
        facts |= {"redirects": len(visited) - 1, "final_url": where.shown, "downgraded": downgraded}
    return await judge(settings, check, answer, seen, latency, facts)


async def _ask(
    settings: Settings, check: Check, timeout: float, where: Target, request: bytes, method: str
) -> tuple[Exchange, TlsLayer | None]:
    """Make one request on one fresh connection and return the answer, the connection closed again."""

    def exchange() -> Exchange:
        return Exchange(
            check,
            settings.max_body,
            keep_body=settings.plan.reads_body,
            bodyless=method == "HEAD",
            headers=settings.plan.wanted_headers,
        )

    layer: TlsLayer | None = None
    if where.scheme == "https":
        layer = await connect_tls(
            check,
            where.host,
            where.port,
            timeout,
            server_name=settings.server_name if where.origin == settings.plan.target.origin else None,
            verify=settings.verify,
            ca_file=settings.ca_file,
            protocols=("http/1.1",),
        )
        answer = exchange()
        layer.attach(answer)
    else:
        answer = await connect(check, where.host, where.port, timeout, exchange)
    check.doing = f"waiting for an answer from {place(where.host, where.port)}"
    sent = perf_counter()
    try:
        await answer.send(request)
    finally:
        if answer.first_byte_at:
            check.received(sent, answer.first_byte_at)
        answer.close()
    return answer, layer


def _follow(check: Check, where: Target, answer: Exchange) -> Target:
    location = answer.headers.get(b"location")
    if location is None:
        raise Fault(f"{answer.status} redirects nowhere: the answer has no Location")
    try:
        return target.redirected(where, location.decode("utf-8", "replace"))
    except ValueError as error:
        raise Fault(f"{answer.status} redirects to a place that is not followed: {error}") from None


def _facts(check: Check, answer: Exchange, layer: TlsLayer | None) -> dict[str, object]:
    facts: dict[str, object] = {
        "status_code": answer.status,
        "http_version": answer.version,
        "size": answer.length,
    }
    if answer.cut:
        facts["cut"] = True
    for name, key in ((b"content-type", "content_type"), (b"server", "server")):
        if name in answer.headers:
            facts[key] = check.clean(answer.headers[name])
    if layer is not None:
        facts["certificate"] = certificate.session_facts(layer.tls)
    return facts
