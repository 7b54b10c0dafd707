"""Simulations, and what changes between two versions of manifests."""

from __future__ import annotations

from typing import Any

import pytest

from events.errors import NotThere
from events.tools.trial.given import Recorded
from events.tools.trial.render import Offered, find_trigger, render
from events.tools.trial.simulate import compare, kinds, simulate, totals

SECOND = 1_000_000_000


def at(made: Any, number: int, seconds: int = 0) -> Recorded:
    return Recorded(made.event(number=number), made.NOW + seconds * SECOND)


def test_clock_follows_the_history(load: Any, made: Any) -> None:
    limited = made.sensor(triggers=[made.trigger(rateLimit={"unit": "Minute", "requestsPerUnit": 1})])
    shown = simulate(load(limited), [at(made, 1), at(made, 2, 1), at(made, 3, 90)], 0)
    told = [(one.event and one.event.id, [h.result for h in one.happenings]) for one in shown]
    assert told == [
        ("a1", ["fired"]),
        ("a2", ["rate_limited"]),
        (None, ["fired"]),
        ("a3", ["rate_limited"]),
        (None, ["fired"]),
    ]
    assert totals(shown) == {"s.call": {"fired": 3, "rate_limited": 2}}


def test_steps_are_there_when_asked_for(load: Any, made: Any) -> None:
    wanted = {"data": [{"path": "n", "type": "number", "value": ["5"]}]}
    setup = load(made.sensor(dependencies=[made.dependency("a", filters=wanted)]))
    (one,) = simulate(setup, [at(made, 1)], 0, explain=True)
    assert [step.verdict for step in one.steps["s", "a"]] == ["reject"]


def test_comparison_tells_added_removed_and_changed(load: Any, made: Any) -> None:
    def only(value: str, url: str) -> Any:
        wanted = {"data": [{"path": "n", "type": "number", "value": [value], "comparator": "<="}]}
        stays = made.trigger("stays")
        stays["template"]["http"]["url"] = url
        always = made.sensor("always", triggers=[stays])
        return load(made.sensor(dependencies=[made.dependency("a", filters=wanted)]), always)

    events = [at(made, 1), at(made, 2, 1)]
    old = simulate(only("1", "http://x"), events, 0)
    new = simulate(only("2", "http://y"), events, 0)
    found = compare(old, new)
    assert [(one.kind, one.label, one.event.id) for one in found] == [
        ("changed", "always.stays", "a1"),
        ("added", "s.call", "a2"),
        ("changed", "always.stays", "a2"),
    ]
    assert [d.path for d in found[0].differences] == ["url"]
    assert kinds(compare(new, old)) == {"changed": 2, "removed": 1}
    assert compare(old, old) == []


def test_decisions_without_effect_are_no_change(load: Any, made: Any) -> None:
    wanted = {"data": [{"path": "n", "type": "number", "value": ["9"]}]}
    refusing = load(made.sensor(dependencies=[made.dependency("a", filters=wanted)]))
    other = load(made.sensor("other", dependencies=[made.dependency("zzz")]))
    events = [at(made, 1)]
    assert compare(simulate(refusing, events, 0), simulate(other, events, 0)) == []


def test_waiting_instead_of_nothing_is_another_decision(load: Any, made: Any) -> None:
    before = load(made.sensor(dependencies=[made.dependency("zzz")]))
    after = load(made.sensor(dependencies=[made.dependency("a"), made.dependency("b")]))
    (one,) = compare(simulate(before, [at(made, 1)], 0), simulate(after, [at(made, 1)], 0))
    assert (one.kind, one.old, one.new.result if one.new else "") == ("decision", None, "waiting")


def test_trigger_is_found_by_name(load: Any, made: Any) -> None:
    setup = load(made.sensor())
    assert find_trigger(setup, "s.call")[1].name == "call"
    assert find_trigger(setup, "default/s.call")[1].name == "call"
    with pytest.raises(NotThere, match=r"there is no trigger s\.zzz: there is default/s\.call"):
        find_trigger(setup, "s.zzz")


def test_bare_payload_goes_to_the_first_dependency_that_is_left(load: Any, made: Any) -> None:
    both = [made.dependency("a"), made.dependency("b")]
    plan, trigger = find_trigger(load(made.sensor(dependencies=both)), "s.call")
    given = [Offered(made.event(number=n), None, bare=True) for n in (1, 2)]
    done = render(plan, trigger, given, made.NOW)
    assert {name: event.subject for name, event in done.firing.events.items()} == {"a": "a", "b": "b"}
    assert done.notes == []


def test_refusing_filter_is_noted_and_rendered_all_the_same(load: Any, made: Any) -> None:
    wanted = {"data": [{"path": "n", "type": "number", "value": ["5"]}]}
    transform = {"jq": "{n: (.n + 1)}"}
    one = made.dependency("a", filters=wanted, transform=transform)
    plan, trigger = find_trigger(load(made.sensor(dependencies=[one])), "s.call")
    done = render(plan, trigger, [Offered(made.event(), None, bare=False)], made.NOW)
    assert "refuses this event" in done.notes[0]
    assert done.request.body == '{"n":"2"}'  # type: ignore[attr-defined] # an HTTPRequest


def test_event_of_another_topic_is_refused(load: Any, made: Any) -> None:
    plan, trigger = find_trigger(load(made.sensor()), "s.call")
    with pytest.raises(NotThere, match=r"hook/b is no dependency of call: it has a \(hook/a\)"):
        render(plan, trigger, [Offered(made.event("b"), None, bare=False)], made.NOW)
