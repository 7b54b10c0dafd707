"""Data filters and expressions."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("comparator", "hint"),
    [
        ("==", "write ="),
        ("~", "with type string every value is a regular expression"),
        ("regex", "with type string every value is a regular expression"),
        ("<>", "write !="),
        ("gte", "write >= with type number"),
        ("in", "any of the values may match"),
    ],
)
def test_comparators_that_do_not_exist(data_filter: Any, comparator: str, hint: str) -> None:
    found = data_filter(f'{{path: body.a, type: string, value: ["^a$"], comparator: "{comparator}"}}')
    assert [(item.code, item.severity) for item in found] == [("unknown-comparator", "error")]
    assert hint in found[0].hint


def test_a_comparator_like_nothing_keeps_the_list(data_filter: Any) -> None:
    found = data_filter("{path: body.a, type: string, value: [^a$], comparator: zzz}")
    assert found[0].code == "unknown-comparator"
    assert "one of" in found[0].hint


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("regex", "write type: string; its values are regular expressions"),
        ("integer", "write type: number"),
        ("Boolean", "write type: bool"),
        ("zzz", "write type: string, number or bool"),
    ],
)
def test_types_that_do_not_exist(data_filter: Any, given: str, hint: str) -> None:
    found = data_filter(f'{{path: body.a, type: {given}, value: ["1"]}}')
    assert [(item.code, item.severity, item.hint) for item in found] == [("unknown-type", "error", hint)]


@pytest.mark.parametrize(
    ("value", "written"),
    [("main", "^main$"), ("refs/heads/main", "^refs/heads/main$"), ("v1.2", r"^v1\.2$")],
)
def test_plain_words_are_found_anywhere(data_filter: Any, value: str, written: str) -> None:
    found = data_filter(f"{{path: body.a, type: string, value: [{value}]}}")
    assert [item.code for item in found] == ["unanchored-pattern"]
    assert found[0].field == "spec.dependencies.0.filters.data.0.value.0"
    assert f"write {written} " in found[0].hint


@pytest.mark.parametrize("value", ["^main$", "mai.*", "[ab]", "main$"])
def test_patterns_are_left_alone(data_filter: Any, value: str) -> None:
    assert data_filter(f'{{path: body.a, type: string, value: ["{value}"]}}') == []


def test_numbers_are_no_patterns(data_filter: Any) -> None:
    assert data_filter('{path: body.a, type: number, value: ["1"], comparator: ">"}') == []


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ('{path: body.a, type: string, value: [^a$], comparator: ">"}', "never-passes"),
        ('{path: body.a, type: bool, value: ["true"], comparator: ">"}', "ignored-comparator"),
        ('{path: body.a, type: string, value: [^a$, ^b$], comparator: "!="}', "always-true"),
        ('{path: "body.a,body.b", type: string, value: [^a$]}', "comma-path"),
        ("{path: headers.X, type: string, value: [^a$]}", "unknown-path"),
        ("{path: a.b, type: string, value: [^a$]}", "unknown-path"),
        ("{path: header.X-GitHub-Event.0, type: string, value: [^a$]}", "header-spelling"),
        ("{path: header.X-Github-Event, type: string, value: [^push$]}", "header-list"),
    ],
)
def test_filters_that_surprise(data_filter: Any, item: str, code: str) -> None:
    assert [(found.code, found.severity) for found in data_filter(item)] == [(code, "warning")]


@pytest.mark.parametrize(
    "path",
    ["body", "body.a", "header.X.0", "metadata.a", "'@this.body'", "'$.body.a'", "'[body,header]'", "'#'"],
)
def test_paths_that_may_find_something(data_filter: Any, path: str) -> None:
    assert data_filter(f"{{path: {path}, type: string, value: [^a$]}}") == []


def test_other_kinds_have_other_members(data_filter: Any) -> None:
    item = "{path: body.a, type: string, value: [^a$]}"
    assert data_filter(item, "hub") == []
    assert [found.code for found in data_filter(item, "tick")] == ["unknown-path"]


def test_transformed_data_may_hold_anything(sensor: Any) -> None:
    head = "name: push, eventSourceName: web, eventName: push, transform: {jq: .}"
    item = "{path: anything, type: string, value: [^a$]}"
    assert sensor(dependencies=f"- {{{head}, filters: {{data: [{item}]}}}}") == []


def expression(sensor: Any, text: str, path: str = "body.a") -> list[str]:
    head = "name: push, eventSourceName: web, eventName: push"
    fields = f"fields: [{{path: {path}, name: a}}]"
    found = sensor(dependencies=f'- {{{head}, filters: {{exprs: [{{expr: "{text}", {fields}}}]}}}}')
    return [item.code for item in found]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a == '2020-01-01'", "date-literal"),
        ("a == 1 || a == 'x'", "text-and-number"),
        ("1 == 'x'", "text-and-number"),
        ("a > '5'", "number-as-text"),
        ("a == b", "unbound-name"),
        ("a ==", "does-not-compile"),
    ],
)
def test_expressions_that_surprise(sensor: Any, text: str, code: str) -> None:
    assert expression(sensor, text) == [code]


@pytest.mark.parametrize("text", ["a == 1", "a == 'x'", "a == '5'", "a =~ '^x'", "1 < a && a < 3", "a > 'b'"])
def test_expressions_that_are_fine(sensor: Any, text: str) -> None:
    assert expression(sensor, text) == []


def test_headers_are_text(sensor: Any) -> None:
    assert expression(sensor, "a == 1", "header.X.0") == ["text-and-number"]


def test_fields_of_expressions_have_paths(sensor: Any) -> None:
    assert expression(sensor, "a == 1", "a") == ["unknown-path"]


@pytest.mark.parametrize(
    ("filters", "place"),
    [
        ("{time: {start: '25:00:00', stop: '08:00:00'}}", "time"),
        ("{time: {start: '05:00:00', stop: '08:00:00', timezone: Europa/Berlin}}", "time"),
        ("{data: [{path: body.a, type: string, value: ['(']}]}", "data.0.value.0"),
        ("{data: [{path: body.a, type: number, value: [x]}]}", "data.0.value.0"),
        ("{data: [{path: body.a, type: string, value: [^a$], template: '{{'}]}", "data.0.template"),
        ("{data: [{path: '$[', type: string, value: [^a$]}]}", "data.0.path"),
    ],
)
def test_what_does_not_compile(sensor: Any, filters: str, place: str) -> None:
    head = "name: push, eventSourceName: web, eventName: push"
    found = sensor(dependencies=f"- {{{head}, filters: {filters}}}")
    assert [(item.code, item.field) for item in found] == [
        ("does-not-compile", f"spec.dependencies.0.filters.{place}")
    ]
