"""Which revision handles which event, and where each dependency starts."""

from __future__ import annotations

from typing import Any

from events.bus._base import Mark
from events.event import Position
from events.runtime import roster as module
from events.runtime.plans import SensorPlan
from events.runtime.records import SensorRecord, decode, revision_key, sensor_key
from events.runtime.roster import Change, Roster, beyond, revision_name
from events.testing.sensors import RETRY, event, plan_of, sensor, trigger


def mark(offset: int, incarnation: str = "i") -> Mark:
    return Mark(incarnation, {0: offset})


def plan(*triggers: dict[str, Any], **more: Any) -> SensorPlan:
    return plan_of(sensor(*(triggers or (trigger("a"),)), **more))


def seen(roster: Roster, name: str, offset: int) -> list[tuple[str, str]]:
    """(revision, dependency) that are shown the event."""
    found = roster.candidates(event(name), Position(0, offset))
    return [(one.revision, entry.dependency.name) for one, entries in found for entry in entries]


def successor(roster: Roster, changes: list[Change], start: Mark) -> Roster:
    """The roster of the next owner, from what was stored."""
    records: dict[str, bytes] = {}
    blobs: dict[str, bytes] = {}
    for change in changes:
        records |= {key: value for key, value in change.records.items() if value is not None}
        blobs |= change.blobs
    again = Roster()
    needed = again.adopt(records, start)
    again.remember({name: blobs[revision_key(name)] for name in needed})
    return again


def test_a_new_sensor_sees_what_comes_after_the_head_only():
    roster, one = Roster(), plan()
    roster.change([one], mark(3), mark(7))
    assert seen(roster, "a1", 7) == []
    assert seen(roster, "a1", 8) == [(one.revision, "a")]
    assert seen(roster, "z1", 8) == []


def test_an_edited_sensor_goes_on_at_the_place_that_was_reached():
    roster, old, new = Roster(), plan(), plan(trigger("a", retryStrategy=RETRY))
    roster.change([old], mark(0), mark(0))
    roster.change([new], mark(5), mark(9))
    assert seen(roster, "a1", 6) == [(new.revision, "a")]


def test_after_a_crash_old_events_go_to_the_old_revision():
    roster, old, new = Roster(), plan(), plan(trigger("a", retryStrategy=RETRY))
    changes = [roster.change([old], mark(0), mark(0)), roster.change([new], mark(5), mark(9))]
    again = successor(roster, changes, mark(3))
    again.change([new], mark(3), mark(12))
    assert seen(again, "a1", 4) == [(old.revision, "a")]
    assert seen(again, "a1", 5) == [(old.revision, "a")]
    assert seen(again, "a1", 6) == [(new.revision, "a")]


def test_only_revisions_that_are_needed_again_are_asked_for():
    roster, plans = Roster(), [plan(trigger("a", retryStrategy={**RETRY, "steps": n})) for n in range(1, 6)]
    changes = [roster.change([one], mark(10 * n), mark(10 * n)) for n, one in enumerate(plans)]
    records = {key: value for change in changes for key, value in change.records.items() if value}
    assert Roster().adopt(records, mark(25)) == [revision_name(plans[2]), revision_name(plans[3])]
    assert Roster().adopt(records, mark(40)) == []


def test_another_incarnation_of_the_log_is_seen_from_its_beginning():
    roster, one = Roster(), plan()
    change = roster.change([one], mark(50), mark(50))
    again = successor(roster, [change], mark(0, "other"))
    again.change([one], mark(0, "other"), mark(9, "other"))
    assert seen(again, "a1", 1) == [(one.revision, "a")]


def test_a_dependency_that_moves_to_another_topic_starts_at_the_head_of_it():
    roster, old = Roster(), plan()
    moved = sensor(trigger("a"))
    moved["spec"]["dependencies"][0]["eventName"] = "c"
    new = plan_of(moved)
    changes = [roster.change([old], mark(0), mark(0)), roster.change([new], mark(5), mark(9))]
    assert seen(roster, "c1", 9) == []
    assert seen(roster, "c1", 10) == [(new.revision, "a")]
    again = successor(roster, changes, mark(3))
    again.change([new], mark(3), mark(12))
    assert seen(again, "a1", 4) == [(old.revision, "a")]


def test_a_removed_sensor_starts_anew_when_it_comes_back():
    roster, one = Roster(), plan()
    roster.change([one], mark(0), mark(0))
    change = roster.change([], mark(5), mark(5))
    assert decode(change.records[sensor_key("s")] or b"", SensorRecord, "").starts == {}
    assert seen(roster, "a1", 6) == []
    roster.change([one], mark(8), mark(10))
    assert seen(roster, "a1", 10) == []
    assert seen(roster, "a1", 11) == [(one.revision, "a")]


def test_a_sensor_removed_while_down_starts_anew_too():
    roster, one = Roster(), plan()
    changes = [roster.change([one], mark(0), mark(0))]
    second = successor(roster, changes, mark(5))
    changes.append(second.change([], mark(5), mark(5)))
    third = successor(second, changes, mark(8))
    third.change([one], mark(8), mark(10))
    assert seen(third, "a1", 9) == []


def test_what_did_not_change_is_not_written_again():
    roster, one = Roster(), plan()
    assert roster.change([one], mark(0), mark(0)).records
    again = roster.change([one], mark(5), mark(9))
    assert (again.records, again.blobs, again.forgotten) == ({}, {}, [])


def test_an_edit_tells_whose_held_events_go():
    roster = Roster()
    roster.change([plan(trigger("a && b"), trigger("a && b", "other"))], mark(0), mark(0))
    kept = roster.change(
        [plan(trigger("a && b", retryStrategy=RETRY), trigger("a || b", "other"))], mark(1), mark(1)
    )
    assert kept.forgotten == [("s", "other", None)]
    filtered = sensor(trigger("a && b", retryStrategy=RETRY), trigger("a || b", "other"))
    filtered["spec"]["dependencies"][1]["filters"] = {"context": {"type": "webhook"}}
    changed = roster.change([plan_of(filtered)], mark(2), mark(2))
    assert changed.forgotten == [("s", "t", ["b"]), ("s", "other", ["b"])]


def test_old_revisions_are_dropped_with_their_blobs(monkeypatch: Any):
    monkeypatch.setattr(module, "KEPT", 3)
    roster, plans = Roster(), [plan(trigger("a", retryStrategy={**RETRY, "steps": n})) for n in range(1, 6)]
    changes = [roster.change([one], mark(n), mark(n)) for n, one in enumerate(plans)]
    record = decode(changes[-1].records[sensor_key("s")] or b"", SensorRecord, "")
    assert [revision.hash for revision in record.revisions] == [revision_name(one) for one in plans[2:]]
    assert changes[-1].drops == [revision_key(revision_name(plans[1]))]


def test_events_are_shown_in_the_order_of_the_manifests():
    roster = Roster()
    sensors = [plan_of(sensor(trigger("a"), name=name)) for name in ("z", "a", "m")]
    roster.change(sensors, mark(0), mark(0))
    found = [one.name for one, _ in roster.candidates(event("a1"), Position(0, 1))]
    assert found == ["z", "a", "m"]


def test_beyond_is_none_once_everything_was_reached():
    reached = Mark("i", {0: 5, 1: 5})
    assert beyond(reached, Mark("i", {0: 5, 1: 3})) is None
    assert beyond(reached, Mark("j", {0: 9})) is None
    assert beyond(reached, Mark("i", {0: 9}), None, Mark("i", {0: 7, 1: 1})) == Mark("i", {0: 9, 1: 1})
