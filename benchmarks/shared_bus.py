"""A push on its whole way over JetStream, against the same over the embedded bus: CPU of `events run` alone.

What the server spends is not counted: it is another process, and on another machine as a rule.
"""

from __future__ import annotations

from benchmarks.load import micro, ratio, tell
from benchmarks.product import cost, product, sensor, sink, source
from events.testing.servers import free_port
from events.testing.servers.nats import Nats


def run(quick: bool) -> None:
    rounds, requests = (1, 200) if quick else (5, 2000)
    ports = free_port(), free_port()
    with (
        Nats() as server,
        sink() as target,
        product(source(ports[0]) + sensor("ci", "main", target), ports[0]) as embedded,
        product(source(ports[1]) + sensor("ci", "main", target), ports[1], "--bus", server.url) as shared,
    ):
        for one in (embedded, shared):
            cost(one, requests // 2, target)
        pairs = [(cost(embedded, requests, target), cost(shared, requests, target)) for _ in range(rounds)]
    least, most = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    line = "shared_bus: CPU per event on JetStream, to the embedded bus"
    tell(line, ratio(most, least), 2.0, f"{micro(most)} / {micro(least)}")
