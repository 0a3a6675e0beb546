"""Carries out one attempt: settings resolved here, its time limited, its end judged. It writes nothing but the log."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from watchfloor.config.base import Settings
from watchfloor.config.document import leaves
from watchfloor.config.kinds import Kind
from watchfloor.config.problems import ConfigError
from watchfloor.config.references import References, references_in
from watchfloor.config.settings import build_settings
from watchfloor.domain.durations import format_duration
from watchfloor.domain.masking import Masker
from watchfloor.domain.retry import LOST, Ending, judge
from watchfloor.domain.text import one_line
from watchfloor.engine.node import Node
from watchfloor.engine.provisions import Provisions
from watchfloor.engine.run_log import RunLog
from watchfloor.engine.worker import Worker
from watchfloor.payloads.contract import Attempt, Grants, PayloadError
from watchfloor.store.jobs import retry_of
from watchfloor.store.runs import Claimed, Finished
from watchfloor.store.workers import Orphan

log = logging.getLogger(__name__)

LONG_LINE = 8
"""A line of a secret of several lines, such as a key, is hidden by itself from this length on."""

_chance = random.SystemRandom().random


async def carry_out(
    node: Node,
    run: Claimed,
    worker: Worker,
    kinds: Mapping[str, Kind],
    base_dir: Path,
    grants: Grants,
    why_cancelled: Callable[[], Ending | None],
) -> Ending:
    """Do the work of one attempt and tell how it ended.

    ``why_cancelled`` says, where the task is cancelled, what that means for the run; None: the caller itself goes.
    """
    kind = kinds.get(run.kind)
    if kind is None:
        return Ending("config.kind", f"this node has no jobs of kind {run.kind}")
    try:
        settings, secrets = _settings(kind, run.settings, base_dir)
    except ConfigError as error:
        return Ending("config.settings", one_line(f"this node cannot run it: {error}", 500))
    masker = Masker(secrets)
    lines = RunLog(node, run, worker, masker)
    provisions = Provisions(node, run, worker)
    attempt = Attempt(
        run_id=run.id,
        uuid=run.uuid,
        attempt=run.attempt,
        job=run.job,
        scheduled_for=run.scheduled_for,
        output=lines.output,
        leash=worker.leash,
        grants=grants,
        checkpoint=provisions,
        read=provisions.read,
    )
    ending = await _within_time(
        kind, settings, attempt, _limit_s(run, node.clock.now()), masker, why_cancelled
    )
    await lines.end()
    return ending


def _settings(kind: Kind, raw: Mapping[str, Any], base_dir: Path) -> tuple[Settings, list[str]]:
    """The settings, and what their references lead to, which nobody may see. Raises `ConfigError`."""
    settings = build_settings(kind.settings, raw, os.environ, base_dir)
    references = References(os.environ, base_dir)
    texts = [leaf for _, leaf in leaves(dict(raw)) if isinstance(leaf, str)]
    found = [references.text(f"${{{name}}}") for text in texts for name in references_in(text)]
    return settings, [
        *found,
        *(line for text in found for line in text.splitlines() if len(line) >= LONG_LINE),
    ]


def _limit_s(run: Claimed, now: datetime) -> float:
    limit = run.timeout_ms / 1000
    return limit if run.deadline_at is None else min(limit, max(0.0, (run.deadline_at - now).total_seconds()))


async def _within_time(
    kind: Kind,
    settings: Settings,
    attempt: Attempt,
    limit_s: float,
    masker: Masker,
    why_cancelled: Callable[[], Ending | None],
) -> Ending:
    try:
        async with asyncio.timeout(limit_s) as scope:
            await kind.run(settings, attempt)
    except PayloadError as error:
        words = one_line(masker.line(str(error)), 500)
        return Ending(error.error_class, words, error.exit_code, error.signal, error.wait_s)
    except asyncio.CancelledError:
        ending = why_cancelled()
        if ending is None:
            raise
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        return ending
    except TimeoutError as error:
        if scope.expired():
            return Ending("timeout", f"no end after {format_duration(round(limit_s, 3))}")
        return Ending("internal", one_line(masker.line(f"TimeoutError: {error}")))
    except Exception as error:
        words = one_line(masker.line(f"{type(error).__name__}: {error}"), 500)
        log.error("job %s of kind %s failed by itself: %s", attempt.job, kind.name, words)
        return Ending("internal", words)
    return Ending()


def finished(run: Claimed, worker_id: int, ending: Ending, now: datetime) -> Finished:
    """What becomes of a run after an attempt of this worker."""
    return _finished(run, run.attempt, worker_id, ending, now)


def lost(orphan: Orphan, now: datetime) -> Finished:
    """What becomes of a run whose worker is gone."""
    ending = Ending(LOST, "the node that ran it is gone")
    return _finished(orphan, orphan.attempt, orphan.worker_id, ending, now)


def _finished(run: Claimed | Orphan, attempt: int, worker_id: int, ending: Ending, now: datetime) -> Finished:
    verdict = judge(
        retry_of(run.retry),
        ending,
        used=run.used,
        at_most_once=run.at_most_once,
        deadline=run.deadline_at,
        now=now,
        random=_chance,
    )
    return Finished(
        id=run.id,
        attempt=attempt,
        worker_id=worker_id,
        state=verdict.state,
        delay_s=verdict.delay_s,
        counts=verdict.counts,
        reason=verdict.reason,
        exit_code=ending.exit_code,
        signal=ending.signal,
        error_class=ending.error_class,
        error=ending.error,
    )
