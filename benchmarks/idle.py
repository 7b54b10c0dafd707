"""Memory and CPU of `events run` with 100 webhook sources and 100 Sensors that nobody calls."""

from __future__ import annotations

import time

from benchmarks.load import cpu_seconds, resident_mib, tell
from benchmarks.product import plain, product, sensor
from events.testing.servers import free_port

COUNT = 100


def webhook(number: int, port: int) -> str:
    return f"""
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: hooks-{number}}}
spec:
  webhook:
    push: {{endpoint: /hooks/{number}, port: "{port}", method: POST}}
"""


def run(quick: bool) -> None:
    count, seconds = (3, 0.5) if quick else (COUNT, 10.0)
    port = free_port()
    manifests = "".join(
        webhook(number, port) + sensor(f"ci-{number}", "main", 9).replace("github", f"hooks-{number}")
        for number in range(count)
    )
    with plain() as theirs, product(manifests, port) as ours:
        time.sleep(seconds / 5)
        before = cpu_seconds(ours.pid)
        time.sleep(seconds)
        used = (cpu_seconds(ours.pid) - before) / seconds * 100
        memory, base = resident_mib(ours.pid), resident_mib(theirs.pid)
    detail = f"{count} sources and Sensors; {memory / base:.2f}x the plain handler's {base:.0f} MiB"
    tell("idle: resident memory", memory, 100, detail, unit=" MiB")
    tell("idle: CPU", used, None, "of one core", unit=" %")
