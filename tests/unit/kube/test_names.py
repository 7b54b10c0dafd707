from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.kube._base import Invalid
from events.kube.names import as_label, check_object, label_value


def obj(kind: str = "Pod", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", **metadata}}


@pytest.mark.parametrize(
    "good",
    [
        obj(name="a-b.c-1.d"),
        obj(name="0"),
        obj(name="x" * 253),
        obj("ClusterRole", name="system:Node_x"),
        obj(namespace="shop-1"),
        obj(labels={"a/b": "", "A.b_c": "X.y_z-1", "example.com/x": "1"}),
        obj(annotations={"a": "any \n text"}),
        obj(labels=None),
        obj("Service", name="x" * 63),
    ],
)
def test_what_the_api_server_takes(good: Any):
    check_object(good)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        "x",
        {},
        {"apiVersion": "v1", "kind": "Pod"},
        {"apiVersion": "", "kind": "Pod", "metadata": {}},
        {"apiVersion": "v1", "kind": 7, "metadata": {"name": "x"}},
        obj(name=""),
        obj(name="A"),
        obj(name="a_b"),
        obj(name="a..b"),
        obj(name="-a"),
        obj(name="a-"),
        obj(name="x" * 254),
        obj(name="a\n"),
        obj(name="\u0663"),
        obj(name=7),
        obj("Service", name="a.b"),
        obj("Namespace", name="x" * 64),
        obj("Role", name="a/b"),
        obj("Role", name=".."),
        obj(namespace="a.b"),
        obj(namespace=7),
        obj(labels=[]),
        obj(labels={"a": 1}),
        obj(labels={"": "x"}),
        obj(labels={"a/": "x"}),
        obj(labels={"/a": "x"}),
        obj(labels={"A/a": "x"}),
        obj(labels={"a" * 64: "x"}),
        obj(labels={"a": "-x"}),
        obj(labels={"a": "x" * 64}),
        obj(labels={"a": "x\n"}),
        obj(annotations={"a b": "x"}),
    ],
)
def test_what_the_api_server_refuses(bad: Any):
    with pytest.raises(Invalid):
        check_object(bad)


@given(st.text())
def test_any_text_becomes_a_label_value(text: str):
    made = as_label(text)
    assert label_value(made)
    if text and label_value(text):
        assert made == text


def test_what_a_label_cannot_hold_becomes_a_dash():
    assert as_label("build & test!") == "build---test"
    assert as_label("x" * 62 + "..y") == "x" * 62
