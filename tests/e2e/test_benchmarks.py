"""Every benchmark program runs and says something; what it measures here means nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]

LINES = {
    "ingest": ["ingest: CPU per push"],
    "end_to_end": ["CPU per event", "latency p50 at 100/s", "latency p99 at 70 %", "none was lost"],
    "kafka": ["kafka: CPU per record"],
    "fan_out": ["fan_out: CPU with ten Sensors"],
    "startup": ["startup: import of standalone", "startup: events --help"],
    "idle": ["idle: resident memory", "idle: CPU"],
    "filters": ["filters: data, number", "filters: exprs", "filters: context", "filters: parameter, dataKey"],
    "matching": ["matching: equality (^text$), 100 dependencies", "matching: plain text (contains), memory"],
    "sqs": ["sqs: CPU per message"],
    "conditions": ["with an AND of two", "with an AND of three"],
    "shared_bus": ["CPU per event on JetStream"],
    "bus": ["futures alone", "embedded, power"],
    "kafka_bus": [
        "publish one by one",
        "publish fifty at once",
        "kafka_bus: consume,",
        "form of Argo Events",
    ],
    "jetstream": ["jetstream: publish", "jetstream: consume"],
}


NEEDS = {
    "kafka": pytest.mark.servers("kafka"),
    "sqs": pytest.mark.servers("elasticmq"),
    "shared_bus": pytest.mark.servers("nats"),
    "kafka_bus": pytest.mark.servers("kafka"),
    "jetstream": pytest.mark.servers("nats"),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS.get(name, ())) for name in LINES])
def test_it_prints_its_lines_and_ends_well(name: str):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--quick"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for line in LINES[name]:
        assert line in done.stdout


def test_a_program_whose_server_is_missing_is_left_out(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "kafka_bus", "--quick"],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "kafka_bus: left out: kafka is not there" in done.stdout


def test_an_unknown_name_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nothing"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "there is no nothing" in done.stderr
