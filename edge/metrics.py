"""Prometheus metrics of the service, independent of any wire protocol.

A frame or a request costs a few counter increments; queue, workers, models and memory are read when
Prometheus scrapes. Callers cannot grow the set of labels: a model's name is a label only if the
repository knows it, an outcome is the code of an error in `edge.errors`, and a door is the name of
a dialect.
"""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from edge import __version__
from edge.errors import EdgeError, ModelNotFound, ModelUnavailable
from edge.outbox.entry import EntryState
from edge.repository.version import VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from edge.dataplane.alerting import Alerting
    from edge.dataplane.answer import Answer, InferRequest
    from edge.dataplane.service import InferenceService

OK = "ok"
"""The outcome of a success; every other outcome is an error's code."""

UNKNOWN = "unknown"
"""The label for every model name that the repository does not know."""

STAGES = ("queue", "decode", "preprocess", "infer", "postprocess")

_BUCKETS = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
)

# A dashboard has no use for the creation time of a series, which doubles the size of a scrape.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class ConnectionFigures:
    """What the transport counts; it writes, and a scrape reads.

    Attributes:
        limit: most connections.
        open: connections now.
        cut: how many were refused or cut, by reason; the transport has a dozen of them.
    """

    limit: int = 0
    open: int = 0
    cut: Tally[str] = field(default_factory=Tally)


