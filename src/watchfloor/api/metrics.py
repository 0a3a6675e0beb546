"""From what the store knows to the families that a collector reads."""

from __future__ import annotations

from collections import Counter

from watchfloor import __version__
from watchfloor.api.openmetrics import Family, Sample, Type
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity
from watchfloor.store.exposition import Figures, JobFigures, NodeFigures, QueueFigures, ServiceFigures

_NOT_COUNTERS = ("services", "in_flight", "clock_offset_ms", "lag_p50_ms", "lag_p99_ms", "lag_max_ms")


def families(found: Figures) -> list[Family]:
    """Everything, in a stable order."""
    return [
        Family("watchfloor", Type.INFO, "The version of this node.", [Sample({"version": __version__}, 1)]),
        *_services(found.services),
        Family(
            "watchfloor_alerts",
            Type.GAUGE,
            "Open alerts by severity and state.",
            [
                Sample({"severity": Severity(severity).word, "state": state}, count)
                for severity, state, count in found.alerts
            ],
        ),
        Family(
            "watchfloor_messages",
            Type.GAUGE,
            "Messages that wait for delivery, are on their way, or were given up.",
            [Sample({"state": state}, count) for state, count in found.messages],
        ),
        *_jobs(found.jobs),
        *_queues(found.queues),
        Family(
            "watchfloor_dead_letters",
            Type.GAUGE,
            "Runs that failed for good and that nobody settled.",
            [Sample({}, found.dead_letters)],
        ),
        *_nodes(found.nodes),
    ]


def _services(services: list[ServiceFigures]) -> list[Family]:
    states = Counter(_state(each) for each in services)
    confirmed = [each for each in services if each.hard is not None and not each.paused]
    return [
        Family(
            "watchfloor_services",
            Type.GAUGE,
            "Services by confirmed state.",
            [Sample({"state": state}, count) for state, count in sorted(states.items())],
        ),
        Family(
            "watchfloor_service_up",
            Type.GAUGE,
            "Whether a service is up: 1, also while degraded, or 0.",
            [Sample(_labels(each), each.hard in (Status.OK, Status.DEGRADED)) for each in confirmed],
        ),
        Family(
            "watchfloor_service_latency_seconds",
            Type.GAUGE,
            "What the latest check of a service measured.",
            [Sample(_labels(each), each.latency_s) for each in confirmed if each.latency_s is not None],
            "seconds",
        ),
        Family(
            "watchfloor_heartbeat_last_ping_timestamp_seconds",
            Type.GAUGE,
            "When a heartbeat was last pinged, in seconds since 1970.",
            [
                Sample({"service": each.name}, each.last_ping)
                for each in services
                if each.last_ping is not None
            ],
            "seconds",
        ),
    ]


def _jobs(jobs: list[JobFigures]) -> list[Family]:
    return [
        Family(
            "watchfloor_job_runs_last_day",
            Type.GAUGE,
            "Runs of a job that ended within the last day by outcome, counted every few minutes.",
            [
                Sample({"job": each.name, "queue": each.queue, "outcome": outcome}, count)
                for each in jobs
                for outcome, count in each.ended.items()
            ],
        ),
        Family(
            "watchfloor_job_running",
            Type.GAUGE,
            "Runs of a job that go on.",
            [Sample({"job": each.name, "queue": each.queue}, each.running) for each in jobs],
        ),
    ]


def _queues(queues: list[QueueFigures]) -> list[Family]:
    return [
        Family(
            "watchfloor_queue_runs",
            Type.GAUGE,
            "Runs in a queue that wait, are ready to be taken, or go on.",
            [
                Sample({"queue": each.name, "state": state}, count)
                for each in queues
                for state, count in each.runs.items()
            ],
        ),
        Family(
            "watchfloor_queue_oldest_ready_seconds",
            Type.GAUGE,
            "How long the oldest run of a queue that is ready has waited.",
            [Sample({"queue": each.name}, each.oldest_s) for each in queues],
            "seconds",
        ),
    ]


def _nodes(nodes: list[NodeFigures]) -> list[Family]:
    live = [each for each in nodes if each.live]
    counted = [
        Sample({"node": each.name, "event": name}, value)
        for each in live
        for name, value in sorted(each.stats.items())
        if name not in _NOT_COUNTERS
    ]
    lags = [
        Sample({"node": each.name, "quantile": word}, each.stats[f"lag_{name}_ms"] / 1000)
        for each in live
        for word, name in (("0.5", "p50"), ("0.99", "p99"), ("1", "max"))
        if f"lag_{name}_ms" in each.stats
    ]
    return [
        Family(
            "watchfloor_node_up",
            Type.GAUGE,
            "Whether a node that did not stop is live.",
            [Sample({"node": each.name}, each.live) for each in nodes],
        ),
        Family(
            "watchfloor_node_lag_seconds", Type.GAUGE, "How late checks start on a node.", lags, "seconds"
        ),
        Family("watchfloor_node_events", Type.COUNTER, "What a node counts since its start.", counted),
    ]


def _labels(service: ServiceFigures) -> dict[str, str]:
    return {"service": service.name, "kind": service.kind, "group": service.group}


def _state(service: ServiceFigures) -> str:
    if service.paused:
        return "paused"
    return "pending" if service.hard is None else Status(service.hard).word
