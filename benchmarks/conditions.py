"""Conditions: an AND of two and of three dependencies against a single one, per event.

Events come in turn (a, b, a, b ...), so each pair or triple completes the condition. Measured is the whole
way of a shard: read, match, hold, store, fire, record; the trigger is free. The bus is the embedded one.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.load import micro, ratio, tell
from events.bus._base import Bus
from events.bus.embedded import EmbeddedBus
from events.testing.sensors import Rig, event, sensor, trigger

PORTION = 64
"""Events of one publish: about what group commit makes of pushes under load."""


def run(quick: bool) -> None:
    rounds, events = (1, 600) if quick else (5, 12_000)
    costs: dict[str, list[float]] = {"a": [], "ab": [], "abc": []}
    for _ in range(rounds):
        for names, found in costs.items():
            found.append(asyncio.run(cost(names, events)))
    for names, label in (("ab", "two"), ("abc", "three")):
        detail = f"{micro(costs[names])} / {micro(costs['a'])}"
        line = f"conditions: CPU per event with an AND of {label}, to a single dependency"
        tell(line, ratio(costs[names], costs["a"]), 1.3, detail)


async def cost(names: str, events: int) -> float:
    """Seconds of CPU per event, from before the publish until everything is recorded."""
    with tempfile.TemporaryDirectory() as folder:

        async def open_bus() -> Bus:
            bus = EmbeddedBus(Path(folder) / "bus.sqlite", "default/default", durability="process")
            await bus.open()
            return bus

        rig = Rig(open_bus)
        await rig.start(sensor(trigger(" && ".join(names)), dependencies=names))
        made = [event(f"{names[number % len(names)]}{number}") for number in range(events)]
        began = time.process_time()
        for start in range(0, events, PORTION):
            await rig.bus.publish(made[start : start + PORTION])
        await rig.until(lambda: len(rig.target.shots) == events // len(names), 120)
        await rig.quiet()
        spent = time.process_time() - began
        await rig.stop()
    return spent / events
