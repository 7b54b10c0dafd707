"""/metrics: upstream's names and labels, ours beside them."""

from __future__ import annotations

from events.observability.metrics import Metrics


def page() -> str:
    metrics = Metrics()
    source = metrics.source("ci", "github", "push")
    source.sent, source.failed, source.duplicate = 3, 1, 2
    source.processing.observe(0.25)
    trigger = metrics.trigger("ci", "build", "submit")
    trigger.triggered, trigger.failed = 2, 1
    trigger.action.observe(0.5)
    trigger.result("fired")
    metrics.gauge("events_bus_ready", "1: the bus stores", lambda: [({"bus": "ci/default"}, 1.0)])
    metrics.gauge("events_trigger_waiting", "firings that wait", list)
    return metrics.page().decode()


def test_upstream_s_names_and_labels():
    text = page()
    source = '{event_name="push",eventsource_name="github",namespace="ci"}'
    trigger = '{namespace="ci",sensor_name="build",trigger_name="submit"}'
    for line in (
        f"argo_events_events_sent_total{source} 3.0",
        f"argo_events_events_sent_failed_total{source} 0.0",
        f"argo_events_events_processing_failed_total{source} 1.0",
        f"argo_events_event_processing_duration_milliseconds_sum{source} 250.0",
        f"argo_events_event_processing_duration_milliseconds_count{source} 1.0",
        f"argo_events_action_triggered_total{trigger} 2.0",
        f"argo_events_action_failed_total{trigger} 1.0",
        f"argo_events_action_retries_failed_total{trigger} 0.0",
        f"argo_events_action_duration_milliseconds_sum{trigger} 500.0",
    ):
        assert line in text
    assert "build_info{" in text


def test_ours():
    text = page()
    assert (
        'events_source_duplicates_total{event_name="push",eventsource_name="github",namespace="ci"} 2.0'
        in text
    )
    assert (
        'events_decisions_total{namespace="ci",result="fired",sensor_name="build",trigger_name="submit"} 1.0'
        in text
    )
    assert 'events_bus_ready{bus="ci/default"} 1.0' in text


def test_counters_are_there_before_the_first_event():
    metrics = Metrics()
    metrics.trigger("ci", "build", "submit")
    assert (
        'argo_events_action_triggered_total{namespace="ci",sensor_name="build",trigger_name="submit"} 0.0'
        in (metrics.page().decode())
    )
