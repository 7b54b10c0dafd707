"""One event against 10, 1000, 100,000 dependencies on one source, of which two match.

The payload is decoded already, so that only the search for what matches is timed: decoding would hide it.
"""

from __future__ import annotations

import gc
import os
import statistics
import time

from benchmarks.load import push_body, resident_mib, tell
from events.api.sensor import EventDependency
from events.event import Event
from events.sensors.dependencies import Dependency, compile_dependency
from events.sensors.index import Index
from events.sensors.problems import Problems

PATTERNS = {"equality (^text$)": "^refs/heads/{}$", "plain text (contains)": "heads/{}"}
MATCHING = 2


def dependency(number: int, value: str) -> Dependency:
    filters = {"data": [{"path": "body.ref", "type": "string", "value": [value]}]}
    spec = {"name": f"push-{number}", "eventSourceName": "github", "eventName": "push", "filters": filters}
    return compile_dependency(EventDependency.model_validate(spec), "dependencies", Problems())


def build(count: int, pattern: str) -> Index[Dependency]:
    index: Index[Dependency] = Index()
    for number in range(count):
        found = dependency(number, pattern.format("main" if number < MATCHING else f"b{number}"))
        index.add(found, found)
    return index


def event() -> Event:
    return Event("1", "github", "push", "github", 1, b'{"headers":{},"body":%b}' % push_body())


def seconds_per_event(index: Index[Dependency], repeat: int) -> float:
    one = event()
    passed = [found for found in index.candidates(one) if found.judge(one).event is not None]
    if len(passed) != MATCHING:
        raise RuntimeError(f"{len(passed)} dependencies matched, not {MATCHING}")
    began = time.perf_counter()
    for _ in range(repeat):
        for found in index.candidates(one):
            found.judge(one)
    return (time.perf_counter() - began) / repeat


def run(quick: bool) -> None:
    sizes, repeat, rounds = ((10, 100), 10, 2) if quick else ((10, 1000, 100_000), 2000, 15)
    dependency(0, "main")
    for name, pattern in PATTERNS.items():
        before = resident_mib(os.getpid())
        indexes = {size: build(size, pattern) for size in sizes}
        memory = (resident_mib(os.getpid()) - before) * 1024 / sum(sizes)
        gc.collect()
        gc.freeze()  # as the product does after loading
        timed = {
            size: [seconds_per_event(index, repeat) for _ in range(rounds)] for size, index in indexes.items()
        }
        least = statistics.median(timed[10])
        for size in sizes[1:]:
            value = statistics.median(timed[size])
            detail = f"{value * 1e6:.1f} us / {least * 1e6:.1f} us"
            tell(f"matching: {name}, {size:,} dependencies, to 10", value / least, 3.0, detail)
        tell(
            f"matching: {name}, memory per dependency", memory, None, "compiled, with its model", unit=" KiB"
        )
        del indexes
        gc.unfreeze()
