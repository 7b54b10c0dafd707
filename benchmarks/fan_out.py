"""Ten Sensors on one event of which one matches, against one Sensor."""

from __future__ import annotations

from benchmarks.load import micro, ratio, tell
from benchmarks.product import cost, product, sensor, sink, source
from events.testing.servers import free_port

BRANCHES = ("main", *(f"release-{number}" for number in range(9)))


def run(quick: bool) -> None:
    rounds, requests = (1, 200) if quick else (7, 1500)
    first, second = free_port(), free_port()
    with sink() as target:
        sensors = [sensor(f"ci-{name}", name, target) for name in BRANCHES]
        with (
            product(source(first) + sensors[0], first) as one,
            product(source(second) + "".join(sensors), second) as ten,
        ):
            for server in (one, ten):
                cost(server, requests // 2, target)
            pairs = [(cost(one, requests, target), cost(ten, requests, target)) for _ in range(rounds)]
    least, most = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    tell("fan_out: CPU with ten Sensors, to one", ratio(most, least), 1.3, f"{micro(most)} / {micro(least)}")
