from __future__ import annotations

from collections.abc import Iterable

import pytest
from pydantic import Field, ValidationError

from events.api.model import (
    Holder,
    Int32,
    LenientStr,
    Model,
    NonEmpty,
    Problem,
    StringMap,
    Strings,
    camel,
    walk,
)


class Inner(Model):
    json_body: bool = Field(False, description="x")
    name: NonEmpty = Field("a", description="x")


class Outer(Model):
    inner: Inner | None = Field(None, description="x")
    several: list[Inner] = Field([], description="x")
    named: dict[str, Inner] = Field({}, description="x")
    words: Strings = Field([], description="x")
    labels: StringMap = Field({}, description="x")
    value: LenientStr = Field("", description="x")
    count: Int32 = Field(0, description="x")

    def problems(self) -> Iterable[Problem]:
        if self.count == 13:
            yield Problem("count", "brings bad luck")
            yield Problem("inner.name", "as well")
        if self.count == 12:
            yield Problem("count", "nearly", severity="warning")


def test_keys_are_camel_case() -> None:
    assert camel("json_body") == "jsonBody"
    assert camel("krb_c_cache_secret") == "krbCCacheSecret"
    assert Inner.model_validate({"jsonBody": True}, by_name=False).json_body


def test_python_names_are_for_code_only() -> None:
    assert Inner(json_body=True).json_body
    assert not Inner.model_validate({"json_body": True}, by_alias=True, by_name=False).json_body


def test_unknown_fields_are_kept() -> None:
    assert Inner.model_validate({"other": [1]}).model_extra == {"other": [1]}


def test_null_means_absent() -> None:
    made = Outer.model_validate({"inner": None, "several": None, "count": None, "value": None})
    assert made == Outer()


def test_null_in_a_map_or_list_of_text_is_empty_text() -> None:
    made = Outer.model_validate({"labels": {"a": None}, "words": [None, "b"]})
    assert made.labels == {"a": ""}
    assert made.words == ["", "b"]


@pytest.mark.parametrize(
    "raw",
    [
        {"inner": {"jsonBody": "true"}},
        {"inner": {"name": 5}},
        {"inner": []},
        {"several": {}},
        {"labels": {"a": 1}},
        {"count": "5"},
        {"count": True},
        {"count": 2**31},
        {"value": ["a"]},
    ],
)
def test_other_types_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Outer.model_validate(raw)


def test_a_whole_float_is_an_integer() -> None:
    assert Outer.model_validate({"count": 5.0}).count == 5


@pytest.mark.parametrize(
    ("given", "text"),
    [(1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), (False, "false"), (1e21, "1e+21"), ("x", "x")],
)
def test_a_lenient_text_takes_scalars(given: object, text: str) -> None:
    assert Outer.model_validate({"value": given}).value == text


def test_all_rules_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"count": 13})
    (error,) = caught.value.errors()
    assert [problem.field for problem in error["ctx"]["problems"]] == ["count", "inner.name"]
    assert error["msg"] == "count: brings bad luck; inner.name: as well"


def test_a_warning_does_not_refuse() -> None:
    assert Outer.model_validate({"count": 12}).count == 12


def test_models_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Inner().name = "b"  # type: ignore[misc] # the test is about this


def test_walk_meets_every_model_with_its_path() -> None:
    made = Outer.model_validate({"inner": {}, "several": [{}, {}], "named": {"x": {}}})
    assert [path for path, _ in walk(made)] == [
        (),
        ("inner",),
        ("several", 0),
        ("several", 1),
        ("named", "x"),
    ]


def test_walk_meets_configs_that_were_put_in() -> None:
    holder = Holder()
    holder.configs["http",] = Inner()
    assert [path for path, _ in walk(holder)] == [(), ("http",)]
