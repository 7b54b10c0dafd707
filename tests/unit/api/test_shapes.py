from __future__ import annotations

from events.api.common import Backoff, Persistence, Template
from events.api.eventsource import WebhookContext
from events.api.sensor import DataFilter, Trigger, TriggerParameter
from events.api.shapes import fields


def test_forms() -> None:
    shapes = {name: field.shape for name, field in fields(Trigger).items()}
    assert shapes["atLeastOnce"].form == "boolean"
    assert shapes["dlqTrigger"].model is Trigger
    assert shapes["parameters"].item
    assert shapes["parameters"].item.model is TriggerParameter
    assert (shapes["maxInFlight"].form, shapes["maxInFlight"].width) == ("integer", "int32")
    assert fields(WebhookContext)["maxPayloadSize"].shape.width == "int64"
    assert fields(WebhookContext)["metadata"].shape.form == "map"
    assert fields(Backoff)["duration"].shape.form == "int-or-string"
    assert fields(Persistence)["volumeSize"].shape.form == "int-or-string"
    assert fields(Template)["affinity"].shape.form == "map"


def test_lenient_fields_are_marked() -> None:
    values = fields(DataFilter)["value"].shape.item
    assert values
    assert values.lenient
    assert fields(Backoff)["factor"].shape.lenient
    assert not fields(DataFilter)["path"].shape.lenient


def test_what_is_required_and_what_stands_for_an_absent_field() -> None:
    assert fields(DataFilter)["path"].required
    assert not fields(DataFilter)["comparator"].required
    assert fields(WebhookContext)["maxPayloadSize"].default == 1048576
    assert fields(Trigger)["parameters"].default == []
