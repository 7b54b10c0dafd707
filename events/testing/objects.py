"""The promises of `events.kube._base.Objects`: clauses that every store of objects keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from events.errors import Retryable
from events.kube._base import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Account,
    Change,
    Conflict,
    Invalid,
    NotFound,
    Object,
    Objects,
    Ref,
    Wanted,
)
from events.kube.remote import RemoteObjects
from events.kube.selectors import Requirement, Selector, equal

THING: Object = {"apiVersion": "test.example.com/v1", "kind": "Thing"}
CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.test.example.com"},
    "spec": {
        "group": "test.example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing", "shortNames": ["th"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}
"""What an API server has to know before it runs the clauses."""


def thing(name: str = "x", *, labels: dict[str, str] | None = None, **given: Any) -> Object:
    return {**THING, "metadata": {"name": name, "labels": labels or {}}, **given}


def settings(name: str = "x", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def names(objects: list[Object]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


class ObjectsContract:
    """A subclass gives the fixtures `objects`, and `namespace` and `other`: two empty namespaces."""

    @pytest.fixture
    def ref(self, namespace: str) -> Ref:
        return Ref(THING["apiVersion"], THING["kind"], namespace, "x")

    @pytest.fixture
    def wanted(self, namespace: str) -> Wanted:
        return Wanted("test.example.com", "v1", "things", namespace)

    async def test_a_new_object_gets_identity_version_and_namespace(
        self, objects: Objects, namespace: str
    ) -> None:
        made = await objects.create(thing(spec={"a": 1}), namespace)
        meta = made["metadata"]
        assert made["spec"] == {"a": 1}
        assert (meta["namespace"], meta["name"], meta["generation"]) == (namespace, "x", 1)
        assert meta["uid"]
        assert meta["resourceVersion"]
        assert meta["creationTimestamp"].endswith("Z")

    async def test_a_name_is_generated(self, objects: Objects, namespace: str) -> None:
        made = [
            await objects.create({**THING, "metadata": {"generateName": "x-"}}, namespace) for _ in range(2)
        ]
        assert all(len(name) == 7 and name.startswith("x-") for name in names(made))
        assert len(set(names(made))) == 2

    async def test_names_are_unique_for_kind_and_namespace(
        self, objects: Objects, namespace: str, other: str
    ) -> None:
        await objects.create(thing(), namespace)
        with pytest.raises(Conflict, match="already exists"):
            await objects.create(thing(), namespace)
        await objects.create(thing(), other)
        await objects.create(settings(), namespace)

    async def test_of_many_creates_at_once_one_wins(self, objects: Objects, namespace: str) -> None:
        made = await asyncio.gather(
            *(objects.create(thing(), namespace) for _ in range(10)), return_exceptions=True
        )
        assert sum(isinstance(one, Conflict) for one in made) == 9

    @pytest.mark.parametrize(
        "bad",
        [
            {"metadata": "x"}, {"kind": ""}, {"apiVersion": None}, {"metadata": {}},
            {"metadata": {"name": "Upper"}}, {"metadata": {"name": "x", "labels": {"a": "b c"}}},
            {"metadata": {"name": "x", "annotations": {"a/b/c": "x"}}},
        ],
    )  # fmt: skip
    async def test_invalid_objects_are_refused(
        self, objects: Objects, namespace: str, bad: dict[str, Any]
    ) -> None:
        with pytest.raises(Invalid):
            await objects.create({**thing(), **bad}, namespace)
        assert await objects.list(THING["apiVersion"], "Thing", namespace) == []

    async def test_an_update_replaces_and_keeps_the_identity(self, objects: Objects, namespace: str) -> None:
        made = await objects.create(thing(spec={"n": 1}, data={"a": 1}), namespace)
        new = {**made, "spec": {"n": 2}}
        del new["data"]
        changed = await objects.update(new)
        assert changed["spec"] == {"n": 2}
        assert "data" not in changed
        assert changed["metadata"]["uid"] == made["metadata"]["uid"]
        assert changed["metadata"]["generation"] == 2

    async def test_another_version_than_the_stored_one_is_a_conflict(
        self, objects: Objects, namespace: str, ref: Ref
    ) -> None:
        made = await objects.create(thing(), namespace)
        await objects.update({**made, "spec": {"n": 2}})
        with pytest.raises(Conflict):
            await objects.update({**made, "spec": {"n": 3}})
        old = made["metadata"]["resourceVersion"]
        with pytest.raises(Conflict):
            await objects.patch(ref, {"metadata": {"resourceVersion": old}, "spec": {"n": 3}})

    async def test_what_is_not_there(self, objects: Objects, namespace: str, ref: Ref) -> None:
        assert await objects.get(ref) is None
        assert await objects.delete(ref) is False
        with pytest.raises(NotFound):
            await objects.patch(ref, {"spec": {}})
        with pytest.raises(NotFound):
            await objects.update(
                {**THING, "metadata": {"name": "x", "namespace": namespace, "resourceVersion": "1"}}
            )

    async def test_get_and_delete(self, objects: Objects, namespace: str, ref: Ref) -> None:
        made = await objects.create(thing(), namespace)
        assert await objects.get(ref) == made
        assert await objects.delete(ref) is True
        assert await objects.get(ref) is None

    @pytest.mark.parametrize("strategy", [MERGE_PATCH, STRATEGIC_PATCH])
    async def test_a_merge_lays_members_over_and_null_removes(
        self, objects: Objects, namespace: str, strategy: str
    ) -> None:
        await objects.create(settings(a="1", b="2"), namespace)
        ref = Ref("v1", "ConfigMap", namespace, "x")
        changed = await objects.patch(ref, {"data": {"a": None, "c": "3"}}, strategy)
        assert changed["data"] == {"b": "2", "c": "3"}

    async def test_a_json_patch_is_applied_in_order(self, objects: Objects, namespace: str, ref: Ref) -> None:
        await objects.create(thing(spec={"list": [1, 2]}), namespace)
        changed = await objects.patch(
            ref,
            [
                {"op": "add", "path": "/spec/list/-", "value": 3},
                {"op": "test", "path": "/spec/list/2", "value": 3},
                {"op": "remove", "path": "/spec/list/0"},
            ],
            JSON_PATCH,
        )
        assert changed["spec"] == {"list": [2, 3]}

    async def test_an_apply_makes_what_is_not_there_and_changes_what_is(
        self, objects: Objects, namespace: str, ref: Ref
    ) -> None:
        first = await objects.patch(ref, {**thing(spec={"a": 1})}, APPLY_PATCH)
        second = await objects.patch(ref, {**thing(spec={"a": 2})}, APPLY_PATCH)
        assert (first["spec"], second["spec"]) == ({"a": 1}, {"a": 2})
        assert first["metadata"]["uid"] == second["metadata"]["uid"]
        assert first["metadata"]["namespace"] == namespace

    @pytest.mark.parametrize(
        ("body", "strategy"),
        [
            ([], STRATEGIC_PATCH), ("x", MERGE_PATCH), (None, MERGE_PATCH), ({}, JSON_PATCH),
            ([{"op": "replace", "path": "", "value": []}], JSON_PATCH),
            ([{"op": "remove", "path": "/nothing"}], JSON_PATCH),
            ({"metadata": {"name": "y"}}, MERGE_PATCH), ({"kind": "Secret"}, MERGE_PATCH),
            ({"metadata": {"labels": {"a": "b c"}}}, MERGE_PATCH),
        ],
    )  # fmt: skip
    async def test_patches_that_are_refused_change_nothing(
        self, objects: Objects, namespace: str, ref: Ref, body: Any, strategy: str
    ) -> None:
        made = await objects.create(thing(), namespace)
        with pytest.raises(Invalid):
            await objects.patch(ref, body, strategy)
        assert await objects.get(ref) == made

    async def test_listing_by_namespace_and_labels(
        self, objects: Objects, namespace: str, other: str
    ) -> None:
        for name, where, labels in (
            ("b", namespace, {"t": "1"}),
            ("a", namespace, {}),
            ("c", other, {"t": "1"}),
        ):
            await objects.create(thing(name, labels=labels), where)

        async def listed(where: str | None, labels: dict[str, str] | None = None) -> list[str]:
            return names(await objects.list(THING["apiVersion"], "Thing", where, labels))

        assert await listed(namespace) == ["a", "b"]
        assert await listed(namespace, {"t": "1"}) == ["b"]
        assert {"b", "c"} <= set(await listed(None, {"t": "1"}))

    async def test_an_object_in_no_namespace_goes_where_it_is_told(
        self, objects: Objects, namespace: str, other: str
    ) -> None:
        made = await objects.create({**THING, "metadata": {"name": "x", "namespace": other}}, namespace)
        assert made["metadata"]["namespace"] == other

    async def test_following_tells_every_change_after_the_version_in_order(
        self, objects: Objects, namespace: str, other: str, ref: Ref, wanted: Wanted
    ) -> None:
        await objects.create(thing("before"), namespace)
        listed = await objects.read(wanted)
        assert names(listed.objects) == ["before"]
        await objects.create(thing(), other)
        await objects.create(thing(), namespace)
        await objects.patch(ref, {"spec": {"n": 2}})
        await objects.delete(ref)
        changes = objects.follow(wanted, listed.version)
        seen = await told(changes, 3)
        assert [change.type for change in seen] == ["ADDED", "MODIFIED", "DELETED"]
        assert [change.object["metadata"]["namespace"] for change in seen] == [namespace] * 3
        assert seen[1].object["spec"] == {"n": 2}

    async def test_following_tells_what_happens_while_it_waits(
        self, objects: Objects, namespace: str, wanted: Wanted
    ) -> None:
        listed = await objects.read(wanted)
        changes = objects.follow(wanted, listed.version)
        seen, _ = await asyncio.gather(told(changes, 1), objects.create(thing(), namespace))
        assert names([seen[0].object]) == ["x"]

    async def test_only_what_is_selected_is_read_and_followed(
        self, objects: Objects, namespace: str, wanted: Wanted
    ) -> None:
        selector = Selector((Requirement("t", "in", ("1", "2")), Requirement("gone", "!")))
        chosen = wanted._replace(labels=selector)
        await objects.create(thing("a", labels={"t": "1"}), namespace)
        await objects.create(thing("b", labels={"t": "1", "gone": ""}), namespace)
        listed = await objects.read(chosen)
        assert names(listed.objects) == ["a"]
        for name, labels in (("c", {"t": "3"}), ("d", {"t": "2", "gone": ""}), ("e", {"t": "2"})):
            await objects.create(thing(name, labels=labels), namespace)
        assert names([one.object for one in await told(objects.follow(chosen, listed.version), 1)]) == ["e"]
        assert names((await objects.read(wanted._replace(labels=equal({"t": "3"})))).objects) == ["c"]

    async def test_acting_as_an_administrator_changes_nothing(
        self, objects: Objects, namespace: str, ref: Ref
    ) -> None:
        other = objects.acting_as(Account("boss", ("system:masters",)))
        made = await other.create(thing(), namespace)
        assert await objects.get(ref) == made


async def told(changes: AsyncIterator[Change], count: int) -> list[Change]:
    """So many changes; bookmarks do not count."""
    seen: list[Change] = []
    async with asyncio.timeout(10):
        async for change in changes:
            if change.type != "BOOKMARK":
                seen.append(change)
            if len(seen) == count:
                break
    await changes.aclose()  # type: ignore[attr-defined]
    return seen


class Lossy(RemoteObjects):
    """The server does it, and the answer to the first change does not arrive."""

    lost = False

    async def _send(self, *args: Any, **given: Any) -> Object:
        found = await super()._send(*args, **given)
        if args[0] != "GET" and not self.lost:
            self.lost = True
            raise Retryable("the connection was lost")
        return found