class Metrics:
    """The counters of one service; an `Observer` of its frames.

    Args:
        connections: of the server; ``None`` if the application runs without one of ours.
    """

    def __init__(
        self, service: InferenceService, connections: ConnectionFigures | None = None
    ) -> None:
        self._service = service
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "edge_requests_total",
            "Requests answered, by door, model and outcome (ok, or an error's code).",
            ("door", "model", "outcome"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "edge_request_duration_seconds",
            "From a request's first byte here to the last of its reply.",
            ("door",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._frames = Counter(
            "edge_frames_total",
            "Frames by model and outcome; one request may hold several.",
            ("model", "outcome"),
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "edge_frame_stage_duration_seconds",
            "Duration of each stage of an answered frame; a SavedModel preprocesses within infer.",
            ("model", "stage"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._escalations = Counter(
            "edge_escalations_total",
            "Answers by source, decision and reason, if a cloud or an outbox is configured.",
            ("model", "source", "decision", "reason"),
            registry=self.registry,
        )
        self._replies: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._good_frames: dict[str, tuple[Counter, list[Histogram]]] = {}
        self.registry.register(_Snapshot(service))
        if connections is not None:
            self.registry.register(_Connections(connections))
        ProcessCollector(registry=self.registry)

    def observe(self, image: bytes, request: InferRequest, outcome: Answer | EdgeError) -> None:
        """Count a frame by its outcome, and the stages of an answered one."""
        del image
        if isinstance(outcome, EdgeError):
            self._frames.labels(self.label(request.model), outcome.code).inc()
        else:
            self._answered(outcome)

    def _answered(self, answer: Answer) -> None:
        """Count an answered frame and the time of its stages."""
        name = answer.model.name
        series = self._good_frames.get(name)
        if series is None:  # `labels` costs more than the counting
            series = (
                self._frames.labels(name, OK),
                [self._stage_seconds.labels(name, stage) for stage in STAGES],
            )
            self._good_frames[name] = series
        count, (queue, decode, preprocess, infer, postprocess) = series
        count.inc()
        stages = answer.stages
        queue.observe(answer.queue / 1000)
        decode.observe(stages.decode / 1000)
        preprocess.observe(stages.preprocess / 1000)
        infer.observe(stages.infer / 1000)
        postprocess.observe(stages.postprocess / 1000)
        if (escalation := answer.escalation) is not None:
            labels = (name, answer.source, escalation.action, escalation.reason or "")
            self._escalations.labels(*labels).inc()

    def replied(self, door: str, model: str, outcome: str, seconds: float) -> None:
        """Count a request.

        Args:
            door: name of the dialect that answered.
            model: from `label` or from an answer; empty if the request was about no model.
            outcome: `OK` or an error's code.
            seconds: from its first byte in to the last byte out.
        """
        key = (door, model, outcome)
        series = self._replies.get(key)
        if series is None:  # as above
            series = (self._requests.labels(*key), self._request_seconds.labels(door))
            self._replies[key] = series
        requests, duration = series
        requests.inc()
        duration.observe(seconds)

    def label(self, name: str | None) -> str:
        """The label for a model name that a caller gave; ``None`` means the default model."""
        repository = self._service.repository
        try:
            return repository.find(name).name
        except ModelNotFound:
            return UNKNOWN
        except ModelUnavailable:  # it was refused, or the repository is empty
            return (name if name in repository.refused else repository.default) or UNKNOWN


class _Snapshot(Collector):
    """Gauges that are read when Prometheus scrapes."""

    def __init__(self, service: InferenceService) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that the registry takes no snapshot just to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        service, pool, repository = self._service, self._service.pool, self._service.repository
        yield InfoMetricFamily("edge", "The service's version.", {"version": __version__})
        for name, words, value in (
            (
                "edge_ready",
                "1 if the default model serves and nothing is loading; 0 while stopping.",
                self._is_ready,
            ),
            (
                "edge_requests_in_flight",
                "Requests whose body is complete and which are not answered yet.",
                service.admission.in_flight,
            ),
            (
                "edge_requests_receiving",
                "Requests whose body is arriving; they take no place of a frame.",
                service.admission.receiving,
            ),
            (
                "edge_requests_in_flight_limit",
                "Maximum number of requests in flight; further ones are refused.",
                service.admission.max_in_flight,
            ),
            ("edge_held_bytes", "Bytes of request bodies in memory.", service.admission.held_bytes),
            (
                "edge_held_bytes_limit",
                "Maximum bytes of request bodies in memory; further requests are refused.",
                service.admission.max_held_bytes,
            ),
            ("edge_queue_frames", "Frames waiting for a worker.", pool.waiting),
            ("edge_queue_limit", "Maximum number of waiting frames.", pool.queue_size),
            (
                "edge_queue_oldest_age_seconds",
                "How long the first frame in the queue has waited.",
                pool.oldest_wait_s,
            ),
            ("edge_workers", "Number of workers: frames computed at the same time.", pool.workers),
            ("edge_workers_busy", "Workers that are computing a frame.", pool.busy),
        ):
            yield GaugeMetricFamily(name, words, float(value))
        states = GaugeMetricFamily(
            "edge_model_state",
            "1 for the current state of a model version, 0 for the others; END if refused.",
            labels=("model", "version", "state"),
        )
        about = InfoMetricFamily(
            "edge_model", "The versions in the repository.", labels=("model", "version")
        )
        for status in repository.statuses():
            number = "" if status.version is None else str(status.version)
            for state in VersionState:
                states.add_metric((status.name, number, state), float(status.state is state))
        for version in repository.versions:
            facts = {
                "task": version.contract.task.name,
                "format": version.contract.format,
                "digest": version.ref.digest[:12],
            }
            about.add_metric((version.name, str(version.version)), facts)
        yield states
        yield about
        if service.cloud is not None:
            yield from _cloud_metrics(service.cloud.status().as_json())
        if service.alerting is not None:
            yield from _alert_metrics(service.alerting)

    @property
    def _is_ready(self) -> bool:
        return self._service.repository.ready and not self._service.stopping


class _Connections(Collector):
    """The transport's figures."""

    def __init__(self, figures: ConnectionFigures) -> None:
        self._figures = figures

    def describe(self) -> Iterable[Metric]:
        """Return nothing: see `_Snapshot`."""
        return ()

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield GaugeMetricFamily(
            "edge_connections", "Open connections, of the pairing port too.", float(figures.open)
        )
        yield GaugeMetricFamily(
            "edge_connections_limit",
            "Maximum number of connections; further ones displace waiting ones or are refused.",
            float(figures.limit),
        )
        cut = CounterMetricFamily(
            "edge_connections_cut",
            "Connections that were refused or cut, by reason.",
            labels=("reason",),
        )
        for reason, count in sorted(figures.cut.items()):
            cut.add_metric((reason,), float(count))
        yield cut


def _alert_metrics(alerting: Alerting) -> Iterator[Metric]:
    """Figures of the rules and the sinks; rules and sinks are the owner's, so they are few."""
    raised = CounterMetricFamily("edge_alerts_raised", "Alerts by rule.", labels=("rule",))
    on = GaugeMetricFamily("edge_alert_on", "1 while a rule is on for a camera.", labels=("rule",))
    for rule in alerting.rules:
        raised.add_metric((rule.name,), float(alerting.raised(rule)))
        on.add_metric((rule.name,), float(alerting.state(rule).is_on))
    yield raised
    yield on
    yield CounterMetricFamily(
        "edge_alerts_suppressed",
        "Alerts not raised since their client had raised too many.",
        float(alerting.suppressed),
    )
    up = GaugeMetricFamily(
        "edge_alert_sink_up", "1 unless the last attempt failed.", labels=("sink",)
    )
    queued = GaugeMetricFamily("edge_alert_sink_queued", "Alerts that wait.", labels=("sink",))
    delivered = CounterMetricFamily(
        "edge_alert_sink_delivered", "Alerts that the receiver has taken.", labels=("sink",)
    )
    dropped = CounterMetricFamily(
        "edge_alert_sink_dropped", "Alerts that were given up.", labels=("sink",)
    )
    for status in alerting.sink_statuses():
        up.add_metric((status.name,), float(status.fault is None))
        queued.add_metric((status.name,), float(status.queued))
        delivered.add_metric((status.name,), float(status.delivered))
        dropped.add_metric((status.name,), float(status.dropped))
    yield from (up, queued, delivered, dropped)


def _cloud_metrics(status: Mapping[str, Any]) -> Iterator[Metric]:
    """Gauges of the link and the outbox, if configured, from the JSON of `CloudStatus`."""
    if link := status.get("link"):
        budget = link["budget"]
        yield GaugeMetricFamily(
            "edge_link_up", "1 if the online model can be called.", float(link["state"] == "up")
        )
        yield GaugeMetricFamily(
            "edge_cloud_calls_today", "Calls in the current 24 hours.", float(budget["calls_today"])
        )
        yield GaugeMetricFamily(
            "edge_cloud_cost_today",
            "Cost of the calls in the current 24 hours.",
            float(budget["cost_today"]),
        )
        yield GaugeMetricFamily(
            "edge_cloud_calls_this_month",
            "Calls in the current 30 days.",
            float(budget["calls_this_month"]),
        )
        shadow = status["shadow"]
        yield CounterMetricFamily(
            "edge_shadow_compared", "Frames that both sides answered.", float(shadow["compared"])
        )
        yield CounterMetricFamily(
            "edge_shadow_agreed",
            "Compared frames on which both sides agreed.",
            float(shadow["agreed"]),
        )
    if outbox := status.get("outbox"):
        fault = float(outbox["fault"] is not None)
        yield GaugeMetricFamily(
            "edge_outbox_fault",
            "1 if frames cannot be stored, for example because the disk is full.",
            fault,
        )
        yield GaugeMetricFamily(
            "edge_outbox_bytes", "Bytes in the outbox.", float(outbox.get("bytes", 0))
        )
        queued, write_s = float(outbox["queued_bytes"]), float(outbox["write_s"])
        yield GaugeMetricFamily(
            "edge_outbox_queued_bytes", "Bytes of images waiting to be written to disk.", queued
        )
        yield GaugeMetricFamily(
            "edge_outbox_write_seconds", "Duration of the last write to disk.", write_s
        )
        entries = GaugeMetricFamily(
            "edge_outbox_entries", "Outbox entries by state.", labels=("state",)
        )
        for state in EntryState:
            entries.add_metric((state,), float(outbox.get(state, 0)))
        entries.add_metric(("unreadable",), float(outbox.get("unreadable", 0)))
        yield entries
