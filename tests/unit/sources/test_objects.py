"""The view of a watch: what it tells, from lists and from changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.kube._base import Change, Listed, Object, Wanted
from events.sources import _objects
from events.sources._objects import Told, View, payload, step_of

WANTED = Wanted("", "v1", "configmaps", "ci")


def obj(name: str, version: int, uid: str = "") -> Object:
    meta = {"name": name, "namespace": "ci", "uid": uid or f"u-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


def filled(*objects: Object) -> View:
    view = View(WANTED)
    view.fill(Listed(list(objects), "10"))
    return view


def brief(found: Any) -> list[tuple[str, str, str]]:
    return [(told.type, told.key, told.version) for told in found]


def test_a_list_is_compared_with_what_was_known():
    view = filled(obj("same", 1), obj("changed", 2), obj("gone", 3))
    told = list(view.compare(Listed([obj("same", 1), obj("changed", 7), obj("new", 8)], "20")))
    assert brief(told) == [
        ("UPDATE", "ci/changed", "7"), ("ADD", "ci/new", "8"), ("DELETE", "ci/gone", "3"),
    ]  # fmt: skip
    assert json.loads(told[0].old or b"")["metadata"]["resourceVersion"] == "2"
    assert json.loads(told[2].body) == obj("gone", 3)
    assert view.version == "20"
    assert brief(view.compare(Listed([obj("same", 1), obj("changed", 7), obj("new", 8)], "21"))) == []


def test_a_cursor_that_still_holds_gets_its_bodies_from_the_list():
    view = View(WANTED)
    view.restore(filled(obj("x", 1)).cursor())
    assert brief(view.compare(Listed([obj("x", 1)], "10"))) == []
    [update] = view.follow(step_of(Change("MODIFIED", obj("x", 11))))
    assert json.loads(update.old or b"") == obj("x", 1)


def test_an_object_that_was_replaced_was_deleted_and_added():
    told = list(filled(obj("x", 1, "u1")).compare(Listed([obj("x", 5, "u2")], "20")))
    assert brief(told) == [("DELETE", "ci/x", "1"), ("ADD", "ci/x", "5")]
    assert told[1].old is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change("ADDED", obj("new", 11)), [("ADD", "ci/new", "11")]),
        (Change("MODIFIED", obj("x", 11)), [("UPDATE", "ci/x", "11")]),
        (Change("DELETED", obj("x", 11)), [("DELETE", "ci/x", "1")]),
        (Change("ADDED", obj("x", 1)), []),
        (Change("MODIFIED", obj("x", 1)), []),
        (Change("DELETED", obj("unknown", 11)), []),
        (Change("MODIFIED", obj("unknown", 11)), [("ADD", "ci/unknown", "11")]),
        (Change("ADDED", obj("x", 11, "other")), [("DELETE", "ci/x", "1"), ("ADD", "ci/x", "11")]),
        (Change("BOOKMARK", {"metadata": {"resourceVersion": "11"}}), []),
    ],
)
def test_changes(change: Change, expected: list[tuple[str, str, str]]):
    view = filled(obj("x", 1))
    assert brief(view.follow(step_of(change))) == expected
    assert view.version == change.object["metadata"]["resourceVersion"]


def test_a_place_of_another_kind_of_version_is_kept():
    view = filled()
    list(view.follow(step_of(Change("ADDED", obj("x", 3), "life.7"))))
    assert view.version == "life.7"


def test_a_cursor_brings_back_the_versions_without_the_bodies():
    stored = filled(obj("x", 1), obj("y", 2)).cursor()
    view = View(WANTED)
    assert view.restore(stored)
    assert view.version == "10"
    told = list(view.compare(Listed([obj("x", 4)], "20")))
    assert brief(told) == [("UPDATE", "ci/x", "4"), ("DELETE", "ci/y", "2")]
    assert told[0].old is None
    assert json.loads(told[1].body) == {
        "apiVersion": "v1",
        "metadata": {"name": "y", "namespace": "ci", "uid": "u-y", "resourceVersion": "2"},
    }


@pytest.mark.parametrize("other", [WANTED._replace(namespace=None), WANTED._replace(resource="secrets")])
def test_a_cursor_of_other_objects_counts_for_nothing(other: Wanted):
    view = View(other)
    assert not view.restore(filled(obj("x", 1)).cursor())
    assert view.version == ""


@pytest.mark.parametrize("stored", [None, b"", b"damaged"])
def test_without_a_cursor_everything_is_new(stored: bytes | None):
    view = View(WANTED)
    assert not view.restore(stored)
    assert brief(view.compare(Listed([obj("x", 1)], "20"))) == [("ADD", "ci/x", "1")]


def test_a_cursor_that_would_be_too_large_keeps_the_place_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_objects, "LARGEST", 100)
    stored = filled(*(obj(f"x{number}", number) for number in range(100))).cursor()
    view = View(WANTED)
    assert len(stored) < 200
    assert not view.restore(stored)
    assert view.version == "10"


def test_the_payload_has_upstream_s_shape():
    body, old = b'{"metadata":{"name":"p"}}', b'{"metadata":{"name":"p","x":1}}'
    told = Told("UPDATE", "ci/p", "u", "7", body, old)
    data = payload(told, Wanted("apps", "v1", "deployments", None), b',"metadata":{"k":"v"}')
    assert data == (
        b'{"type":"UPDATE","body":{"metadata":{"name":"p"}},"oldBody":{"metadata":{"name":"p","x":1}},'
        b'"group":"apps","version":"v1","resource":"deployments","metadata":{"k":"v"}}'
    )
    assert b'"oldBody":null' in payload(told._replace(type="ADD", old=None), WANTED, b"")
    assert told.id == "u-7-update"
