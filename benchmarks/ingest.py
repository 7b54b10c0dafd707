"""CPU per signed push of 10 kB that is stored durably, against a handler that only checks the HMAC."""

from __future__ import annotations

from benchmarks.load import micro, ratio, tell
from benchmarks.product import cost, plain, product, source
from events.testing.servers import free_port


def run(quick: bool) -> None:
    rounds, requests = (1, 200) if quick else (9, 2000)
    port = free_port()
    with plain() as theirs, product(source(port), port) as ours:
        for server in (theirs, ours):
            cost(server, requests // 2)
        pairs = [(cost(theirs, requests), cost(ours, requests)) for _ in range(rounds)]
    least, most = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    tell("ingest: CPU per push, to plain handler", ratio(most, least), 1.7, f"{micro(most)} / {micro(least)}")
