"""Events of files and of the history."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from events.event import Delivery, Event, Position
from events.runtime.history import summary
from events.tools.trial.given import payload_of, read_events, recorded, sole_event

CLOUD = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": "e", "data": {"a": 1}}


def row(data: bytes | None, kind: str = "application/json", stored_ns: int = 5_000_000) -> dict[str, Any]:
    event = Event("1", "s", "e", "t", 1_700_000_000_000_000_000, data, kind, "ns")
    return summary(Delivery(event, Position(0, 1), stored_ns), "ns/default")


@pytest.mark.parametrize(
    "text",
    [
        orjson.dumps(CLOUD),
        orjson.dumps([CLOUD]),
        orjson.dumps(CLOUD) + b"\n\n",
    ],
)
def test_cloud_events_are_read(text: bytes) -> None:
    (one,) = read_events(text, "ns")
    assert (one.event.id, one.event.namespace, one.event.data) == ("1", "ns", b'{"a":1}')


def test_lines_keep_their_order() -> None:
    text = b"\n".join(orjson.dumps({**CLOUD, "id": str(number)}) for number in range(3))
    assert [one.event.id for one in read_events(text, "ns")] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"nope", "not JSON"),
        (orjson.dumps(CLOUD) + b"\nnope", "line 2 is not JSON"),
        (b"[{}]", "event 1 is not a CloudEvent"),
        (orjson.dumps([CLOUD, {**CLOUD, "time": "noon"}]), "event 2: time 'noon'"),
    ],
)
def test_what_is_wrong_is_told(text: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_events(text, "ns")


def test_events_of_the_history_are_sorted_by_when_they_were_stored() -> None:
    rows = [{**row(b"{}", stored_ns=number * 1_000_000_000), "id": str(number)} for number in (3, 1, 2)]
    assert [one.event.id for one in read_events(orjson.dumps(rows), "x")] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"a":1}', "application/json"),
        (b'"text"', "application/json"),
        (b"no json", "application/json"),
        (b"text", "text/plain"),
        (b"null", "application/json"),
        (None, "application/json"),
    ],
)
def test_row_gives_the_event_back(data: bytes | None, kind: str) -> None:
    found = recorded(row(data, kind))
    assert (found.event.data, found.stored_ns, found.event.namespace) == (data, 5_000_000, "ns")
    assert found.event.time_ns == 1_700_000_000_000_000_000


def test_row_without_its_payload_is_refused() -> None:
    with pytest.raises(ValueError, match="70002 bytes"):
        recorded(row(b'"' + b"x" * 70_000 + b'"'))


def test_payload_of_a_file() -> None:
    assert payload_of(orjson.dumps(CLOUD)) == b'{"a":1}'
    assert payload_of(b'{"b":2}') == b'{"b":2}'
    assert payload_of(b"no json") == b"no json"
    assert sole_event(b"[1]") is None


def test_list_of_one_event_is_that_event_and_more_are_refused() -> None:
    found = sole_event(orjson.dumps([CLOUD]))
    assert found is not None
    assert found.data == b'{"a":1}'
    with pytest.raises(ValueError, match="holds 2 events where one is needed"):
        sole_event(orjson.dumps([CLOUD, CLOUD]))
