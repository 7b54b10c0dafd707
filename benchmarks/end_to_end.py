"""A push on its whole way: ingest, commit, match, two parameters, HTTP trigger, sink.

CPU and rate against the plain handler in turn; latency at fixed rates, from the scheduled send to the arrival
at the sink, against the plain handler's answer at the same rate.
"""

from __future__ import annotations

import statistics

from benchmarks.load import generate, micro, percentile, ratio, tell
from benchmarks.product import (
    Server,
    accepted,
    cost,
    forget,
    plain,
    product,
    push,
    received,
    sensor,
    sink,
    source,
)
from events.testing.servers import free_port


def run(quick: bool) -> None:
    rounds, requests, seconds = (1, 200, 0.5) if quick else (5, 2000, 6.0)
    port = free_port()
    with (
        sink() as target,
        plain() as theirs,
        product(source(port) + sensor("ci", "main", target), port) as ours,
    ):
        cost(theirs, requests // 2)
        cost(ours, requests // 2, target)
        compare_cost(theirs, ours, target, rounds, requests)
        rate = compare_rate(theirs, ours, target, rounds, requests)
        for share, number in (("100/s", 100.0), ("70 % of saturation", 0.7 * rate)):
            compare_latency(theirs, ours, target, share, number, seconds)


def compare_cost(theirs: Server, ours: Server, target: int, rounds: int, requests: int) -> None:
    pairs = [(cost(theirs, requests), cost(ours, requests, target)) for _ in range(rounds)]
    least, most = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    detail = f"{micro(most)} / {micro(least)}"
    tell("end_to_end: CPU per event, to plain handler", ratio(most, least), 4.0, detail)


def compare_rate(theirs: Server, ours: Server, target: int, rounds: int, requests: int) -> float:
    """Events per second that go in and come out."""
    plain_rates: list[float] = []
    rates: list[float] = []
    for _ in range(rounds):
        plain_rates.append(requests / push(theirs, requests)["seconds"])
        forget(target)
        began = push(ours, requests)["began"]
        found = received(target, requests)
        rates.append(requests / (found["last"] - began))
    detail = f"{statistics.median(rates):.0f}/s of {statistics.median(plain_rates):.0f}/s answered"
    tell("end_to_end: plain handler's rate, to events through", ratio(plain_rates, rates), None, detail)
    return statistics.median(rates)


def compare_latency(
    theirs: Server, ours: Server, target: int, share: str, rate: float, seconds: float
) -> None:
    requests = max(1, int(rate * seconds))
    given = {"path": "/push", "rate": rate, "seconds": seconds}
    answered = accepted(generate(port=theirs.port, **given), requests)["latencies"]
    forget(target)
    accepted(generate(port=ours.port, **given), requests)
    found = received(target, requests)
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        arrived, base = (percentile(values, part) * 1e3 for values in (found["late"], answered))
        detail = f"{arrived:.2f} ms / {base:.2f} ms at {rate:.0f}/s"
        tell(f"end_to_end: latency {name} at {share}, to plain answer", arrived / base, None, detail)
    doubled = found["count"] - found["distinct"]
    tell(f"end_to_end: doubled at {share} (none was lost)", doubled, 0, f"of {requests}", unit="")
