"""The engine with a clock set by hand: what a running instance does around its sensors."""

from __future__ import annotations

from typing import Any

import pytest

from events.errors import ManifestError
from events.tools.trial.world import Happening, World

SECOND = 1_000_000_000


def results(happenings: list[Happening]) -> list[tuple[str, str]]:
    return [(one.trigger, one.result) for one in happenings]


def test_event_that_passes_fires_with_its_request(load: Any, made: Any) -> None:
    world = World(load(made.sensor()), made.NOW)
    (one,) = world.send(made.event())
    assert (one.label, one.result, one.kind) == ("s.call", "fired", "http")
    assert one.request is not None
    assert one.firing is not None
    assert one.firing.now_ns == made.NOW


def test_refused_event_is_filtered_with_the_values_compared(load: Any, made: Any) -> None:
    wanted = {"data": [{"path": "n", "type": "number", "value": ["5"]}]}
    world = World(load(made.sensor(dependencies=[made.dependency("a", filters=wanted)])), made.NOW)
    (one,) = world.send(made.event())
    assert one.result == "filtered"
    assert "wanted number = 5, found '1'" in one.reason


def test_error_in_a_filter_is_told(load: Any, made: Any) -> None:
    wanted = {"data": [{"path": "nope", "type": "string", "value": ["x"]}]}
    world = World(load(made.sensor(dependencies=[made.dependency("a", filters=wanted)])), made.NOW)
    (one,) = world.send(made.event())
    assert (one.result, "does not exist" in one.reason) == ("filter_error", True)


def test_condition_waits_and_fires_when_all_are_there(load: Any, made: Any) -> None:
    both = [made.dependency("a"), made.dependency("b")]
    world = World(load(made.sensor(dependencies=both)), made.NOW)
    (waits,) = world.send(made.event("a"))
    assert (waits.result, waits.reason) == ("waiting", "waits for b")
    assert results(world.send(made.event("b"))) == [("call", "fired")]


def test_restart_keeps_what_is_held(load: Any, made: Any) -> None:
    both = [made.dependency("a"), made.dependency("b")]
    world = World(load(made.sensor(dependencies=both)), made.NOW)
    world.send(made.event("a"))
    assert world.restart() == []
    (fired,) = world.send(made.event("b"))
    assert fired.result == "fired"
    assert fired.firing is not None
    assert sorted(fired.firing.events) == ["a", "b"]


def test_conditions_reset_forgets_what_is_held_at_its_time(load: Any, made: Any) -> None:
    both = [made.dependency("a"), made.dependency("b")]
    reset = {"conditionsReset": [{"byTime": {"cron": "30 9 * * *"}}]}
    world = World(load(made.sensor(dependencies=both, triggers=[made.trigger(template=reset)])), made.NOW)
    world.send(made.event("a"))
    assert world.advance_to(made.NOW + 1799 * SECOND) == []
    (gone,) = world.advance_to(made.NOW + 1800 * SECOND)
    assert (gone.result, gone.event.id) == ("reset", "a1")
    assert results(world.send(made.event("b"))) == [("call", "waiting")]


def test_rate_limit_delays_and_lets_pass_later(load: Any, made: Any) -> None:
    limited = made.trigger(rateLimit={"unit": "Minute", "requestsPerUnit": 1})
    world = World(load(made.sensor(triggers=[limited])), made.NOW)
    assert results(world.send(made.event(number=1))) == [("call", "fired")]
    assert results(world.send(made.event(number=2))) == [("call", "rate_limited")]
    assert world.advance_to(made.NOW + 59 * SECOND) == []
    (late,) = world.advance_to(made.NOW + 60 * SECOND)
    assert (late.result, late.event.id) == ("fired", "a2")


def test_settle_waits_for_all_that_is_limited(load: Any, made: Any) -> None:
    limited = made.trigger(rateLimit={"unit": "Second", "requestsPerUnit": 1})
    world = World(load(made.sensor(triggers=[limited])), made.NOW)
    for number in range(4):
        world.send(made.event(number=number))
    assert [one.event.id for one in world.settle()] == ["a1", "a2", "a3"]
    assert world.now_ns == made.NOW + 3 * SECOND


def test_restart_forgets_the_times_of_a_rate_limit(load: Any, made: Any) -> None:
    limited = made.trigger(rateLimit={"unit": "Minute", "requestsPerUnit": 1})
    world = World(load(made.sensor(triggers=[limited])), made.NOW)
    world.send(made.event(number=1))
    world.send(made.event(number=2))
    assert [one.event.id for one in world.restart()] == ["a2"]


def test_same_event_within_the_window_is_a_duplicate(load: Any, made: Any) -> None:
    world = World(load(made.sensor()), made.NOW)
    world.send(made.event())
    assert results(world.send(made.event())) == [("call", "duplicate")]
    world.advance_to(made.NOW + 121 * SECOND)
    assert results(world.send(made.event())) == [("call", "fired")]


def test_filter_of_the_source_comes_first(load: Any, made: Any) -> None:
    world = World(load(made.source("n > 5"), made.sensor()), made.NOW)
    (one,) = world.send(made.event())
    assert (one.result, one.reason) == ("source_filtered", "filter: n > 5")
    assert results(world.send(made.event(number=6))) == [("call", "fired")]


def test_sensor_of_another_bus_or_namespace_sees_nothing(load: Any, made: Any) -> None:
    elsewhere = made.sensor("other")
    elsewhere["metadata"]["namespace"] = "other"
    world = World(load(made.source(bus="fast"), made.sensor(), elsewhere), made.NOW)
    assert world.send(made.event()) == []


def test_what_cannot_be_rendered_goes_to_the_dlq_trigger(load: Any, made: Any) -> None:
    broken = {"http": {"url": "http://x", "payload": [
        {"src": {"dependencyName": "a", "dataKey": "nope"}, "dest": "n"}]}}  # fmt: skip
    dead = made.trigger("rescue", atLeastOnce=True)
    one = made.trigger(template=broken, atLeastOnce=True, dlqTrigger=dead)
    world = World(load(made.sensor(triggers=[one])), made.NOW)
    first, second = world.send(made.event())
    assert (first.trigger, first.result) == ("call", "parameter_error")
    assert (second.trigger, second.result, second.reason) == ("rescue", "fired", "dlqTrigger")
    assert second.firing is not None
    assert first.firing is not None
    assert second.firing.id != first.firing.id


def test_manifests_with_errors_are_refused_with_all_of_them(load: Any, made: Any) -> None:
    bad = made.sensor(triggers=[made.trigger(conditions="a && zzz"), {"template": {"name": "empty"}}])
    with pytest.raises(ManifestError, match=r"(?s)cannot be used.*triggers\.0.*zzz.*triggers\.1"):
        load(bad)


def test_manifests_without_a_sensor_are_refused(load: Any, made: Any) -> None:
    with pytest.raises(ManifestError, match="there is no Sensor"):
        load(made.source())
