"""Counters of the service: plain integers on the event path, shown in Prometheus' format when asked for.

Upstream's names and labels come first (`argo_events_...`, label `namespace`); ours start with `events_`.

Upstream  metrics/metrics.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector


class Duration:
    """How many, and how long together [ms]: a summary without quantiles."""

    __slots__ = ("count", "total_ms")

    def __init__(self) -> None:
        self.count, self.total_ms = 0, 0.0

    def observe(self, seconds: float) -> None:
        self.count += 1
        self.total_ms += seconds * 1000


class SourceCounts:
    """Of one event of one EventSource."""

    __slots__ = ("duplicate", "failed", "filtered", "overflow", "processing", "sent", "sent_failed")

    def __init__(self) -> None:
        self.sent = self.sent_failed = self.failed = self.filtered = self.duplicate = self.overflow = 0
        self.processing = Duration()


class TriggerCounts:
    """Of one trigger of one Sensor."""

    __slots__ = ("action", "failed", "repeated", "results", "retries_failed", "triggered")

    def __init__(self) -> None:
        self.triggered = self.failed = self.retries_failed = self.repeated = 0
        self.action = Duration()
        self.results: dict[str, int] = {}

    def result(self, name: str) -> None:
        self.results[name] = self.results.get(name, 0) + 1


class BusCounts:
    """Of the readers of one bus: those made anew here, and by the engine itself."""

    __slots__ = ("by_engine", "doubles", "silent")

    def __init__(self) -> None:
        self.silent = self.by_engine = self.doubles = 0

    @property
    def restarts(self) -> int:
        return self.silent + self.by_engine


class Gauge(NamedTuple):
    """A number that is looked up when the page is asked for. Labels are (name, value) pairs."""

    name: str
    help: str
    read: Callable[[], Iterable[tuple[dict[str, str], float]]]


SOURCE_COUNTERS = (
    ("argo_events_events_sent", "events stored on the bus", "sent"),
    ("argo_events_events_sent_failed", "events that the bus did not take", "sent_failed"),
    ("argo_events_events_processing_failed", "events or requests that failed", "failed"),
    ("events_source_filtered", "events that the source's filter dropped", "filtered"),
    ("events_source_duplicates", "events that the bus had already", "duplicate"),
    ("events_source_overflow", "events dropped because a buffer was full", "overflow"),
)
TRIGGER_COUNTERS = (
    ("argo_events_action_triggered", "attempts that succeeded", "triggered"),
    ("argo_events_action_failed", "attempts that failed", "failed"),
    ("argo_events_action_retries_failed", "firings given up after the last attempt", "retries_failed"),
    ("events_trigger_repeated", "attempts whose effect was there already", "repeated"),
)
BUS_COUNTERS = (
    ("events_bus_subscription_restarts", "readers that fell silent and were made anew", "restarts"),
    ("events_bus_doubles", "events that were read twice and handled once", "doubles"),
)


class Metrics:
    """All counters of one process."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, str, str], SourceCounts] = {}
        self._triggers: dict[tuple[str, str, str], TriggerCounts] = {}
        self._gauges: list[Gauge] = []
        self._buses: dict[tuple[str], BusCounts] = {}

    def source(self, namespace: str, source: str, event: str) -> SourceCounts:
        """The counts of one event; made with zeros, so that they can be seen before the first."""
        return self._sources.setdefault((namespace, source, event), SourceCounts())

    def trigger(self, namespace: str, sensor: str, trigger: str) -> TriggerCounts:
        return self._triggers.setdefault((namespace, sensor, trigger), TriggerCounts())

    def bus(self, name: str) -> BusCounts:
        """The counts of one bus; made with zeros."""
        return self._buses.setdefault((name,), BusCounts())

    def gauge(self, name: str, text: str, read: Callable[[], Iterable[tuple[dict[str, str], float]]]) -> None:
        self._gauges.append(Gauge(name, text, read))

    def page(self) -> bytes:
        """The text format of /metrics."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(cast("Collector", self))
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus_client."""
        yield from self._build()
        yield from self._source_metrics()
        yield from self._trigger_metrics()
        yield from counters(BUS_COUNTERS, ("bus",), self._buses)
        yield from self._gauge_metrics()

    def _build(self) -> Iterator[Metric]:
        import platform

        from prometheus_client.core import GaugeMetricFamily

        from events import __version__

        build = GaugeMetricFamily("build_info", "this build", labels=["version", "pythonversion"])
        build.add_metric([__version__, platform.python_version()], 1)
        yield build

    def _source_metrics(self) -> Iterator[Metric]:
        labels = ("namespace", "eventsource_name", "event_name")
        yield from counters(SOURCE_COUNTERS, labels, self._sources)
        durations = {key: counts.processing for key, counts in self._sources.items()}
        name = "argo_events_event_processing_duration_milliseconds"
        yield summary(name, "from receipt to stored", labels, durations)

    def _trigger_metrics(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        labels = ("namespace", "sensor_name", "trigger_name")
        yield from counters(TRIGGER_COUNTERS, labels, self._triggers)
        durations = {key: counts.action for key, counts in self._triggers.items()}
        yield summary("argo_events_action_duration_milliseconds", "one attempt", labels, durations)
        results = CounterMetricFamily(
            "events_decisions", "what became of events at triggers", labels=[*labels, "result"]
        )
        for key, counts in self._triggers.items():
            for result, number in counts.results.items():
                results.add_metric([*key, result], number)
        yield results

    def _gauge_metrics(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        for gauge in self._gauges:
            rows = list(gauge.read())
            names = list(rows[0][0]) if rows else []
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=names)
            for labels, value in rows:
                family.add_metric(list(labels.values()), value)
            yield family


def counters(
    wanted: Iterable[tuple[str, str, str]], labels: Sequence[str], rows: Mapping[Any, object]
) -> Iterator[Metric]:
    """One family for each (name, help, attribute), with a line for each row."""
    from prometheus_client.core import CounterMetricFamily

    for name, text, attribute in wanted:
        family = CounterMetricFamily(name, text, labels=labels)
        for key, counts in rows.items():
            family.add_metric(key, getattr(counts, attribute))
        yield family


def summary(
    name: str, text: str, labels: Sequence[str], rows: Mapping[tuple[str, str, str], Duration]
) -> Metric:
    from prometheus_client.core import SummaryMetricFamily

    family = SummaryMetricFamily(name, text, labels=labels)
    for key, duration in rows.items():
        family.add_metric(key, duration.count, duration.total_ms)
    return family
