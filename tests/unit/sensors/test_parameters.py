"""Parameters: segments give what steps give; sources, operations, payloads."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.api.sensor import TriggerParameter
from events.errors import EvaluationError, ExpressionError
from events.event import Event, Firing
from events.sensors import parameters
from events.sensors.parameters import compile_edit, compile_edits, compile_payload, compile_source

DATA = b'{"body":{"message":"hi","n":8,"f":4.50,"l":["a",1],"o":{"x": 1},"nul":null,"empty":""}}'


def event(data: bytes | None = DATA, media: str = "application/json") -> Event:
    return Event("1", "webhook", "example", "webhook", 1_704_164_645_000_000_000, data, media)


def firing(**events: Event) -> Firing:
    return Firing("f", "default", "s", "t", events or {"dep": event()}, 1_704_164_645_000_000_000)


def parameter(dest: str, operation: str = "", **src: Any) -> TriggerParameter:
    raw = {"dest": dest, "operation": operation, "src": {"dependencyName": "dep", **src}}
    return TriggerParameter.model_validate(raw)


SOURCES = st.sampled_from(
    [
        {"dataKey": "body.message"},
        {"dataKey": "body.n"},
        {"dataKey": "body.n", "useRawData": True},
        {"dataKey": "body.o", "useRawData": True},
        {"dataKey": "body.l", "useRawData": True},
        {"dataKey": "body.nul", "useRawData": True},
        {"contextKey": "type"},
        {"value": 'quote " and \u00e9 <'},
        {"dataTemplate": "{{ .Input.body.message | upper }}"},
        {"dependencyName": "absent", "dataKey": "x"},
        {"dependencyName": "absent", "dataKey": "x", "value": "default"},
    ]
)
KEYS = st.sampled_from(["a", "b", "spec", "0", "1", "-1", "args", "a\\.b", ":2", "#", "*", "list"])
DESTS = st.lists(KEYS, min_size=1, max_size=4).map(".".join)
DOCUMENTS = st.sampled_from(
    [
        "{}",
        '{"a":1}',
        '{ "spec" : {"args":["x"], "list":[{"name":"m"}]} }',
        '[1,{"a":{}}]',
        '{"a":{"b":null}}',
    ]
)


@settings(max_examples=400)
@given(st.lists(st.tuples(DESTS, SOURCES, st.sampled_from(["", "append", "prepend"])), max_size=4), DOCUMENTS)
def test_a_cut_document_gives_what_writing_step_by_step_gives(items: list[Any], document: str):
    made = [parameter(dest, operation, **src) for dest, src, operation in items]
    assert result(lambda: compile_edits(made, document)(firing())) == result(lambda: by_steps(made, document))


def by_steps(made: list[TriggerParameter], document: str) -> str:
    for item in made:
        document = compile_edit(item).apply(document, firing())
    return document


def result(work: Any) -> Any:
    try:
        return work()
    except EvaluationError:
        return EvaluationError


def test_places_that_are_known_are_cut_once(monkeypatch: pytest.MonkeyPatch):
    edit = compile_edits([parameter("a.b", dataKey="body.message"), parameter("c.0", dataKey="body.n")], "{}")
    monkeypatch.setattr(parameters.Edit, "write", None)  # would be called step by step
    assert edit(firing()) == '{"a":{"b":"hi"},"c":["8"]}'


def test_an_absent_dependency_leaves_the_literal():
    edits = [parameter("a", dependencyName="other", dataKey="x"), parameter("b", dataKey="body.n")]
    assert compile_edits(edits, '{"a":"literal"}')(firing()) == '{"a":"literal","b":"8"}'


def test_data_wins_over_context_and_key_follows_a_template_that_fails():
    src = parameter("a", dataTemplate="{{ no }}", dataKey="body.n", contextKey="type").src
    assert src is not None
    assert compile_source(src)(firing()) == ("8", "Number")


def test_the_whole_event_has_its_data_in_base64():
    src = parameter("a").src
    assert src is not None
    value = compile_source(src)(firing())
    assert value is not None
    whole = orjson.loads(value.text)
    assert list(whole["context"]) == [
        "id",
        "source",
        "specversion",
        "type",
        "datacontenttype",
        "subject",
        "time",
    ]
    assert whole["context"]["time"] == "2024-01-02T03:04:05Z"
    assert whole["data"].startswith("eyJib2R5")


def test_yaml_payloads_are_read_as_json():
    yaml = event(b"a: {b: yes, c: 0x10}", "application/yaml")
    src = parameter("a", dataKey="a.c").src
    assert src is not None
    assert compile_source(src)(firing(dep=yaml)) == ("16", "Number")


@pytest.mark.parametrize(
    ("media", "data"), [("text/plain", b"{}"), ("application/json", b"{"), ("application/yaml", b"a: [")]
)
def test_other_data_is_an_error_unless_there_is_a_default(media: str, data: bytes):
    src, safe = parameter("a", dataKey="x").src, parameter("a", dataKey="x", value="d").src
    assert src is not None
    assert safe is not None
    with pytest.raises(EvaluationError):
        compile_source(src)(firing(dep=event(data, media)))
    assert compile_source(safe)(firing(dep=event(data, media))) == ("d", "String")


def test_what_is_missing_is_told_with_what_was_tried():
    src = parameter("a", dataKey="body.nope", dataTemplate="{{ .Input.nope }}").src
    assert src is not None
    with pytest.raises(EvaluationError, match=r"dependency dep: no value from dataTemplate.*body\.nope"):
        compile_source(src)(firing())


def test_an_unknown_operation_does_not_compile():
    bad = parameter("a").model_copy(update={"operation": "merge"})
    with pytest.raises(ExpressionError):
        compile_edits([bad], "{}")


def test_payload_without_any_value_is_no_body():
    assert compile_payload([])(firing()) is None
    assert compile_payload([parameter("a", dependencyName="other", dataKey="x")])(firing()) is None


def test_payload_entry_without_dest_is_the_whole_body():
    entries = [parameter("", dataKey="body.o"), parameter("a", dataKey="body.n")]
    assert compile_payload(entries)(firing()) == '{"x": 1}'


def test_rendering_again_gives_the_same_though_templates_use_time_and_random():
    edit = compile_edits([parameter("a", dataTemplate='{{ now | date "15:04" }} {{ uuidv4 }}')], "{}")
    first = edit(firing())
    assert edit(firing()) == first
    assert "03:04" in first
