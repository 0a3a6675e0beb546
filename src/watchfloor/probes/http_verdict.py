"""What an answer to an HTTP request is worth: held against the settings, every objection named.

It also sorts what the target said from what was only late, so that a monitor that stood still blames nobody. This
module must never touch a connection.
"""

from __future__ import annotations

from functools import partial
from time import time
from typing import TYPE_CHECKING

from watchfloor.domain.automaton import Work
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes import certificate
from watchfloor.probes.assertions import as_text, parsed_json
from watchfloor.probes.checking import EMPTY, Check, Fault
from watchfloor.probes.conditions import ABSENT, Evidence
from watchfloor.probes.exchange import Exchange, decompressed
from watchfloor.probes.pattern import CHECK_WORK
from watchfloor.probes.text import days, seconds, size
from watchfloor.probes.tls_layer import TlsLayer

if TYPE_CHECKING:
    from watchfloor.probes.http import Settings

_WE_WERE_SLOW = 408
"""The status with which a server gives up waiting for a request."""

_PATIENCE_S = 1.0
"""No server gives up sooner than that."""

Objection = tuple[str, float | None]
"""What is said against an answer, and by how many seconds it came too late where that is all."""


async def judge(
    settings: Settings,
    check: Check,
    answer: Exchange,
    layer: TlsLayer | None,
    latency: float,
    facts: dict[str, object],
) -> Outcome:
    """Hold the answer against the settings; the worst finding decides, all of them are named."""
    plan = settings.plan
    words: list[str] = []
    told, late = Status.OK, settings.passed(latency)
    shown = certificate.of_session(layer.tls) if layer is not None else None
    left = shown.days_left(time()) if shown else None
    refused = plan.judges_status and answer.status not in plan.accepted
    objections: list[Objection] = []
    unknown: list[str] = []
    if refused:
        objections = [(f"expected {', '.join(str(entry) for entry in settings.expect_status)}", None)]
    elif plan.reads_body or plan.conditions:
        objections, unknown = await _objections(settings, check, answer, latency, left, facts)
    for objection, by in objections:
        words.append(objection)
        if by is None and answer.status == _WE_WERE_SLOW:
            by = _PATIENCE_S
        if by is None:
            told = Status.FAILING
        else:
            late = (*late, (Status.FAILING, by))
    words += unknown
    if slow := settings.slowness(latency)[1]:
        words.append(slow)
    metrics = EMPTY
    if left is not None:
        metrics = {"certificate_days_left": left}
        if left < settings.certificate_warn_days:
            told = max(told, Status.DEGRADED)
            words.append(f"certificate {'expires in ' + days(left) if left > 0 else 'has expired'}")
    if facts.get("downgraded"):
        words.append("redirected from https to plain http")
    head = f"{answer.status} in {seconds(latency)}"
    if refused and (phrase := check.clean(answer.phrase, 40)):
        head = f"{answer.status} {phrase} in {seconds(latency)}"
    summary = f"{head}: {'; '.join(words)}" if words else head
    status = max(told, *(each for each, _ in late), Status.OK)
    if unknown and status is not Status.FAILING:  # whatever else is wrong with it, that much is certain
        status = Status.UNKNOWN
    return check.outcome(status, summary, latency=latency, metrics=metrics, facts=facts, told=told, slow=late)


async def _objections(
    settings: Settings,
    check: Check,
    answer: Exchange,
    latency: float,
    certificate_days: float | None,
    facts: dict[str, object],
) -> tuple[list[Objection], list[str]]:
    """Return what the answer lacks or holds against the settings, in their order, and what cannot be told of it."""
    body = answer.body
    if body and (encoding := answer.headers.get(b"content-encoding")):
        body = decompressed(body, encoding, settings.max_body)
    found: list[str] = []
    unknown: list[str] = []
    work = Work(CHECK_WORK)
    text = as_text(body, answer.headers.get(b"content-type", b""))
    found += [f"the body lacks {wanted!r}" for wanted in settings.body_contains if wanted not in text]
    found += [f"the body holds {banned!r}" for banned in settings.body_not_contains if banned in text]
    conditions = settings.plan.conditions
    pattern = settings.plan.pattern
    try:
        if pattern is not None and not await pattern.found_in(text[: 64 * 1024], work):
            found.append(f"the body does not match {pattern.source!r}")
    except Fault as fault:
        unknown.append(fault.summary)
    document: object = ABSENT
    if settings.body_json or any(condition.speaks_of("json") for condition in conditions):
        document, problem = parsed_json(body)
        if problem:
            found.append(problem)
            document = ABSENT
        else:
            held = (demand.objection(document) for demand in settings.body_json)
            found += [check.clean(objection, 160) for objection in held if objection]
    evidence = Evidence(
        status=answer.status,
        latency=latency,
        size=answer.length,
        redirects=int(str(facts.get("redirects", 0))),
        certificate_days=certificate_days,
        # An address needs no looking up: that took no time, which a condition on it may count on.
        phases={"dns": 0.0, **check.phases},
        header=partial(_header, answer),
        body=text,
        document=document,
        work=work,
    )
    said: list[Objection] = [(objection, None) for objection in found]
    for condition in conditions:
        try:
            if objection := await condition.objection(evidence):
                said.append((check.clean(objection, 160), condition.slow_by(evidence)))
        except Fault as fault:
            unknown.append(fault.summary)
    if said and answer.cut and settings.plan.reads_body:
        said.append((f"only the first {size(settings.max_body)} of the body were read", 0.0))
    return said, unknown


def _header(answer: Exchange, name: str) -> str | None:
    value = answer.headers.get(name.lower().encode())
    return None if value is None else value.decode("utf-8", "replace")
